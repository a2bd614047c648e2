"""Tasks in memory: for tests, and the plainest statement of what a store does. All is gone with the process."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dashboard import rules
from dashboard.record import UNFINISHED, Attached, Found, Key, Purse, Record, Unknown
from dashboard.stores import AlarmMove, Move, Place, Role
from wire.types import Event, File, Session, State, SyncOutcome, SyncRun


class MemoryStore:
    """One lock around dictionaries. See `dashboard.stores.Store`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._keys: dict[str, Key] = {}
        self._files: dict[tuple[str, Role], tuple[File, ...]] = {}
        self._checkpoints: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._events: dict[str, list[Event]] = {}
        self._runs: list[SyncRun] = []

    def add(self, record: Record, context: Sequence[File] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        with self._lock:
            held = rules.admit(record, key, self._found(record, key))
            is_new = held.task.id not in self._records
            if is_new:
                self._records[held.task.id] = held
                self._files[held.task.id, "context"] = tuple(context)
            if key:
                self._keys.setdefault(key.key, Key(key=key.key, digest=key.digest, task=held.task.id))
            return held, is_new

    def _found(self, record: Record, key: Key | None) -> Found:
        known = self._keys.get(key.key) if key else None
        parent = self._records.get(record.task.parent or "")
        return Found(
            key=known,
            keyed=self._records.get(known.task) if known else None,
            same_id=self._records.get(record.task.id),
            same_work=self._unfinished(record.task.dedupe_key),
            parent=parent,
            purse=self._purse(parent.root) if parent else None,
        )

    def _unfinished(self, dedupe_key: str | None) -> Record | None:
        if dedupe_key is None:
            return None
        same = (r for r in self._records.values() if r.task.dedupe_key == dedupe_key and r.task.state in UNFINISHED)
        return next(same, None)

    def _purse(self, root: str) -> Purse:
        return rules.purse(r for r in self._records.values() if r.root == root)

    def get(self, task_id: str) -> Record:
        """Return a record."""
        with self._lock:
            if task_id not in self._records:
                raise Unknown(f"no task {task_id}")
            return self._records[task_id]

    def tasks(self, state: State | None = None, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        with self._lock:
            fit = [r for r in self._records.values() if state in (None, r.task.state)]
        fit = [r for r in fit if before is None or r.task.id < before]
        return sorted(fit, key=lambda r: r.task.id, reverse=True)[:limit]

    def candidates(
        self, now: float, *, suspended_only: bool = False, after: Place | None = None, limit: int = 10
    ) -> list[Place]:
        """Return the next claimable tasks after a place."""
        moment = datetime.fromtimestamp(now, UTC)
        with self._lock:
            fit = [
                r for r in self._records.values() if rules.claimable(r, moment) and (r.goes_on or not suspended_only)
            ]
        places = sorted(Place(9 - r.task.priority, r.task.id) for r in fit)
        return [place for place in places if after is None or place > after][:limit]

    def change(self, task_id: str, move: Move, attached: Attached | None = None) -> Record:
        """Replace a record in one write."""
        with self._lock:
            old = self.get(task_id)
            new = move(old, self._purse(old.root))
            if new != old:
                rules.alone(new, self._unfinished(new.task.dedupe_key))
                self._keep(new, attached or Attached())
            return new

    def _keep(self, record: Record, attached: Attached) -> None:
        task_id = record.task.id
        self._records[task_id] = record
        if record.session:
            self._sessions[record.session.id] = record.session
        if attached.files:
            self._files[task_id, "result"] = attached.files
        if attached.checkpoint is not None:
            self._checkpoints[task_id] = attached.checkpoint

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None) -> None:
        """Move open alarms and keep a sync run."""
        with self._lock:
            moved = [(old, move(old)) for old, move in ((self._unfinished(key), move) for key, move in moves.items())]
            if run:
                self._runs.append(run)
            for old, new in moved:
                if new is not None and new != old:
                    self._keep(new, Attached())

    def files(self, task_id: str, role: Role) -> tuple[File, ...]:
        """Return a task's files."""
        with self._lock:
            return self._files.get((task_id, role), ())

    def file(self, task_id: str, role: Role, name: str) -> bytes:
        """Return one file's content."""
        for file in self.files(task_id, role):
            if file.name == name:
                return file.content
        raise Unknown(f"task {task_id} has no {role} file {name}")

    def checkpoint(self, task_id: str) -> str | None:
        """Return the last checkpoint."""
        with self._lock:
            return self._checkpoints.get(task_id)

    def session(self, session_id: str) -> Session:
        """Return a session."""
        with self._lock:
            if session_id not in self._sessions:
                raise Unknown(f"no session {session_id}")
            return self._sessions[session_id]

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        with self._lock:
            mine = [s for s in self._sessions.values() if s.task == task_id]
        return sorted(mine, key=lambda s: s.id)

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        with self._lock:
            rules.hold(self.get(self.session(session_id).task), session_id, fence)
            held = self._events.setdefault(session_id, [])
            held.extend(rules.unheld(events, len(held)))
            return len(held)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        with self._lock:
            self.session(session_id)
            return self._events.get(session_id, [])[max(after, 0) :]

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        with self._lock:
            return self._runs[::-1][:limit]

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that did not fail."""
        with self._lock:
            good = (run for run in reversed(self._runs) if run.outcome is not SyncOutcome.FAILED)
            return next(good, None)

    def close(self) -> None:
        """Nothing to let go of."""
