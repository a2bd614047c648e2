"""What every store does; one conformance suite holds them all to it.

A store is dumb: it finds records and replaces each in one write; what becomes of a record is decided by a pure move,
which it applies inside that write and may apply again. Methods block (an fsync, a few milliseconds) and may be called
from any thread; the app calls them off its event loop.
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from dashboard.caps import DayMove, DayUse
from dashboard.outgoing import Notice, NoticesMove
from dashboard.record import Conflict, FamilyBudget, Key, Move, Record
from dashboard.role_lease import LeaseRecord, LeaseRecordMove, Under
from dashboard.stores import words
from dashboard.stores.census import Census
from dashboard.stores.journal import Readable, Used
from dashboard.stores.retention import Before, Freed, Room
from wire.types import Event, Session, State, SyncRun
from wire.values import Invalid

AlarmMove = Callable[[Record | None], Record | None]
"""From the open alarm (if any) to what it becomes; None, or the same one, says: write nothing."""


class Candidate(NamedTuple):
    """A task that may be claimable: `rank` is 0 for the highest priority, `root` names its family."""

    rank: int
    id: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a listing shows. A store answers each field; None leaves it open.

    `words` are whole words that title and description have together; `label` is one of the task's; `least` and `most`
    are micro-dollars spent; `since` and `until` say when it was added, by its id, in seconds since 1970.
    """

    state: State | None = None
    words: str | None = None
    label: str | None = None
    least: int | None = None
    most: int | None = None
    since: float | None = None
    until: float | None = None


ALL_TASKS = TaskFilter()


class Sort(enum.StrEnum):
    """In which order a listing shows tasks: by when they were added, or by cost, then only those that cost anything."""

    NEWEST = "newest"
    OLDEST = "oldest"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a listing: `cursor` leads to what follows, None says that nothing does.

    There may be fewer tasks than were asked for, or none, and a cursor all the same: so far was looked. While an
    earlier release's tasks are being indexed, only those from the id `indexed_from` on are found by words and cost.
    """

    records: list[Record]
    cursor: str | None = None
    indexed_from: str | None = None


def require_answerable(which: TaskFilter, sort: Sort) -> None:
    """Raise `Invalid` for what no store can list: no word at all, or an order that none can walk."""
    if which.words is not None:
        words.query(which.words)
    if which.words and sort is Sort.COST:
        raise Invalid("sort", "must not be cost where words are searched for: leave out one of the two")


MOST_NOTICES = 500
"""Notices that are looked at together: a flood must not be read whole at each look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFilter:
    """Which notices of the outbox, by the one field that is given: due by a time, the longest due first; sent since a
    time, the latest first; of one message. At most `MOST_NOTICES` of the first two.
    """

    due: float | None = None
    since: float | None = None
    message: str | None = None


class Kept(NamedTuple):
    """What a role's holder keeps under a name; `version` grows by one with each write of it."""

    version: int
    content: bytes


def replaces(name: str, held: tuple[int, str] | None, version: int, sha256: str) -> bool:
    """Whether a content is to be written in place of a version; `held` are the version and the hash of what is kept.

    False: it is there already, because an answer was lost. Raises `Conflict` where another was written.
    """
    if held == (version + 1, sha256):
        return False
    now = held[0] if held else 0
    if now != version:
        raise Conflict(f"{name} was kept in version {now} meanwhile, and this would replace {version}: read it again")
    return True


