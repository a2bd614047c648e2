"""What a run says: lines for the journal, and the sync run that is reported to the dashboard."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from sync.failure import SyncFailed
from sync.plan import DUPLICATE, REMOVED, Change, Plan
from sync.run import Done
from sync.source.bookings import Aside
from wire.client import Client, RequestRefused, Unreachable
from wire.disk import replace_file
from wire.times import stamp
from wire.types import SyncOutcome, SyncRun
from wire.values import dump

_EXAMPLES = 5
_ASIDE = 20
"""Records set aside that are named one by one."""
_MARKS = frozenset((REMOVED, DUPLICATE))
FILE = "report.json"
_CAUSE = 4000
"""Characters of a cause at most: it becomes an alarm's text."""
_log = logging.getLogger(__name__)


def aside_lines(aside: Sequence[Aside]) -> Iterator[str]:
    """Yield which records of the source were set aside, and why."""
    for each in aside[:_ASIDE]:
        yield f"set aside: {each}"
    if len(aside) > _ASIDE:
        yield f"set aside: {len(aside) - _ASIDE} more"


def report_lines(plan: Plan, columns: Sequence[str]) -> Iterator[str]:
    """Yield what a plan comes to, with examples; each conflict in full, for its loser is kept nowhere else."""
    changed = _changed(plan)
    yield from _some("rows added", list(plan.added))
    yield from _some("rows changed", [_describe(change, columns) for change in changed])
    yield from _some("rows marked as removed", plan.removed)
    yield from _some("of the added, rows that a user had deleted", plan.put_back)
    yield from _some("rows marked as duplicates, to be deleted by a user", plan.duplicates)
    yield from _some("rows edited by a user", plan.edited)
    for conflict in plan.conflicts:
        who = "the source's was written" if conflict.written else "the sheet's was kept"
        yield (
            f"conflict: booking {conflict.key}, {columns[conflict.column]}: "
            f"source {conflict.source!r}, sheet {conflict.sheet!r}; {who}"
        )


def sync_run(outcome: Done | SyncFailed, times: tuple[datetime, datetime], dies_at: datetime | None) -> SyncRun:
    """Make the report of a run; `times` are its start and its end."""
    run = SyncRun(
        started_at=stamp(times[0]),
        finished_at=stamp(times[1]),
        outcome=SyncOutcome.FAILED,
        token_dies_at=stamp(dies_at) if dies_at else None,
    )
    if isinstance(outcome, SyncFailed):
        return replace(run, error=outcome.kind, cause=outcome.cause, cure=outcome.cure)
    if outcome.aside:
        names = "; ".join(aside_lines(outcome.aside))
        cure = "correct these bookings in the booking system, or [sync.fields]; until then they stay as they were"
        run = replace(run, set_aside=len(outcome.aside), cause=names[:_CAUSE], cure=cure)
    return replace(
        run,
        outcome=SyncOutcome.CHANGED if outcome.plan.writes else SyncOutcome.UNCHANGED,
        rows_read=outcome.bookings,
        added=len(outcome.plan.added),
        changed=len(_changed(outcome.plan)),
        removed=len(outcome.plan.removed),
        conflicts=len(outcome.plan.conflicts),
    )


def off(now: datetime) -> SyncRun:
    """Make the report of a sync that is not set up yet: the dashboard counts freshness from the last of these."""
    return SyncRun(started_at=stamp(now), finished_at=stamp(now), outcome=SyncOutcome.OFF)


def elsewhere(started: datetime, now: datetime, why: SyncFailed) -> SyncRun:
    """Make what stays on the disk of a run that found the sync at another host: that one reports to the dashboard."""
    return SyncRun(started_at=stamp(started), finished_at=stamp(now), outcome=SyncOutcome.ELSEWHERE, cause=why.cause)


def send(client: Client, run: SyncRun) -> bool:
    """Report to the dashboard; return whether it took the report. The sheet does not depend on it."""
    try:
        client.report(run)
    except (Unreachable, RequestRefused) as error:
        _log.error("the dashboard did not take this run's report: %s", error)
        return False
    return True


def write(folder: Path, run: SyncRun) -> None:
    """Keep the report on the disk, for whoever looks while the dashboard is away. Raises `OSError`."""
    replace_file(folder / FILE, dump(run) + b"\n")


def _changed(plan: Plan) -> list[Change]:
    """Return the changes but for rows that are only marked: by the mark, not by the booking, whose copy may be one."""
    return [change for change in plan.changes if len(change.cells) > 1 or not _MARKS & {*change.cells.values()}]


def _describe(change: Change, columns: Sequence[str]) -> str:
    return f"{change.key}: " + ", ".join(f"{columns[place]} = {cell!r}" for place, cell in change.cells.items())


def _some(what: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        more = f"; and {len(items) - _EXAMPLES} more" if len(items) > _EXAMPLES else ""
        yield f"{what}: {len(items)} ({'; '.join(items[:_EXAMPLES])}{more})"
