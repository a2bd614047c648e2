"""Tasks in one SQLite file: WAL, and synchronous=FULL so that what was acknowledged survives a power cut.

One connection behind a lock: a write is one BEGIN IMMEDIATE transaction of a millisecond or two. Other processes may
share the file (they wait up to 5 s for each other).
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard import rules
from dashboard.record import Attached, Found, Key, Purse, Record, Unknown, stamp
from dashboard.stores import AlarmMove, Move, Place, Role
from dashboard.stores.rows import dump, load
from dashboard.stores.schema import migrate
from wire.types import Event, EventKind, File, Session, State, SyncRun


class SqliteStore:
    """See `dashboard.stores.Store`. Raises `sqlite3.OperationalError` when the file can't be used."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
            self._db.execute(f"PRAGMA {pragma}")
        migrate(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, begun as a writer: a reader that turns writer half-way may find the file locked."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _record(self, where: str, *values: object) -> Record | None:
        rows = self._rows(f"SELECT record FROM tasks WHERE {where}", *values)  # noqa: S608 - `where` is ours
        return load(Record, rows[0][0]) if rows else None

    def add(self, record: Record, context: Sequence[File] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        with self._writing():
            found = self._found(record, key)
            held = rules.admit(record, key, found)
            is_new = held not in (found.keyed, found.same_id, found.same_work)
            if is_new:
                self._keep(held)
                self._attach(held.task.id, "context", context)
            if key and not found.key:
                self._db.execute("INSERT INTO keys VALUES (?, ?, ?)", (key.key, key.digest, held.task.id))
            return held, is_new

    def _found(self, record: Record, key: Key | None) -> Found:
        rows = self._rows("SELECT key, digest, task FROM keys WHERE key = ?", key.key) if key else []
        known = Key(key=rows[0][0], digest=rows[0][1], task=rows[0][2]) if rows else None
        parent = self._record("id = ?", record.task.parent) if record.task.parent else None
        return Found(
            key=known,
            keyed=self._record("id = ?", known.task) if known else None,
            same_id=self._record("id = ?", record.task.id),
            same_work=self._unfinished(record.task.dedupe_key),
            parent=parent,
            purse=self._purse(parent.root) if parent else None,
        )

    def _unfinished(self, dedupe_key: str | None) -> Record | None:
        return self._record("dedupe_key = ? AND state IN ('queued', 'running', 'needs_you')", dedupe_key)

    def _purse(self, root: str) -> Purse:
        """`rules.purse`, summed where the numbers are: a family may be large."""
        sums = (
            "SELECT sum(pool_sessions - sessions_used), sum(pool_usd_micros - usd_micros_spent - reserved),"
            " sum(reserved) FROM tasks WHERE root = ?"
        )
        ((sessions, usd_micros, reserved),) = self._rows(sums, root)
        return Purse(sessions=sessions, usd_micros=usd_micros, reserved=reserved)

    def _keep(self, record: Record) -> None:
        task, session = record.task, record.session
        row = {
            "id": task.id,
            "root": record.root,
            "state": task.state,
            "rank": 9 - task.priority,
            "suspended": record.goes_on,
            "not_before": task.not_before,
            "lease_until": record.lease_until,
            "dedupe_key": task.dedupe_key,
            "pool_sessions": record.pool.sessions,
            "pool_usd_micros": record.pool.usd_micros,
            "sessions_used": task.sessions_used,
            "usd_micros_spent": task.usd_micros_spent,
            "reserved": record.reserved,
            "record": dump(record),
        }
        self._upsert("tasks", row)
        if session:
            self._upsert("sessions", {"id": session.id, "task": session.task, "record": dump(session)})

    def _upsert(self, table: str, row: Mapping[str, object]) -> None:
        """Insert or update by id. JSON is merged: keys that only a newer release knows stay as they are."""
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        changes = ", ".join(f"{n} = excluded.{n}" for n in row if n not in ("id", "record"))
        merged = f"record = json_patch({table}.record, excluded.record)"
        self._db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}, {merged}",  # noqa: S608 - names of our own
            dict(row),
        )

    def _attach(self, task_id: str, role: Role, files: Sequence[File]) -> None:
        rows = [(task_id, role, n, file.name, file.content) for n, file in enumerate(files)]
        self._db.executemany("INSERT OR REPLACE INTO files (task, role, n, name, content) VALUES (?, ?, ?, ?, ?)", rows)

    def get(self, task_id: str) -> Record:
        """Return a record."""
        record = self._record("id = ?", task_id)
        if record is None:
            raise Unknown(f"no task {task_id}")
        return record

    def tasks(self, state: State | None = None, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        where = "WHERE state = ?1" if state else "WHERE ?1 IS NULL"
        sql = f"SELECT record FROM tasks {where} AND id < ?2 ORDER BY id DESC LIMIT ?3"  # noqa: S608 - `where` is ours
        return [load(Record, text) for (text,) in self._rows(sql, state, before or "~", limit)]

    def candidates(
        self, now: float, *, suspended_only: bool = False, after: Place | None = None, limit: int = 10
    ) -> list[Place]:
        """Return the next claimable tasks after a place."""
        rank, task_id = (after.rank, after.id) if after else (-1, "")
        # The planner would rather sort all that is queued: the index is named, or the query fails.
        source = "INDEXED BY resumable WHERE suspended = 1 AND" if suspended_only else "INDEXED BY ready WHERE"
        queued = self._rows(
            f"SELECT rank, id FROM tasks {source} state = 'queued' AND (rank, id) > (?, ?)"  # noqa: S608 - ours
            " AND (not_before IS NULL OR not_before <= ?) ORDER BY rank, id LIMIT ?",
            *(rank, task_id, stamp(datetime.fromtimestamp(now, UTC)), limit),
        )
        lost = self._rows(
            "SELECT rank, id FROM tasks WHERE state = 'running' AND lease_until < ? AND (rank, id) > (?, ?)",
            *(now, rank, task_id),
        )
        return sorted(Place(*row) for row in (*queued, *lost))[:limit]

    def change(self, task_id: str, move: Move, attached: Attached | None = None) -> Record:
        """Replace a record in one write."""
        with self._writing():
            old = self.get(task_id)
            new = move(old, self._purse(old.root))
            if new != old:
                rules.alone(new, self._unfinished(new.task.dedupe_key))
                self._keep(new)
                self._attached(task_id, attached or Attached())
            return new

    def _attached(self, task_id: str, attached: Attached) -> None:
        self._attach(task_id, "result", attached.files)
        if attached.checkpoint is not None:
            self._db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (task_id, attached.checkpoint))

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None) -> None:
        """Move open alarms and keep a sync run."""
        with self._writing():
            if run:
                self._db.execute("INSERT INTO sync_runs (outcome, record) VALUES (?, ?)", (run.outcome, dump(run)))
            for key, move in moves.items():
                old = self._unfinished(key)
                new = move(old)
                if new is not None and new != old:
                    self._keep(new)

    def files(self, task_id: str, role: Role) -> tuple[File, ...]:
        """Return a task's files."""
        rows = self._rows("SELECT name, content FROM files WHERE task = ? AND role = ? ORDER BY n", task_id, role)
        return tuple(File(name=name, content=content) for name, content in rows)

    def file(self, task_id: str, role: Role, name: str) -> bytes:
        """Return one file's content."""
        rows = self._rows("SELECT content FROM files WHERE task = ? AND role = ? AND name = ?", task_id, role, name)
        if not rows:
            raise Unknown(f"task {task_id} has no {role} file {name}")
        return bytes(rows[0][0])

    def checkpoint(self, task_id: str) -> str | None:
        """Return the last checkpoint."""
        rows = self._rows("SELECT content FROM checkpoints WHERE task = ?", task_id)
        return str(rows[0][0]) if rows else None

    def session(self, session_id: str) -> Session:
        """Return a session."""
        rows = self._rows("SELECT record FROM sessions WHERE id = ?", session_id)
        if not rows:
            raise Unknown(f"no session {session_id}")
        return load(Session, rows[0][0])

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        rows = self._rows("SELECT record FROM sessions WHERE task = ? ORDER BY id", task_id)
        return [load(Session, text) for (text,) in rows]

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        with self._writing():
            rules.hold(self.get(self.session(session_id).task), session_id, fence)
            ((held,),) = self._rows("SELECT coalesce(max(n), 0) FROM events WHERE session = ?", session_id)
            fresh = rules.unheld(events, held)
            rows = [(session_id, e.n, e.at, e.kind, json.dumps(e.data)) for e in fresh]
            self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            return int(held) + len(fresh)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        self.session(session_id)
        rows = self._rows(
            "SELECT n, at, kind, data FROM events WHERE session = ? AND n > ? ORDER BY n", session_id, after
        )
        return [Event(n=n, at=at, kind=EventKind(kind), data=json.loads(data)) for n, at, kind, data in rows]

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        rows = self._rows("SELECT record FROM sync_runs ORDER BY n DESC LIMIT ?", limit)
        return [load(SyncRun, text) for (text,) in rows]

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that did not fail."""
        rows = self._rows("SELECT record FROM sync_runs WHERE outcome <> 'failed' ORDER BY n DESC LIMIT 1")
        return load(SyncRun, rows[0][0]) if rows else None
