"""The page's charts as geometry: pure, from counts to rectangles; the templates draw them as SVG.

What is told by colour is told by height, hatching or a mark too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard import rates
from wire.types import Exit, Session, SyncOutcome, SyncRun

DAY, GAP, HEIGHT = 10, 2, 56
"""Width of a day with its gap, and the height of the highest bar."""


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day: sessions that finished, that hit their turn limit, and that ended otherwise."""

    day: date
    finished: int = 0
    hits: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """All sessions of the day."""
        return self.finished + self.hits + self.others


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a chart; `kind` is its class, which has a pattern of its own."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Rectangles within a view box, and the largest value, which is the top of the scale."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    top: int


def days(sessions: Sequence[Session], turns: int, last: date, count: int) -> list[Day]:
    """Count the sessions that are over by the day on which they began, up to and with `last`."""
    found = {last - timedelta(days=back): [0, 0, 0] for back in reversed(range(count))}
    for session in sessions:
        day = _day(session.started_at)
        if day in found and rates.is_over(session):
            found[day][_kind(session, turns)] += 1
    return [Day(day, *counts) for day, counts in found.items()]


def _kind(session: Session, turns: int) -> int:
    if rates.is_hit(session, turns):
        return 1
    return 0 if session.exit is Exit.FINISHED else 2


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def stacked(counted: Sequence[Day]) -> Chart:
    """Draw days as bars: finished at the bottom, others on it, those at their limit on top."""
    top = max([day.total for day in counted], default=0)
    bars = []
    for i, day in enumerate(counted):
        below = 0.0
        for kind, value in (("finished", day.finished), ("other", day.others), ("hit", day.hits)):
            height = HEIGHT * value / top if top else 0.0
            if value:
                bars.append(Bar(i * DAY, round(HEIGHT - below - height, 2), DAY - GAP, round(height, 2), kind))
            below += height
    return Chart(DAY * len(counted), HEIGHT, tuple(bars), top)


MARK, LINE = 8, 24
"""Width of a run in the strip of the sync, and its height."""


def strip(runs: Sequence[SyncRun]) -> Chart:
    """Draw sync runs, the oldest first: one that changed the sheet is high, one without change low, and one that failed
    hangs from the top.
    """
    bars = []
    for i, run in enumerate(runs):
        kind = run.outcome.value if run.outcome.is_known else "unknown"
        height = {SyncOutcome.CHANGED: 16, SyncOutcome.UNCHANGED: 6}.get(run.outcome, LINE)
        bars.append(Bar(i * MARK, LINE - height, MARK - GAP, height, kind))
    return Chart(MARK * len(runs), LINE, tuple(bars), 0)


def filled(used: float, limit: float) -> float:
    """Return how much of a limit is used, as a share from 0 to 1."""
    return min(1.0, max(0.0, used / limit)) if limit > 0 else 1.0
