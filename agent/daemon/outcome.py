"""How a session's process ended, read only from its journal: a pure step from records to what is reported."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from agent.record.limits import spent
from wire.types import Event, EventKind, Exit, SessionEnd
from wire.values import Invalid, Written, dump, read

NO_ROOM = f"exit status {Exit.UNAVAILABLE.value}"
"""How a process ended that had no room even for its last record: no crash of its own."""
UNDRAINED = "it did not drain in time"
"""How a process ended that was still starting, on a host with little processor to give, when it was asked to stop."""
_NOT_OF_ITSELF = ("", NO_ROOM, UNDRAINED)
CRASHES_BEFORE_GIVING_UP = 3
"""Crashes in a row, none of them further than the one before, after which a session is given up."""


class Progress(Written, frozen=True, kw_only=True):
    """How far the daemon is with one session; outlives the daemon, in the session's folder.

    `began_at` is the journal's last record at this claim and `usd_micros_before` what was spent then; `acknowledged`
    the last record delivered; `crashes` counts those in a row at record `crashed_at`; `stopped` says how the process
    ended, empty where its daemon ended before it; `cancelled`: its task was; `refused` are the session's
    own tasks that the dashboard refused; `settled`: the outcome is acknowledged; `over`: the task is,
    and nothing of it is needed here any more.
    """

    task: str
    fence: int
    began_at: int = 0
    usd_micros_before: int = 0
    acknowledged: int = 0
    crashes: int = 0
    crashed_at: int = 0
    stopped: str = ""
    cancelled: bool = False
    refused: tuple[str, ...] = ()
    settled: bool = False
    over: bool = False


def crashed(events: Sequence[Event], progress: Progress) -> bool:
    """Whether the process left no last word: no end, and no suspension since this claim."""
    if not events:
        return True
    last = events[-1]
    # A suspension before this claim is an earlier process's last word, not this one's.
    suspended = last.kind is EventKind.SUSPEND and last.n > progress.began_at
    return last.kind is not EventKind.END and not suspended


def crashes(events: Sequence[Event], progress: Progress) -> int:
    """Return how many crashes in a row came no further than this one, itself among them.

    A session that died with its daemon (kill -9, a power cut), or was asked to stop, did not crash of itself.
    """
    in_a_row = progress.crashes if len(events) == progress.crashed_at else 0
    return in_a_row + (progress.stopped not in _NOT_OF_ITSELF)


def outcome(events: Sequence[Event], progress: Progress) -> tuple[SessionEnd, tuple[str, ...]]:
    """Return what to report, its files left out, and the names of the files that go with it."""
    if progress.cancelled:
        return _end(progress, events, Exit.FENCED, "cancelled"), ()
    if crashed(events, progress):
        return _crash(events, progress), ()
    data = dict(events[-1].data)
    names = tuple(data.pop("files", ()))
    more = {"fence": progress.fence, "reason": _reason(data, progress), "turn_limit": _turn_limit(events)}
    try:
        # Leniently: another release may have written the record, with an exit of its own.
        return read(SessionEnd, dump({**data, **more})), names
    except Invalid as error:
        return _end(progress, events, Exit.FAULT, f"the journal's last record can't be read: {error}"), ()


def fault(events: Sequence[Event], progress: Progress, reason: str) -> SessionEnd:
    """Return the report of a session that is given up, for `reason`."""
    return _end(progress, events, Exit.FAULT, reason)


def _crash(events: Sequence[Event], progress: Progress) -> SessionEnd:
    if progress.stopped == NO_ROOM:
        return replace(_end(progress, events, Exit.UNAVAILABLE, "its host had no room for its journal"), host_wide=True)
    count, how = crashes(events, progress), progress.stopped or "its daemon was killed"
    if count < CRASHES_BEFORE_GIVING_UP:
        return _end(progress, events, Exit.DRAINED, f"crashed: {how}; it goes on from its journal")
    reason = f"crashed {count} times in a row at record {len(events)}: {how}; the journal is kept"
    return _end(progress, events, Exit.FAULT, reason)


def _end(progress: Progress, events: Sequence[Event], exit_: Exit, reason: str) -> SessionEnd:
    used = spent(events)
    return SessionEnd(fence=progress.fence, exit=exit_, reason=reason, turns=used.turns, usd_micros=used.usd_micros)


def _turn_limit(events: Sequence[Event]) -> int | None:
    """As pinned in the session's header: the settings may have another one by now."""
    header = next((event.data for event in events if event.kind is EventKind.HEADER), {})
    limit: int | None = header.get("limits", {}).get("turns")
    return limit


def _reason(data: dict[str, Any], progress: Progress) -> str:
    refused = [f"A task of its own was refused: {problem}." for problem in progress.refused]
    return " ".join([str(data.get("reason") or ""), *refused]).strip()
