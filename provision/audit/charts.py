"""The audit page's charts as geometry: pure, from what was observed to shapes within a view box.

What is told by colour is told by height, hatching or a text too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from provision.audit.observed import Point
from wire.types import SessionsOfDay, SyncOutcome, SyncRun

WIDTH, HEIGHT = 240.0, 56.0
"""The view box of every chart: they stand beside each other."""
GAP = 0.25
"""The share of a bar's place that stays empty."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; `kind` is its class, which has a pattern of its own; `says` is shown where one points at it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars within the view box; `top` is what its full height means, `begin` and `end` what is at its sides."""

    title: str
    bars: tuple[Bar, ...]
    top: str
    begin: str
    end: str
    legend: tuple[tuple[str, str], ...] = ()


def metric(title: str, points: Sequence[Point], unit: str, end: datetime, span: timedelta, full: float | None) -> Chart:
    """Draw a metric's points over a span: the average filled, the maximum a line; `full` None: the largest one's."""
    begin = end - span
    most = full or max((point.maximum for point in points), default=0.0)
    step = _step(points)
    width = WIDTH * (step / span)
    bars = []
    for point in points:
        x = WIDTH * ((point.at - begin) / span)
        if not 0 <= x < WIDTH:  # of before the span, or after it
            continue
        says = f"{point.at:%H:%M}: {_figure(point.average, unit)} on average, {_figure(point.maximum, unit)} at most"
        height = HEIGHT * min(1.0, point.average / most) if most else 0.0
        peak = HEIGHT * min(1.0, point.maximum / most) if most else 0.0
        bars.append(_bar(x, height, width, "level", says))
        bars.append(Bar(round(x, 2), round(HEIGHT - peak, 2), round(width * (1 - GAP), 2), 0.8, "peak", says))
    legend = (("level", "average"), ("peak", "maximum"))
    return Chart(title, tuple(bars), _figure(most, unit), f"{begin:%H:%M}", f"{end:%H:%M} UTC", legend)


def _step(points: Sequence[Point]) -> timedelta:
    gaps = [after.at - before.at for before, after in pairwise(points)]
    return min(gaps, default=timedelta(minutes=5))


def _bar(x: float, height: float, width: float, kind: str, says: str) -> Bar:
    return Bar(round(x, 2), round(HEIGHT - height, 2), round(width * (1 - GAP), 2), round(height, 2), kind, says)


def _figure(value: float, unit: str) -> str:
    if unit == "Bytes":
        for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
            if value >= size:
                return f"{value / size:.1f} {name}"
        return f"{value:.0f} bytes"
    return f"{value:.2g} %" if unit == "Percent" and value < 100 else f"{value:.0f}{' %' if unit == 'Percent' else ''}"


def sessions(days: Sequence[SessionsOfDay]) -> Chart:
    """Draw how the sessions of each day ended, one kind upon the other."""
    top = max((day.finished + day.hits + day.others for day in days), default=0)
    place = WIDTH / max(1, len(days))
    bars = []
    for i, day in enumerate(days):
        below = 0.0
        says = f"{day.day}: {day.finished} finished, {day.hits} at their turn limit, {day.others} otherwise"
        for kind, value in (("good", day.finished), ("other", day.others), ("hit", day.hits)):
            height = HEIGHT * value / top if top else 0.0
            if value:
                bar = _bar(i * place, height, place, kind, says)
                bars.append(Bar(bar.x, round(bar.y - below, 2), bar.width, bar.height, kind, says))
            below += height
    legend = (("good", "finished"), ("other", "otherwise"), ("hit", "at the turn limit"))
    begin, end = (days[0].day, days[-1].day) if days else ("", "")
    return Chart("Sessions by day", tuple(bars), f"{top}", begin, end, legend)


def syncs(runs: Sequence[SyncRun]) -> Chart:
    """Draw sync runs, the oldest first: a success stands, low without a change; one that failed hangs from above."""
    shown = runs[::-1]
    place = WIDTH / max(24, len(shown))
    bars = []
    for i, run in enumerate(shown):
        kind, share = _RUNS.get(run.outcome, ("hit", 1.0))
        height = HEIGHT * share
        says = f"{run.finished_at}: {run.outcome.value}"
        bar = _bar(i * place, height, place, kind, says)
        bars.append(bar if kind != "hit" else Bar(bar.x, 0.0, bar.width, bar.height, kind, says))
    legend = (("good", "in step"), ("other", "not set up"), ("hit", "failed"))
    begin, end = (_minute(shown[0]), _minute(shown[-1])) if shown else ("", "")
    return Chart("Runs of the sync", tuple(bars), "", begin, end, legend)


def _minute(run: SyncRun) -> str:
    """Month, day and minute of a run, as it wrote them: RFC 3339, in UTC."""
    return run.finished_at[5:16].replace("T", " ")


_RUNS = {
    SyncOutcome.CHANGED: ("good", 0.6),
    SyncOutcome.UNCHANGED: ("good", 0.25),
    SyncOutcome.OFF: ("other", 0.25),
}
