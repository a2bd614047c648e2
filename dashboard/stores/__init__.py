"""What every store does; one conformance suite holds them all to it.

A store is dumb: it finds records and replaces each in one write; what becomes of a record is decided by a pure move
of `dashboard.rules`, which it calls inside that write. Methods block (an fsync, a few milliseconds) and may be called
from any thread; the app calls them off its event loop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dashboard.record import Attached, Key, Purse, Record
from wire.types import Event, File, Session, State, SyncRun

Move = Callable[[Record, Purse], Record]
"""From a record and what is left to its family to the next record; the same one says: write nothing."""
AlarmMove = Callable[[Record | None], Record | None]
"""From the open alarm (if any) to what it becomes; None, or the same one, says: write nothing."""
Role = Literal["context", "result"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A task's place in the queue: places sort by the order in which tasks are claimed."""

    rank: int
    id: str


class Store(Protocol):
    """Tasks with their files, sessions with their journals, sync runs."""

    def add(self, record: Record, context: Sequence[File] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, unless one stands for it already; return what holds, and whether it is new.

        `rules.admit` decides, and its errors pass.
        """

    def get(self, task_id: str) -> Record:
        """Return a record; raises `Unknown`."""

    def tasks(self, state: State | None = None, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first, those with an id less than `before`."""

    def candidates(
        self, now: float, *, suspended_only: bool = False, after: Place | None = None, limit: int = 10
    ) -> list[Place]:
        """Return the next claimable tasks after a place; `now` in seconds since 1970."""

    def change(self, task_id: str, move: Move, attached: Attached | None = None) -> Record:
        """Replace a record, its session and what is attached, in one write. Raises `Unknown` and what `move` raises."""

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None) -> None:
        """Move the open alarms of these dedupe keys and keep a sync run, in one write."""

    def files(self, task_id: str, role: Role) -> tuple[File, ...]:
        """Return a task's context or result files."""

    def file(self, task_id: str, role: Role, name: str) -> bytes:
        """Return one file's content; raises `Unknown`."""

    def checkpoint(self, task_id: str) -> str | None:
        """Return what the task's last handed-over session left."""

    def session(self, session_id: str) -> Session:
        """Return a session; raises `Unknown`."""

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records, passing over those held; return the number of the last one held.

        Raises `Unknown`, `Conflict` (a stale fence, a gap).
        """

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal after record `after`; raises `Unknown`."""

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that did not fail."""

    def close(self) -> None:
        """Let go of files; the store is used no more."""