class Store(Protocol):
    """Tasks, their families' budgets, blobs, sessions with their journals, sync runs.

    `unclean` says that the last process to use it did not close it; `refused` counts what found no room on the disk
    since the start; `searches` says that it lists by words and by cost, which others refuse, and name. What cannot
    be written raises `Busy`, `Full` or `Unready`, and has changed nothing; alarms and notices have room of their own
    on a full disk.
    """

    unclean: bool
    refused: int
    searches: bool

    def add(self, record: Record, blobs: Sequence[bytes] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, unless one stands for it already; return what holds, and whether it is new.

        `rules.admit` decides, and its errors pass. A root's family budget begins with what it was granted.
        """

    def get(self, task_id: str) -> Record:
        """Return a record; raises `NotFound`, and `Damaged` after setting it aside."""

    def set_aside(self, task_id: str) -> None:
        """Take a task that cannot be read out of claims and lists; what is held of it is kept."""

    def damaged(self) -> list[str]:
        """Return the names of what was set aside: ids of tasks, and sessions, sync runs and notices as such."""

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family; raises `NotFound`."""

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first, those with an id less than `before`; by state only."""

    def listing(
        self, which: TaskFilter = ALL_TASKS, *, sort: Sort = Sort.NEWEST, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        """Return the tasks that fit all filters, at most `limit`, from a cursor of the same listing on.

        Its order is that of ids; where words are searched for it may be that in which tasks were added, nearly the
        same. Raises `Invalid`.
        """

    def index_earlier(self) -> bool:
        """Index some of the tasks that a release before did not; return whether any may be left."""

    def candidates(
        self, now: float, *, suspended_only: bool = False, without: Collection[str] = (), limit: int = 10
    ) -> list[Candidate]:
        """Return queued tasks that are due, best rank first; `now` in seconds since 1970; `without` are ids of tasks
        and of families that were tried already.

        What has waited for its time is found by time, all else by rank: the order between the two, and between the
        shards of a store, is approximate.
        """

    def census(self, now: float) -> Census:
        """Return how many tasks are in each state, and which have waited longest; `now` in seconds since 1970."""

    def running(self) -> list[Record]:
        """Return all that runs: as many as there are holders."""

    def leased(self) -> list[Record]:
        """Return all that a host holds: what runs, and what was cancelled while it ran and has not ended."""

    def waiting_parents(self) -> list[Record]:
        """Return the tasks that wait for subtasks, found by when they are due."""

    def relatives(self, root: str) -> list[Record]:
        """Return the unfinished tasks of a family, but its root."""

    def made(self, roots: Collection[str]) -> dict[str, int]:
        """Return how many tasks each of these families has beside its root; none is left out."""

    def children(self, record: Record, *, limit: int) -> list[Record]:
        """Return tasks that a task made, the oldest first."""

    def change(self, task_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace a record, its session and its family's budget in one write, after the blobs that it names.

        Raises `NotFound` and what `move` raises.
        """

    def change_by_session(self, session_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Do the same to the task that a session belongs to."""

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None, under: Under | None = None) -> None:
        """Move the open alarms of these dedupe keys and keep a sync run, in one write, `under` a role's fence where one
        is given; then raises `Conflict` for a stale one.
        """

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their digests; raises `NotFound` for one that is not held."""

    def session(self, session_id: str) -> Session:
        """Return a session; raises `NotFound`."""

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records, passing over those held; return the number of the last one held.

        Raises `NotFound`, `Conflict` (a stale fence, a gap).
        """

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal after record `after`; raises `NotFound`."""

    def chunks(self, session_id: str, *, after: int = 0) -> Iterator[list[Readable]]:
        """Return a session's delivered journal after record `after` piece by piece, each read when it is asked for;
        what is damaged is named in its place. Raises `NotFound` at once.
        """

    def passage(self, session_id: str, *, before: int | None = None, size: int) -> list[Readable]:
        """Return the last records of a journal before record `before`, about `size` bytes of them, oldest first.

        No more than that is read of a long one; what is damaged is named in its place. Raises `NotFound`.
        """

    def used(self, session_id: str) -> Used:
        """Return what a session used so far by its delivered journal."""

    def series(self, session_id: str) -> list[Used]:
        """Return what a session used, delivery by delivery: mostly a turn each."""

    def recent_sessions(self, since: str, *, limit: int) -> list[Session]:
        """Return sessions whose id is not less than `since`, newest first."""

    def sessions_since(self, since: str, *, limit: int) -> int:
        """Count the sessions whose id is not less than `since`, up to `limit`."""

    def spent(self, since: str) -> dict[str, Used]:
        """Return what all sessions used by the UTC day of their turns, from a day like 2026-05-13 on; it is kept when
        journals go.
        """

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that is known to have succeeded."""

    def marks(self, prefix: str) -> dict[str, str]:
        """Return the small texts that are kept under names with this beginning."""

    def mark(self, name: str, text: str | None) -> None:
        """Keep a small text under a name, or, by None, no more."""

    def roles(self) -> dict[str, LeaseRecord]:
        """Return all roles that ever had a holder, as they are now."""

    def change_role(self, role: str, move: LeaseRecordMove) -> LeaseRecord:
        """Replace a role's lease in one write, by a move of `dashboard.role_lease`; return what it is then.

        Of two that take a role at once one gets it; raises what `move` raises. A fence never comes again.
        """

    def keep(self, role: str, fence: int, name: str, content: bytes, version: int) -> int:
        """Keep a content of up to some megabytes under a role's name, in place of its `version`, which is 0 where
        there is none yet; return the version that it has now. The whole content or the one before is kept, never half.

        Raises `Conflict` for a fence that is not the current holder's, and for a version that is not the one that is
        kept; sent again with the same content, it finds that it was done.
        """

    def kept(self, role: str, name: str) -> Kept | None:
        """Return what is kept under a role's name, with its version; reading needs no fence."""

    def day(self, day: str) -> DayUse | None:
        """Return what is used of a day's caps, a day like 2026-05-13; None where nothing was counted."""

    def change_day(self, day: str, move: DayMove) -> tuple[DayUse | None, DayUse]:
        """Replace what is used of a day by a move of `dashboard.caps`, in one write; return it before and after. Moves
        that race come one after the other.
        """

    def prune(self, before: Before) -> Freed:
        """Delete what is finished and older, in small writes, and the blobs that nothing names any more.

        A family goes as a whole, and only when each of its tasks is finished, readable and older; of sync runs the
        latest and the latest success stay.
        """

    def room(self) -> Room | None:
        """Return the store's size and its disk's room; None for one without a disk."""

    def prove(self) -> None:
        """Write something, read it back, and see that it is where it will be found again; raises `Unready`."""

    def check(self) -> None:
        """Read all that is held, which takes long; what is found broken makes `prove` refuse from then on."""

    def back_up(self, path: Path) -> None:
        """Write a whole, checked copy to a new file, beside readers and writers; raises `Unready`."""

    def stop_long_reads(self) -> None:
        """Have `check` and `back_up` raise `Unready` from now on, also those under way: the process is to end."""

    def notices(self, which: NoticeFilter) -> list[Notice]:
        """Return notices of the outbox. `change` and `alarm` write them with what they tell of (`outgoing.news`)."""

    def change_notices(self, which: NoticeFilter, move: NoticesMove, under: Under | None = None) -> None:
        """Replace or add the notices that `move` makes of those found, in one write, `under` a fence like `alarm`."""

    def sent_lately(self, since: float) -> Mapping[str, int]:
        """Return how many messages each target got since a time, by those of its notices that were sent."""

    def catch_up(self, targets: Sequence[str], now: float) -> None:
        """Write the notices by which targets that were not among those of the last call hear of what still waits."""

    def close(self) -> None:
        """Let go of files; the store is used no more."""
