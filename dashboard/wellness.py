"""Whether all is truly well, by one rule: what the outside heartbeat rests on. Pure; the words are our own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dashboard import rules
from dashboard.record import moment
from dashboard.settings import Settings
from wire.times import stamp
from wire.types import SyncOutcome, SyncRun


def worker_complaints(worker_seen: datetime, now: datetime, settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the worker; nothing says that it was heard of lately."""
    if now - worker_seen > timedelta(minutes=settings.worker_minutes):
        yield f"the worker was last heard of at {stamp(worker_seen)}"


def sync_complaints(
    success: SyncRun | None, latest: SyncRun | None, started: datetime, now: datetime, settings: Settings
) -> Iterator[str]:
    """Yield what is wrong with the sync; nothing says that the sheet is known to be in step."""
    if _is_off(latest):
        return
    if latest and latest.outcome not in rules.SUCCESSES:
        yield f"the sync's run of {latest.finished_at} failed"
    since = moment(success.finished_at, "finished_at") if success else started
    if settings.freshness_minutes and now - since > timedelta(minutes=settings.freshness_minutes):
        yield f"no sync run succeeded since {stamp(since)}"


def hampered(troubles: Mapping[str, str | None]) -> Iterator[str]:
    """Yield what keeps workers from their work, by host."""
    for host, trouble in troubles.items():
        if trouble:
            yield f"the worker on {host} can't work: {trouble}"


def unproven(
    success: SyncRun | None, latest: SyncRun | None, settings: Settings, *, worker_heard: bool
) -> Iterator[str]:
    """Yield what was not observed yet: it is no complaint, and no good news either."""
    if not worker_heard:
        yield "the worker has not been heard of since the dashboard began"
    if settings.freshness_minutes and success is None and not _is_off(latest):
        yield "no sync run has succeeded yet"


def _is_off(latest: SyncRun | None) -> bool:
    """Whether the sync said that it is not set up: nothing is out of step as long as nothing is to be in step."""
    return latest is not None and latest.outcome == SyncOutcome.OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How all stands, in one word for the eye, one line, and its reasons."""

    kind: Literal["good", "unproven", "waits", "bad"]
    line: str
    reasons: tuple[str, ...] = ()


def observed(
    proven_at: datetime, worker_seen: datetime, success: SyncRun | None, latest: SyncRun | None, settings: Settings
) -> Iterator[str]:
    """Yield what good news rests on."""
    yield f"the queue was written and read back at {proven_at:%H:%M:%S} UTC"
    yield f"the worker was heard of at {worker_seen:%H:%M} UTC"
    if latest and _is_off(latest):
        yield f"the sync is not set up, as it said at {moment(latest.finished_at, 'finished_at'):%H:%M} UTC"
    elif settings.freshness_minutes and success:
        yield f"the sheet was in step at {moment(success.finished_at, 'finished_at'):%H:%M} UTC"


def standing(
    wrong: Sequence[str], missing: Sequence[str], basis: Sequence[str], waiting: int, paused: Sequence[str] = ()
) -> Standing:
    """Return how all stands: what is wrong comes first, then what is paused, then what waits for a user, then what is
    not observed yet; good news says what it rests on.
    """
    if wrong:
        return Standing(kind="bad", line="Something is wrong", reasons=(*wrong, *paused))
    if paused:
        return Standing(kind="waits", line="Paused: nothing is begun", reasons=tuple(paused))
    if waiting:
        things = "1 thing waits" if waiting == 1 else f"{waiting} things wait"
        return Standing(kind="waits", line=f"{things} for you", reasons=tuple(missing))
    if missing:
        return Standing(kind="unproven", line="Nothing is known to be wrong", reasons=tuple(missing))
    return Standing(kind="good", line="All is well", reasons=tuple(basis))
