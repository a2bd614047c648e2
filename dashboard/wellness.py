"""Whether all is truly well, by one rule: what the outside heartbeat rests on. Pure; the words are our own."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from dashboard import rules
from dashboard.record import moment, stamp
from dashboard.settings import Settings
from wire.types import SyncRun


def complaints(
    worker_seen: datetime, success: SyncRun | None, latest: SyncRun | None, started: datetime, now: datetime,
    settings: Settings,
) -> Iterator[str]:  # fmt: skip
    """Yield what is wrong; nothing says that the worker was heard of lately, and the sheet is known to be in step."""
    if now - worker_seen > timedelta(minutes=settings.worker_minutes):
        yield f"the worker was last heard of at {stamp(worker_seen)}"
    if latest and latest.outcome not in rules.SUCCESSES:
        yield f"the sync's run of {latest.finished_at} failed"
    since = moment(success.finished_at, "finished_at") if success else started
    if settings.freshness_minutes and now - since > timedelta(minutes=settings.freshness_minutes):
        yield f"no sync run succeeded since {stamp(since)}"
