"""Tasks in one SQLite file: WAL, and synchronous=FULL so that what was acknowledged survives a power cut.

One connection behind a lock writes: a write is one BEGIN IMMEDIATE transaction of a millisecond or two. Readers have
connections of their own beside it, so that a long journal holds no heartbeat up. Other processes may share the file
(they wait up to 5 s for each other).
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dashboard import outgoing, rules
from dashboard.outgoing import Notice, NoticesMove
from dashboard.record import (
    NO_CHANGE,
    BudgetChange,
    FamilyBudget,
    Found,
    Key,
    Move,
    NotFound,
    Record,
    digest,
)
from dashboard.stores import ALL_TASKS, MOST_NOTICES, AlarmMove, Candidate, NoticeFilter, TaskFilter
from dashboard.stores.schema import migrate
from wire.types import Event, Session, State, SyncRun
from wire.values import dump, read

T = TypeVar("T")
_UNFINISHED = "state IN ('queued', 'running', 'needs_you')"
_NOTICES = "SELECT record FROM notices WHERE "
_BUDGET = "SELECT version, sessions, usd_micros, reserved FROM budgets WHERE root = ?"


class SqliteStore:
    """See `dashboard.stores.Store`. Raises `sqlite3.OperationalError` when the file cannot be used."""

    def __init__(self, path: Path, *, targets: Sequence[str] = ()) -> None:
        self._path = path
        self._targets = targets
        self._lock = threading.Lock()
        self._db = _connect(path)
        self._readers: list[sqlite3.Connection] = []
        migrate(self._db)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            for db in (self._db, *self._readers):
                db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, begun as a writer: a reader that turns writer half-way may find the file locked."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read beside the writer; as many connections as ever read at once are kept. A list's pop is atomic."""
        try:
            db = self._readers.pop()
        except IndexError:
            db = _connect(self._path)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            self._readers.append(db)

    def add(self, record: Record, blobs: Sequence[bytes] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        with self._writing() as db:
            found = _found(db, record, key)
            held = rules.admit(record, key, found)
            is_new = held not in (found.keyed, found.same_id, found.same_work)
            if is_new:
                _put(db, blobs)
                _insert(db, held)
            if key and not found.key:
                db.execute("INSERT INTO keys (key, digest, task) VALUES (?, ?, ?)", (key.key, key.digest, held.task.id))
            return held, is_new

    def get(self, task_id: str) -> Record:
        """Return a record."""
        return _known(self._rows("SELECT record FROM tasks WHERE id = ?", task_id), Record, f"no task {task_id}")

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family."""
        return _budget(self._rows(_BUDGET, root), root)

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        # The index by state leaves out what runs: few do, and each claim and end would write it twice more.
        by_state = "state = ?1" if which.state is State.RUNNING else "state = ?1 AND state <> 'running'"
        where = f"WHERE {by_state}" if which.state else "WHERE ?1 IS NULL"
        # `~` sorts behind every ULID.
        sql = f"SELECT record FROM tasks {where} AND id < ?2 ORDER BY id DESC LIMIT ?3"  # noqa: S608 - `where` is ours
        return [read(Record, text) for (text,) in self._rows(sql, which.state, before or "~", limit)]

    def candidates(
        self, now: float, *, suspended_only: bool = False, without: Collection[str] = (), limit: int = 10
    ) -> list[Candidate]:
        """Return tasks that are due."""
        tried = msgspec.json.encode(list(without)).decode() if without else None
        untried = "AND id NOT IN (SELECT value FROM json_each(?1)) AND root NOT IN (SELECT value FROM json_each(?1))"
        rest = f"{untried if without else 'AND ?1 IS NULL'} ORDER BY {{order}} LIMIT ?2"
        # The planner would rather sort all that is queued: the index is named, or the query fails.
        source = "INDEXED BY resumable WHERE suspended = 1 AND" if suspended_only else "INDEXED BY ready WHERE"
        by_rank = f"SELECT rank, id, root FROM tasks {source} state = 'queued' AND ready_at IS NULL "  # noqa: S608 - ours
        resumed = "AND (suspended = 1 OR state = 'running') " if suspended_only else ""
        by_time = f"SELECT rank, id, root FROM tasks INDEXED BY timed WHERE ready_at <= ?3 {resumed}"  # noqa: S608 - ours
        first, second = by_rank + rest.format(order="rank, id"), by_time + rest.format(order="ready_at")
        both = f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({second})"  # noqa: S608 - ours
        return sorted(Candidate(*row) for row in self._rows(both, tried, limit, now))[:limit]

    def change(self, task_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace a record in one write."""
        with self._writing() as db:
            old = _record(db, "id = ?", task_id)
            if old is None:
                raise NotFound(f"no task {task_id}")
            budget = _budget(db.execute(_BUDGET, (old.root,)).fetchall(), old.root) if move.needs_budget else None
            moved = move.applied(old, budget)
            if moved.record != old:
                rules.require_no_same_work(moved.record, _same_work(db, moved.record))
                _put(db, blobs)
                _update(db, old, moved.record)
                _tell(db, old, moved.record, self._targets)
                _change_budget(db, old.root, moved.budget)
            return moved.record

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None) -> None:
        """Move open alarms and keep a sync run."""
        with self._writing() as db:
            if run:
                record = dump(run).decode()
                db.execute("INSERT INTO sync_runs (outcome, record) VALUES (?, ?)", (run.outcome.value, record))
            for key, move in moves.items():
                old = _record(db, f"dedupe_key = ? AND {_UNFINISHED}", key)
                new = move(old)
                if new is None or new == old:
                    continue
                _update(db, old, new) if old else _insert(db, new)
                _tell(db, old, new, self._targets)

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their digests."""
        wanted = [*dict.fromkeys(digests)]
        if not wanted:
            return {}
        sql = f"SELECT sha256, content FROM blobs WHERE sha256 IN ({', '.join('?' * len(wanted))})"  # noqa: S608 - marks
        found = {name: bytes(content) for name, content in self._rows(sql, *wanted)}
        missing = [name for name in wanted if name not in found]
        if missing:
            raise NotFound(f"no blob {missing[0]}")
        return found

    def session(self, session_id: str) -> Session:
        """Return a session."""
        found = self._sessions("sessions.id = ?", session_id)
        if not found:
            raise NotFound(f"no session {session_id}")
        return found[0]

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        return self._sessions("sessions.task = ? ORDER BY sessions.id", task_id)

    def _sessions(self, where: str, name: str) -> list[Session]:
        """A task's latest session is in its record, where each move finds it; those before have their own."""
        sql = f"SELECT sessions.record, tasks.record FROM sessions JOIN tasks ON tasks.id = sessions.task WHERE {where}"  # noqa: S608 - ours
        rows = self._rows(sql, name)
        return [read(Session, own) if own else _latest(latest) for own, latest in rows]

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        with self._writing() as db:
            sql = (
                "SELECT tasks.session, tasks.fence FROM sessions JOIN tasks ON tasks.id = sessions.task"
                " WHERE sessions.id = ?"
            )
            rows = db.execute(sql, (session_id,)).fetchall()
            if not rows:
                raise NotFound(f"no session {session_id}")
            (session_held, fence_held), *_ = rows
            rules.require_holder(session_held, fence_held, session_id, fence)
            sql = "SELECT coalesce(max(last), 0) FROM deliveries WHERE session = ?"
            (held,) = db.execute(sql, (session_id,)).fetchone()
            fresh = rules.unheld(events, held)
            if fresh:
                content = dump(fresh)
                _put(db, [content])
                row = (session_id, fresh[0].n, fresh[-1].n, digest(content))
                db.execute("INSERT INTO deliveries (session, first, last, sha256) VALUES (?, ?, ?, ?)", row)
            return int(held) + len(fresh)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        self.session(session_id)
        sql = "SELECT content FROM deliveries JOIN blobs USING (sha256) WHERE session = ? AND last > ? ORDER BY first"
        batches = (read(tuple[Event, ...], content) for (content,) in self._rows(sql, session_id, after))
        return [event for batch in batches for event in batch if event.n > after]

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        rows = self._rows("SELECT record FROM sync_runs ORDER BY n DESC LIMIT ?", limit)
        return [read(SyncRun, text) for (text,) in rows]

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that is known to have succeeded."""
        rows = self._rows(
            # The first condition is the partial index's own: without it all runs would be read.
            "SELECT record FROM sync_runs WHERE outcome <> 'failed' AND outcome IN (?, ?) ORDER BY n DESC LIMIT 1",
            *(outcome.value for outcome in rules.SUCCESSES),
        )
        return read(SyncRun, rows[0][0]) if rows else None

    def notices(self, which: NoticeFilter) -> list[Notice]:
        """Return notices of the outbox."""
        where, values = _meant(which)
        return [read(Notice, text) for (text,) in self._rows(_NOTICES + where, *values)]

    def change_notices(self, which: NoticeFilter, move: NoticesMove) -> None:
        """Replace or add notices in one write."""
        with self._writing() as db:
            where, values = _meant(which)
            found = db.execute(_NOTICES + where, values).fetchall()
            _post(db, move([read(Notice, text) for (text,) in found]))


def _connect(path: Path) -> sqlite3.Connection:
    # Any thread may use one: the lock, and the list of readers, let only one at a time.
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    # A checkpoint writes pages all over the file and syncs twice: once in 32 MB of log, not in 4.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000", "wal_autocheckpoint = 8000"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _record(db: sqlite3.Connection, where: str, *values: object) -> Record | None:
    row = db.execute(f"SELECT record FROM tasks WHERE {where}", values).fetchone()  # noqa: S608 - `where` is ours
    return read(Record, row[0]) if row else None


def _known(rows: list[tuple[Any, ...]], cls: type[T], missing: str) -> T:
    if not rows:
        raise NotFound(missing)
    return read(cls, rows[0][0])


def _latest(record: str) -> Session:
    session = read(Record, record).session
    if session is None:
        raise NotFound("the task's record has lost its session")
    return session


def _budget(rows: list[tuple[int, ...]], root: str) -> FamilyBudget:
    if not rows:
        raise NotFound(f"no family {root}")
    version, sessions, usd_micros, reserved = rows[0]
    return FamilyBudget(version=version, sessions=sessions, usd_micros=usd_micros, reserved=reserved)


def _found(db: sqlite3.Connection, record: Record, key: Key | None) -> Found:
    row = db.execute("SELECT key, digest, task FROM keys WHERE key = ?", (key.key,)).fetchone() if key else None
    parent = _record(db, "id = ?", record.task.parent) if record.task.parent else None
    return Found(
        key=Key(key=row[0], digest=row[1], task=row[2]) if row else None,
        keyed=_record(db, "id = ?", row[2]) if row else None,
        same_id=_record(db, "id = ?", record.task.id),
        same_work=_same_work(db, record),
        parent=parent,
        budget=_budget(db.execute(_BUDGET, (parent.root,)).fetchall(), parent.root) if parent else None,
    )


def _same_work(db: sqlite3.Connection, record: Record) -> Record | None:
    key = record.task.dedupe_key
    return None if key is None else _record(db, f"dedupe_key = ? AND {_UNFINISHED}", key)


def _columns(record: Record) -> dict[str, object]:
    """What is looked for, beside the record itself."""
    task, session = record.task, record.session
    return {
        "root": record.root,
        "state": task.state.value,
        "rank": 9 - task.priority,
        "suspended": record.goes_on,
        "ready_at": record.ready_at,
        "dedupe_key": task.dedupe_key,
        "session": session.id if session else None,
        "fence": task.fence,
    }


def _insert(db: sqlite3.Connection, record: Record) -> None:
    columns = {"id": record.task.id, **_columns(record), "record": dump(record).decode()}
    marks = ", ".join("?" * len(columns))
    db.execute(f"INSERT INTO tasks ({', '.join(columns)}) VALUES ({marks})", [*columns.values()])  # noqa: S608 - ours
    if record.root == record.task.id:
        sql = "INSERT INTO budgets (root, version, sessions, usd_micros, reserved) VALUES (?, 1, ?, ?, 0)"
        db.execute(sql, (record.root, record.granted.sessions, record.granted.usd_micros))


def _update(db: sqlite3.Connection, old: Record, new: Record) -> None:
    """Write what changed: a column that is set costs its indexes a write even where it keeps its value."""
    before = _columns(old)
    changed = {name: value for name, value in _columns(new).items() if value != before[name]}
    changed["record"] = dump(new).decode()
    sets = ", ".join(f"{name} = ?" for name in changed)
    db.execute(f"UPDATE tasks SET {sets} WHERE id = ?", [*changed.values(), new.task.id])  # noqa: S608 - ours
    if new.session and (old.session is None or new.session.id != old.session.id):
        if old.session:
            db.execute("UPDATE sessions SET record = ? WHERE id = ?", (dump(old.session).decode(), old.session.id))
        db.execute("INSERT INTO sessions (id, task) VALUES (?, ?)", (new.session.id, new.session.task))


def _change_budget(db: sqlite3.Connection, root: str, change: BudgetChange) -> None:
    if change == NO_CHANGE:
        return
    sql = (
        "UPDATE budgets SET version = version + 1, sessions = sessions + ?, usd_micros = usd_micros + ?,"
        " reserved = reserved + ? WHERE root = ?"
    )
    db.execute(sql, (change.sessions, change.usd_micros, change.reserved, root))


def _put(db: sqlite3.Connection, blobs: Sequence[bytes]) -> None:
    # A blob's name is the hash of its content: one that is there is the same.
    sql = "INSERT OR IGNORE INTO blobs (sha256, content) VALUES (?, ?)"
    db.executemany(sql, [(digest(content), content) for content in blobs])


def _tell(db: sqlite3.Connection, old: Record | None, new: Record, targets: Sequence[str]) -> None:
    """Write the notices of a change. Most changes have none, and cost no look."""
    if outgoing.concerns(old, new):
        rows = db.execute(_NOTICES + "task = ?", (new.task.id,)).fetchall()
        _post(db, outgoing.news(old, new, [read(Notice, text) for (text,) in rows], targets))


def _meant(which: NoticeFilter) -> tuple[str, tuple[object, ...]]:
    """The query's condition, and the values in it."""
    if which.message:
        # The second condition is the partial index's own.
        return "message = ? AND message <> ''", (which.message,)
    if which.due is not None:
        return "due_at <= ? ORDER BY due_at, id, target LIMIT ?", (which.due, MOST_NOTICES)
    return "sent_at >= ? ORDER BY sent_at DESC, id, target LIMIT ?", (which.since or 0, MOST_NOTICES)


def _post(db: sqlite3.Connection, notices: Iterable[Notice]) -> None:
    sql = (
        "INSERT OR REPLACE INTO notices (id, target, task, due_at, sent_at, message, record)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    rows = [(n.id, n.target, n.task, n.due_at, n.sent_at, n.message, dump(n).decode()) for n in notices]
    db.executemany(sql, rows)
