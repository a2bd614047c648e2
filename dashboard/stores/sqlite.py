"""Tasks in one SQLite file: WAL, and synchronous=FULL so that what was acknowledged survives a power cut.

One connection behind a lock writes: a write is one BEGIN IMMEDIATE transaction of a millisecond or two. Readers have
connections of their own beside it, so that a long journal holds no heartbeat up. Other processes may share the file
(they wait up to 5 s for each other).
"""

import functools
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from dashboard import outgoing, role_lease, rules
from dashboard.caps import DayMove, DayUse
from dashboard.outgoing import Notice, NoticesMove
from dashboard.record import (
    NO_CHANGE,
    UNTIL_SUBTASKS,
    BudgetChange,
    Busy,
    Damaged,
    Ending,
    FamilyBudget,
    Found,
    Full,
    Key,
    Move,
    NotFound,
    Record,
    Unready,
    digest,
    moment,
)
from dashboard.role_lease import LeaseRecord, LeaseRecordMove, Under
from dashboard.stores import (
    ALL_TASKS,
    MOST_NOTICES,
    AlarmMove,
    Candidate,
    Kept,
    Listing,
    NoticeFilter,
    Sort,
    TaskFilter,
    census,
    files,
    journal,
    listing,
    replaces,
    require_answerable,
    retention,
)
from dashboard.stores.census import Census
from dashboard.stores.journal import Readable, Used
from dashboard.stores.listing import Bounds, Lead, Window
from dashboard.stores.reserve import Reserve
from dashboard.stores.retention import OVER, Before, Freed, Room
from dashboard.stores.schema import CANCELLED_LEASED, COST, INDEXED_FROM, TEXT, migrate, parts
from wire.disk import sync_folder
from wire.types import Event, Session, State, SyncRun
from wire.values import Invalid, dump, read

_UNFINISHED = "state IN ('queued', 'running', 'needs_you')"
_MARK = "mark:"
_ASIDE = "damaged"
"""The state of a row whose record cannot be read; no state of a task, so that no query of ours finds it."""
_UNUSABLE = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_COLUMNS = ("root", "state", "rank", "suspended", "ready_at", "dedupe_key", "session", "fence")
_INSERT = f"INSERT INTO tasks (id, record, {', '.join(_COLUMNS)}) VALUES (?, ?{', ?' * len(_COLUMNS)})"  # noqa: S608 - ours
_NOTICES = "SELECT record, id || ' for ' || target FROM notices WHERE "
_DAMAGED = """
    SELECT id FROM tasks WHERE state = ?1 AND state <> 'running'
    UNION ALL SELECT 'session ' || id FROM aside JOIN sessions USING (id) WHERE kind = 'session'
    UNION ALL SELECT 'notice ' || id FROM aside
        WHERE kind = 'notice' AND EXISTS (SELECT 1 FROM notices WHERE notices.id || ' for ' || target = aside.id)
    UNION ALL SELECT 'sync run ' || n FROM sync_runs WHERE outcome = ?1 AND outcome <> 'failed'
"""
_DELIVERY = (
    "INSERT INTO deliveries (session, first, last, sha256, turns, usd_micros, tokens) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SPENT = """
    INSERT INTO spent (day, turns, usd_micros) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET turns = turns + excluded.turns, usd_micros = usd_micros + excluded.usd_micros
"""
_PASSAGE = """
    SELECT first, last, length(content), CASE WHEN length(content) <= ?1 THEN content END
    FROM deliveries LEFT JOIN blobs USING (sha256)
    WHERE session = ?2 AND first < coalesce(?3, 9e18) ORDER BY first DESC
"""
_BUDGET = "SELECT version, sessions, usd_micros, reserved FROM budgets WHERE root = ?"


INDEXED_AT_ONCE = 200
"""Tasks of an earlier release that one write indexes: a heartbeat waits for some 20 ms at most."""
_NUMBER = """
    INSERT INTO listed (n, task)
    SELECT ?1 - row_number() OVER (ORDER BY id DESC), id FROM tasks
    WHERE id >= ?2 AND id < ?3 AND json_valid(record) AND id NOT IN (SELECT task FROM listed)
"""
# In ascending order: FTS5 writes out what it has gathered at each number that is less than the one before.
_INDEX_WORDS = f"""
    INSERT INTO words (rowid, text)
    SELECT n, {TEXT.format(row="tasks")} FROM listed CROSS JOIN tasks ON tasks.id = task WHERE n < ? ORDER BY n
"""  # noqa: S608 - ours
_INDEX_COSTS = f"""
    INSERT OR IGNORE INTO costs (usd_micros, task)
    SELECT {COST.format(row="tasks")}, task FROM listed CROSS JOIN tasks ON tasks.id = task
    WHERE n < ? AND {COST.format(row="tasks")} > 0
"""  # noqa: S608 - ours

NewId = Callable[[], str]
_STEPS = 100
"""Of SQLite's machine, between two looks whether the process is to end: a row takes a few, and may have megabytes."""
ROOM = 64 * 1024 * 1024
"""Bytes that must be free: a task may bring 24 MB of files, which are in the log and in the file for a time."""


class SqliteStore:
    """See `dashboard.stores.Store`. Raises `sqlite3.Error` when the file cannot be used, `Lost` when it is not the one
    that was here, `Full` when its disk has no room to open it, not even by giving the reserve up.

    A new queue gets its id from `new_id`. `unclean`: it was not closed when it was last used. `room`: bytes that must
    be free for `prove`. `bounds`: how many tasks a listing looks through.
    """

    searches = True

    def __init__(
        self,
        path: Path,
        *,
        targets: Sequence[str] = (),
        new_id: NewId = lambda: uuid.uuid4().hex,
        room: int = ROOM,
        bounds: Bounds = Bounds(),  # noqa: B008 - a value
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._path = path
        self._bounds = bounds
        self._targets = targets
        self._room = room
        self.refused = 0
        self._lock = threading.Lock()
        self._is_ending = False
        self._damage: str | None = None
        files.require_present(path)
        # A queue that is closed takes its log away.
        self.unclean = any(name.endswith("-wal") and seen.size for name, seen in files.look(path).items())
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        self._db = self._opened_db(new_id)
        self._parts = parts(self._db)
        self.id = files.held_id(self._db)
        files.mark(path, str(self.id))
        # One that has read holds the files open: a backup can be made of them even when they are deleted.
        self._readers = [_connect(path, mode="rw")]
        self._rows("SELECT 1 FROM meta")
        self._opened = files.look(path)
        self._reserve.take()

    def _opened_db(self, new_id: NewId) -> sqlite3.Connection:
        """Open the file; what that must write on a full disk (a log's index, a step of the schema) takes the reserve:
        a queue that was killed there must tell it, and show what it holds.
        """
        try:
            return _opened(self._path, new_id)
        except sqlite3.Error as error:
            if not self._means_full(error):
                raise
            full = self._full(f"{error}; make room there")
            if not self._reserve.release():
                raise full from error
        return _opened(self._path, new_id)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            for db in (self._db, *self._readers):
                db.close()

    @contextmanager
    def _writing(self, *, grows: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction, begun as a writer: a reader that turns writer half-way may find the file locked. One that
        `grows` the file must not take the reserve.
        """
        with self._lock, self._explained():
            if grows and not self._reserve.take():
                raise self._full("what is left is kept for alarms")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk ends some transactions by itself.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _write_for_users(self, write: Callable[[sqlite3.Connection], None]) -> None:
        """Write what a user must hear of; on a full disk into the room that is reserved for it."""
        try:
            with self._writing() as db:
                write(db)
        except Full:
            with self._lock:
                released = self._reserve.release()
            if not released:
                raise
            with self._writing() as db:
                write(db)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into what they mean; broken pages are remembered, so that `prove` says so."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of an extended code only says where
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Busy(f"the queue's file is locked by another process: {error}") from error
            if self._means_full(error):
                raise self._full(str(error)) from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self._damage = str(error)
            if code in _UNUSABLE:
                raise Unready(_damaged(self._path, str(error))) from error
            raise

    def _full(self, why: str) -> Full:
        self.refused += 1
        return Full(f"the disk of {self._path.parent} is full: {why}")

    def _means_full(self, error: sqlite3.Error) -> bool:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR:
            return files.free_bytes(self._path.parent) < 1024 * 1024
        return code == sqlite3.SQLITE_FULL

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read beside the writer; as many connections as ever read at once are kept. A list's pop is atomic."""
        with self._reading() as db:
            return db.execute(sql, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            try:
                db = self._readers.pop()
            except IndexError:
                db = _connect(self._path, mode="rw")
            try:
                yield db
            finally:
                self._readers.append(db)

    def prove(self) -> None:
        """Write a mark and read it back by another connection; compare files and schema with those that were opened."""
        if self._damage:
            raise Unready(_damaged(self._path, self._damage))
        if (free := files.free_bytes(self._path.parent)) < self._room:
            raise Unready(
                f"only {free // 1024**2} MB are free at {self._path.parent}, and {self._room // 1024**2} MB are needed"
                " for the queue's next writes: make room there"
            )
        # Before and after: a log that was cut is as long again once it is written to.
        self._require_opened_files()
        sql = "INSERT INTO meta (key, value) VALUES ('proof', 1) ON CONFLICT DO UPDATE SET value = value + 1"
        with self._writing() as db:
            db.execute(sql)
            (written,) = db.execute("SELECT value FROM meta WHERE key = 'proof'").fetchone()
        read_back = self._rows("SELECT value FROM meta WHERE key = 'proof'")
        if not read_back or int(read_back[0][0]) < int(written):
            raise Unready(_damaged(self._path, "a write cannot be read back"))
        with self._reading() as db:
            # A later release adds to it; what takes something away is none of ours.
            if gone := ", ".join(sorted(self._parts - parts(db))):
                raise Unready(_damaged(self._path, f"its schema is not ours any more: {gone} is gone"))
        self._require_opened_files()

    def _require_opened_files(self) -> None:
        now = files.look(self._path)
        if wrong := files.difference(self._opened, now):
            raise Unready(
                f"{wrong} while the queue was open: what is written now is lost at the next restart. Do not restart it:"
                " make a backup first (it still holds all), then restore that"
            )
        self._opened = now

    def check(self) -> None:
        """Read all pages of the file (SQLite's quick_check)."""
        with self._reading() as db, _ended_early(db, self._ends):
            self._damage = quick_check(db)

    def stop_long_reads(self) -> None:
        """End what reads the whole file: of a large one that takes longer than systemd waits for our end."""
        self._is_ending = True

    def _ends(self) -> bool:
        return self._is_ending

    def back_up(self, path: Path) -> None:
        """Write a whole copy to `path`, checked and durable before it has its name.

        By VACUUM INTO: sqlite3's stepwise backup begins again at each write beside it, and never ended.
        """
        half = path.with_name(f".{path.name}.half")
        half.unlink(missing_ok=True)
        try:
            with self._reading() as db, _ended_early(db, self._ends):
                db.execute("VACUUM INTO ?", (str(half),))
            require_sound(half, self._ends)
            with half.open("rb") as file:
                os.fsync(file.fileno())
            half.replace(path)
            sync_folder(path.parent)
        finally:
            half.unlink(missing_ok=True)

    def add(self, record: Record, blobs: Sequence[bytes] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        with self._writing(grows=True) as db:
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
        rows = self._rows("SELECT record FROM tasks WHERE id = ?", task_id)
        if not rows:
            raise NotFound(f"no task {task_id}")
        try:
            return _parsed(task_id, rows[0][0])
        except Damaged:
            self.set_aside(task_id)
            raise

    def set_aside(self, task_id: str) -> None:
        """Give a task's row a state that no query looks for."""
        if not self._rows("SELECT 1 FROM tasks WHERE id = ? AND state = ?", task_id, _ASIDE):
            with self._writing() as db:
                db.execute("UPDATE tasks SET state = ?, ready_at = NULL WHERE id = ?", (_ASIDE, task_id))

    def _note_damaged(self, kind: str, name: str) -> None:
        """Keep that a session or a notice cannot be read: whoever reads passes over it, and the watch says so."""
        if not self._rows("SELECT 1 FROM aside WHERE kind = ? AND id = ?", kind, name):
            with self._writing() as db:
                db.execute("INSERT OR IGNORE INTO aside (kind, id) VALUES (?, ?)", (kind, name))

    def damaged(self) -> list[str]:
        """Return the names of what was set aside."""
        return [name for (name,) in self._rows(_DAMAGED, _ASIDE)]

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family."""
        return _budget(self._rows(_BUDGET, root), root)

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        # The index by state leaves out what runs: few do, and each claim and end would write it twice more.
        by_state = "state = ?1" if which.state is State.RUNNING else "state = ?1 AND state <> 'running'"
        where = f"WHERE {by_state}" if which.state else f"WHERE ?1 IS NULL AND state <> '{_ASIDE}'"
        # `~` sorts behind every ULID.
        sql = f"SELECT id, record FROM tasks {where} AND id < ?2 ORDER BY id DESC LIMIT ?3"  # noqa: S608 - ours
        return self._readable(sql, which.state, before or "~", limit)

    def listing(
        self, which: TaskFilter = ALL_TASKS, *, sort: Sort = Sort.NEWEST, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        """Return the tasks that fit all filters."""
        require_answerable(which, sort)
        while True:
            try:
                return self._listing(which, sort, cursor, limit)
            except Damaged as error:
                self.set_aside(error.task_id)

    def _listing(self, which: TaskFilter, sort: Sort, cursor: str | None, limit: int) -> Listing:
        began = self._monotonic()
        with self._reading() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (INDEXED_FROM,)).fetchone()
            indexed_from = str(row[0]) if row else None
            lead = _lead(db, which, sort, self._bounds)
            most = max(limit + 1, self._bounds.few(lead, which))
            found: list[Record] = []
            looked, last = 0, None
            for window in _windows(db, lead, sort, cursor, self._bounds):
                if last is not None and self._monotonic() - began > self._bounds.seconds:
                    return Listing(found, last, indexed_from)
                walk = listing.walk(which, sort, lead, cursor, most, window)
                with closing(db.execute(walk.sql, walk.values)) as rows:
                    # Row by row: what comes after the last one wanted is never read.
                    for place, task_id, text in rows:
                        if looked == most or (text is not None and len(found) == limit):
                            return Listing(found, str(last), indexed_from)
                        if text is not None:
                            found.append(_parsed(task_id, text))
                        looked, last = looked + 1, str(place)
                if window:
                    (last,) = db.execute(listing.EDGE[sort], {"low": window.low, "high": window.high}).fetchone()
            return Listing(found, None, indexed_from)

    def index_earlier(self) -> bool:
        """Index some of the tasks that a release before did not, the newest first; their numbers go down from 0."""
        with self._writing() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (INDEXED_FROM,)).fetchone()
            if row is None:
                return False
            sql = "SELECT min(id) FROM (SELECT id FROM tasks WHERE id < ? ORDER BY id DESC LIMIT ?)"
            ((first,),) = db.execute(sql, (row[0], INDEXED_AT_ONCE)).fetchall()
            if first is None:
                db.execute("DELETE FROM meta WHERE key = ?", (INDEXED_FROM,))
                return False
            ((least,),) = db.execute("SELECT min(1, coalesce(min(n), 1)) FROM listed").fetchall()
            db.execute(_NUMBER, (least, first, row[0]))
            for statement in (_INDEX_WORDS, _INDEX_COSTS):
                db.execute(statement, (least,))
            db.execute("UPDATE meta SET value = ? WHERE key = ?", (first, INDEXED_FROM))
            return True

    def candidates(
        self, now: float, *, suspended_only: bool = False, without: Collection[str] = (), limit: int = 10
    ) -> list[Candidate]:
        """Return tasks that are due."""
        tried = msgspec.json.encode(list(without)).decode() if without else None
        sql = _candidates(suspended_only=suspended_only, some_tried=bool(without))
        # By the writer: only it has the pages at hand, the others' are stale after each write.
        with self._lock, self._explained():
            rows = self._db.execute(sql, (tried, limit, now)).fetchall()
        return sorted(Candidate(*row) for row in rows)[:limit]

    def census(self, now: float) -> Census:
        """Return how many tasks are in each state, and which have waited longest."""
        states = {state: count for state, count in self._rows(census.STATES) if state != _ASIDE}
        queued, waiting = self._rows(census.QUEUED, now), self._rows(census.WAITING)
        return Census(states=states, queued=queued[0][0] if queued else None, waiting=waiting[0][0])

    def running(self) -> list[Record]:
        """Return what runs."""
        return self._readable("SELECT id, record FROM tasks INDEXED BY running WHERE state = 'running'")

    def leased(self) -> list[Record]:
        """Return what a host holds."""
        cancelled = f"SELECT id, record FROM tasks INDEXED BY cancelled_leased WHERE {CANCELLED_LEASED}"  # noqa: S608 - ours
        return [*self.running(), *self._readable(cancelled)]

    def waiting_parents(self) -> list[Record]:
        """Return what waits for subtasks."""
        sql = "SELECT id, record FROM tasks INDEXED BY timed WHERE ready_at = ? AND state = 'queued'"
        never = moment(UNTIL_SUBTASKS, "not_before").timestamp()
        return [record for record in self._readable(sql, never) if record.task.waits_for]

    def relatives(self, root: str) -> list[Record]:
        """Return a family's unfinished members but its root."""
        sql = f"SELECT id, record FROM tasks INDEXED BY children WHERE root = ? AND root <> id AND {_UNFINISHED}"  # noqa: S608 - ours
        return self._readable(sql, root)

    def made(self, roots: Collection[str]) -> dict[str, int]:
        """Count families but their roots."""
        which = "root <> id AND root IN (SELECT value FROM json_each(?))"
        sql = f"SELECT root, count(*) FROM tasks INDEXED BY members WHERE {which} GROUP BY root"  # noqa: S608 - ours
        return dict(self._rows(sql, msgspec.json.encode(list(roots)).decode()))

    def children(self, record: Record, *, limit: int) -> list[Record]:
        """Return tasks that a task made, the oldest first."""
        # A damaged record is no JSON, which SQLite would refuse to look into.
        parent = "CASE WHEN json_valid(record) THEN json_extract(record, '$.task.parent') END"
        which = f"root = ?1 AND root <> id AND {parent} = ?2 AND state <> '{_ASIDE}'"
        sql = f"SELECT id, record FROM tasks INDEXED BY members WHERE {which} ORDER BY id LIMIT ?3"  # noqa: S608 - ours
        return self._readable(sql, record.root, record.task.id, limit)

    def _readable(self, sql: str, *values: object) -> list[Record]:
        """Read records by a query that no longer finds those that were set aside."""
        while True:
            try:
                return [_parsed(task_id, text) for task_id, text in self._rows(sql, *values)]
            except Damaged as error:
                self.set_aside(error.task_id)

    def change(self, task_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace a record in one write."""
        return self._change("id = ?", task_id, f"no task {task_id}", move, blobs)

    def change_by_session(self, session_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace the record that a session belongs to in one write."""
        where = "id = (SELECT task FROM sessions WHERE id = ?)"
        return self._change(where, session_id, f"no session {session_id}", move, blobs)

    def _change(self, where: str, name: str, missing: str, move: Move, blobs: Sequence[bytes]) -> Record:
        with self._writing(grows=bool(blobs)) as db:
            old = _record(db, where, name)
            if old is None:
                raise NotFound(missing)
            budget = _budget(db.execute(_BUDGET, (old.root,)).fetchall(), old.root) if move.needs_budget else None
            moved = move.applied(old, budget)
            if moved.record != old:
                rules.require_no_same_work(moved.record, _same_work(db, moved.record))
                _put(db, blobs)
                _update(db, old, moved.record)
                _notify(db, old, moved.record, self._targets)
                _change_budget(db, old.root, moved.budget)
            return moved.record

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None, under: Under | None = None) -> None:
        """Move open alarms and keep a sync run."""

        def write(db: sqlite3.Connection) -> None:
            _require(db, under)
            if run:
                record = dump(run).decode()
                db.execute("INSERT INTO sync_runs (outcome, record) VALUES (?, ?)", (run.outcome.value, record))
            for key, move in moves.items():
                old = _record(db, f"dedupe_key = ? AND {_UNFINISHED}", key)
                new = move(old)
                if new is None or new == old:
                    continue
                _update(db, old, new) if old else _insert(db, new)
                _notify(db, old, new, self._targets)

        self._write_for_users(write)

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
        columns = "sessions.id, sessions.record, tasks.id, tasks.record"
        sql = f"SELECT {columns} FROM sessions JOIN tasks ON tasks.id = task WHERE sessions.id = ?"  # noqa: S608 - ours
        found = self._sessions(sql, session_id)
        if not found:
            held = self._rows("SELECT 1 FROM sessions WHERE id = ?", session_id)
            why = f"session {session_id} cannot be read: it is set aside" if held else f"no session {session_id}"
            raise NotFound(why)
        return found[0]

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        earlier = "SELECT id, record, NULL, NULL FROM sessions WHERE task = ?1 AND record IS NOT NULL"
        latest = "SELECT session, NULL, id, record FROM tasks WHERE id = ?1 AND session IS NOT NULL"
        return sorted(self._sessions(f"{earlier} UNION ALL {latest}", task_id), key=lambda session: session.id)

    def _sessions(self, sql: str, *values: object) -> list[Session]:
        """A task's latest session is in its record, where each move finds it; those before have their own."""
        found = (self._session(*row) for row in self._rows(sql, *values))
        return [session for session in found if session]

    def _session(self, name: str, own: str | None, task_id: str, record: str) -> Session | None:
        """One that cannot be read is set aside, alone or with its task."""
        try:
            return read(Session, own) if own else _latest(task_id, record)
        except Damaged as error:
            self.set_aside(error.task_id)
        except Invalid:
            self._note_damaged("session", name)
        return None

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        with self._writing(grows=True) as db:
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
            for part in journal.chunks(fresh):
                _put(db, [part.content])
                used = part.used
                row = (part.first, part.last, digest(part.content), used.turns, used.usd_micros, used.tokens)
                db.execute(_DELIVERY, (session_id, *row))
            for day, used in journal.used_by_day(fresh).items():
                db.execute(_SPENT, (day, used.turns, used.usd_micros))
            return int(held) + len(fresh)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        self.session(session_id)
        sql = "SELECT content FROM deliveries JOIN blobs USING (sha256) WHERE session = ? AND last > ? ORDER BY first"
        batches = (read(tuple[Event, ...], content) for (content,) in self._rows(sql, session_id, after))
        return [event for batch in batches for event in batch if event.n > after]

    def chunks(self, session_id: str, *, after: int = 0) -> Iterator[list[Readable]]:
        """Return a session's delivered journal piece by piece."""
        self.session(session_id)
        sql = "SELECT first, last, sha256 FROM deliveries WHERE session = ? AND last > ? ORDER BY first"
        rows = self._rows(sql, session_id, after)
        # Each by a query of its own: one that stood open while a slow reader reads would keep the log from shrinking.
        return (self._chunk(first, last, name, after) for first, last, name in rows)

    def _chunk(self, first: int, last: int, name: str, after: int) -> list[Readable]:
        held = self._rows("SELECT content FROM blobs WHERE sha256 = ?", name)
        content = held[0][0] if held else None
        found = journal.readable(content, None if content is None else len(content), first, last)
        return [record for record in found if record.n > after]

    def passage(self, session_id: str, *, before: int | None = None, size: int) -> list[Readable]:
        """Return the last records of a journal before record `before`."""
        self.session(session_id)
        found: list[Readable] = []
        left = size
        with self._reading() as db, closing(db.execute(_PASSAGE, (journal.READABLE, session_id, before))) as rows:
            # The rows are read one by one: what is not asked for stays on the disk.
            for first, last, length, content in rows:
                found[:0] = journal.readable(content, length, first, last)
                left -= length or 0
                if left <= 0:
                    break
        return journal.newest(found, before, size)

    def used(self, session_id: str) -> Used:
        """Return what a session used so far by its delivered journal."""
        return journal.total(self.series(session_id))

    def series(self, session_id: str) -> list[Used]:
        """Return what a session used, delivery by delivery."""
        columns = "coalesce(turns, 0), coalesce(usd_micros, 0), tokens"
        sql = f"SELECT {columns} FROM deliveries WHERE session = ? ORDER BY first"  # noqa: S608 - ours
        return [Used(*row) for row in self._rows(sql, session_id)]

    def recent_sessions(self, since: str, *, limit: int) -> list[Session]:
        """Return sessions from an id on, newest first."""
        columns = "sessions.id, sessions.record, tasks.id, tasks.record"
        order = "WHERE sessions.id >= ? ORDER BY sessions.id DESC LIMIT ?"
        sql = f"SELECT {columns} FROM sessions JOIN tasks ON tasks.id = task {order}"  # noqa: S608 - ours
        return self._sessions(sql, since, limit)

    def sessions_since(self, since: str, *, limit: int) -> int:
        """Count the sessions from an id on, without a look at their records."""
        ((count,),) = self._rows("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE id >= ? LIMIT ?)", since, limit)
        return int(count)

    def spent(self, since: str) -> dict[str, Used]:
        """Return what all sessions used by day."""
        rows = self._rows("SELECT day, turns, usd_micros FROM spent WHERE day >= ? ORDER BY day", since)
        return {day: Used(turns, usd_micros) for day, turns, usd_micros in rows}

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        return self._sync_runs(f"outcome <> '{_ASIDE}'", limit)

    def _sync_runs(self, where: str, limit: int, *values: object) -> list[SyncRun]:
        """One that cannot be read gets an outcome that no query looks for, and the next one is read in its place."""
        sql = f"SELECT n, record FROM sync_runs WHERE {where} ORDER BY n DESC LIMIT ?"  # noqa: S608 - ours
        while True:
            found, broken = [], []
            for n, text in self._rows(sql, *values, limit):
                try:
                    found.append(read(SyncRun, text))
                except Invalid:
                    broken.append((_ASIDE, n))
            if not broken:
                return found
            with self._writing() as db:
                db.executemany("UPDATE sync_runs SET outcome = ? WHERE n = ?", broken)

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that is known to have succeeded."""
        # The first condition is the partial index's own: without it all runs would be read.
        where = "outcome <> 'failed' AND outcome IN (?, ?)"
        found = self._sync_runs(where, 1, *(outcome.value for outcome in rules.SUCCESSES))
        return found[0] if found else None

    def notices(self, which: NoticeFilter) -> list[Notice]:
        """Return notices of the outbox."""
        where, values = _meant(which)
        found = []
        for text, name in self._rows(_NOTICES + where, *values):
            try:
                found.append(read(Notice, text))
            except Invalid:
                self._note_damaged("notice", name)
        return found

    def change_notices(self, which: NoticeFilter, move: NoticesMove, under: Under | None = None) -> None:
        """Replace or add notices in one write."""

        def write(db: sqlite3.Connection) -> None:
            _require(db, under)
            where, values = _meant(which)
            _post(db, move(_legible(db.execute(_NOTICES + where, values))))

        self._write_for_users(write)

    def sent_lately(self, since: float) -> dict[str, int]:
        """Return how many messages each target got since a time."""
        # A message's notices were settled together. Counted here: of a flood, not all rows are read.
        sql = "SELECT target, count(DISTINCT sent_at) FROM notices WHERE sent_at >= ? GROUP BY target"
        return dict(self._rows(sql, since))

    def catch_up(self, targets: Sequence[str], now: float) -> None:
        """Write what targets that are new have not heard of."""
        held = self._rows("SELECT value FROM meta WHERE key = 'targets'")
        known = msgspec.json.decode(held[0][0], type=list[str]) if held else []
        if new := [target for target in targets if target not in known]:
            for state in sorted(outgoing.TELLING):
                self._catch_up(state, new, now)
        if known != [*targets]:
            with self._writing() as db:
                row = ("targets", msgspec.json.encode([*targets]).decode())
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", row)

    def _catch_up(self, state: State, new: Sequence[str], now: float) -> None:
        """A few tasks in each write: there may be many that failed."""
        # The second condition is the index's own.
        sql = "SELECT id, record FROM tasks WHERE state = ? AND state <> 'running' AND id > ? ORDER BY id LIMIT 100"
        last: str | None = ""
        while last is not None:
            with self._writing() as db:
                rows = db.execute(sql, (state.value, last)).fetchall()
                for task_id, text in rows:
                    # One that cannot be read is another's to set aside.
                    with suppress(Damaged):
                        _post(db, outgoing.caught_up(_parsed(task_id, text), _notices_of(db, task_id), new, now))
            last = rows[-1][0] if rows else None

    def marks(self, prefix: str) -> dict[str, str]:
        """Return small texts by their names."""
        # Beside the store's own keys, which none of them can be.
        found = self._rows("SELECT key, value FROM meta WHERE key >= ?1 AND key < ?1 || '~'", f"{_MARK}{prefix}")
        return {key.removeprefix(_MARK): value for key, value in found}

    def mark(self, name: str, text: str | None) -> None:
        """Keep a small text, or no more."""
        with self._writing() as db:
            if text is None:
                db.execute("DELETE FROM meta WHERE key = ?", (f"{_MARK}{name}",))
            else:
                db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (f"{_MARK}{name}", text))

    def roles(self) -> dict[str, LeaseRecord]:
        """Return all roles."""
        return {role: read(LeaseRecord, text) for role, text in self._rows("SELECT role, record FROM roles")}

    def change_role(self, role: str, move: LeaseRecordMove) -> LeaseRecord:
        """Replace a role's lease in one write."""
        with self._writing() as db:
            old = _lease_record(db, role)
            new = move(old)
            if new != old:
                db.execute("INSERT OR REPLACE INTO roles (role, record) VALUES (?, ?)", (role, dump(new).decode()))
            return new

    def keep(self, role: str, fence: int, name: str, content: bytes, version: int) -> int:
        """Keep a content under a role's name, in one write with the look at its fence."""
        with self._writing(grows=True) as db:
            role_lease.require_current(role, _lease_record(db, role), fence)
            held = db.execute("SELECT version, sha256 FROM kept WHERE role = ? AND name = ?", (role, name)).fetchone()
            sha256 = digest(content)
            if replaces(name, held, version, sha256):
                sql = "INSERT OR REPLACE INTO kept (role, name, version, sha256, content) VALUES (?, ?, ?, ?, ?)"
                db.execute(sql, (role, name, version + 1, sha256, content))
            return version + 1

    def kept(self, role: str, name: str) -> Kept | None:
        """Return what is kept under a role's name."""
        rows = self._rows("SELECT version, content FROM kept WHERE role = ? AND name = ?", role, name)
        return Kept(rows[0][0], bytes(rows[0][1])) if rows else None

    def day(self, day: str) -> DayUse | None:
        """Return what is used of a day."""
        rows = self._rows("SELECT sessions, usd_micros FROM days WHERE day = ?", day)
        return DayUse(*rows[0]) if rows else None

    def change_day(self, day: str, move: DayMove) -> tuple[DayUse | None, DayUse]:
        """Replace what is used of a day in one write."""
        with self._writing() as db:
            row = db.execute("SELECT sessions, usd_micros FROM days WHERE day = ?", (day,)).fetchone()
            old = DayUse(*row) if row else None
            new = move(old)
            if new != old:
                db.execute("INSERT OR REPLACE INTO days (day, sessions, usd_micros) VALUES (?, ?, ?)", (day, *new))
            return old, new

    def prune(self, before: Before) -> Freed:
        """Delete what is finished and older, in small writes."""
        tasks, journals = self._prune_tasks(before.tasks), self._prune_journals(before.journals)
        files, sync_runs = self._prune_files(before.files), self._prune_sync_runs(before.sync_runs)
        sizes = deleted = self._delete_unnamed()
        while len(deleted) == retention.AT_ONCE:
            deleted = self._delete_unnamed()
            sizes = [*sizes, *deleted]
        return Freed(
            tasks=tasks,
            journals=journals,
            files=files,
            sync_runs=sync_runs,
            blobs=len(sizes),
            blob_bytes=sum(sizes),
        )

    def _prune_tasks(self, before: float | None) -> int:
        count, last = 0, ""
        while before is not None and (roots := [root for (root,) in self._rows(retention.ROOTS, last, before)]):
            with self._writing() as db:
                count += sum(retention.delete_family(db, root, before) for root in roots)
            last = roots[-1]
        return count

    def _prune_journals(self, before: float | None) -> int:
        count, last = 0, ""
        while before is not None and (found := self._rows(retention.NEXT_JOURNAL, last)):
            last, root = found[0]
            with self._reading() as db:
                is_due = retention.is_due(db, root, before, OVER)
            if is_due:
                with self._writing() as db:
                    # Again: a user may have tried it once more meanwhile.
                    if retention.is_due(db, root, before, OVER):
                        retention.delete_journal(db, last)
                        count += 1
        return count

    def _prune_files(self, before: float | None) -> int:
        count, last = 0, ""
        while before is not None and (found := self._rows(retention.WITH_FILES, last, before)):
            for task_id, root in found:
                with self._reading() as db:
                    # None of such a family can go on: what is over stays so.
                    is_due = retention.is_due(db, root, before, OVER)
                if is_due:
                    count += self._remove_files(task_id, before)
            last = found[-1][0]
        return count

    def _remove_files(self, task_id: str, before: float) -> int:
        try:
            held = len(self.get(task_id).files)
            return held - len(self.change(task_id, retention.file_removal(before)).files)
        except NotFound:
            return 0  # it was deleted meanwhile, or cannot be read: that must not keep all others

    def _prune_sync_runs(self, before: float | None) -> int:
        count = 0
        while before is not None:
            with self._writing() as db:
                deleted = db.execute(retention.SYNC_RUNS, (before,)).rowcount
            if not deleted:
                break
            count += deleted
        return count

    def _delete_unnamed(self) -> list[int]:
        """Delete blobs that nothing names, some thousands at once; return their sizes.

        They are listed, and looked for once more before they go: what is put between the two looks is named at the
        second, and what is put later takes itself off the list.
        """
        if self._rows("SELECT 1 FROM tasks WHERE state = ? AND state <> 'running' LIMIT 1", _ASIDE):
            return []  # what such a record names cannot be known
        with self._reading() as db:
            found = retention.unnamed(db)
        if not found:
            return []
        with self._writing() as db:
            db.executemany("INSERT OR IGNORE INTO unnamed (sha256) VALUES (?)", [(name,) for name in found])
        with self._reading() as db:
            sure = sorted(found & retention.unnamed(db))
        sizes: list[int] = []
        for start in range(0, len(sure), 100):
            with self._writing() as db:
                sizes += retention.delete_unnamed(db, sure[start : start + 100])
        with self._writing() as db:
            db.execute("DELETE FROM unnamed")
        return sizes

    def room(self) -> Room:
        """Return the file's size and its disk's room."""
        pages = "SELECT page_count * page_size, freelist_count * page_size FROM"
        sql = f"{pages} pragma_page_count, pragma_freelist_count, pragma_page_size"
        size, unused = self._rows(sql)[0]
        return Room(size=size, unused=unused, disk=files.free_for_all(self._path.parent))


def quick_check(db: sqlite3.Connection) -> str | None:
    """Say what SQLite finds broken in a file; None when it is sound."""
    try:
        # Three: of a file full of damage it would list every page.
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise
        return str(error)
    return None if found == ["ok"] else "; ".join(found)


@contextmanager
def _ended_early(db: sqlite3.Connection, is_ending: Callable[[], bool]) -> Iterator[None]:
    """Let a connection's statements end with `Ending` as soon as the process is to end."""
    db.set_progress_handler(is_ending, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise Ending from error
        raise
    finally:
        db.set_progress_handler(None, 0)


def require_sound(path: Path, is_ending: Callable[[], bool] = lambda: False) -> None:
    """Raise `Unready` for a copy that SQLite finds broken, `Ending` once the process `is_ending`."""
    with closing(sqlite3.connect(path)) as db, _ended_early(db, is_ending):
        if found := quick_check(db):
            raise Unready(f"the copy {path.name} is broken: {found}")


def _damaged(path: Path, why: str) -> str:
    return f"{path} is damaged ({why}): restore the latest backup"


def _opened(path: Path, new_id: NewId) -> sqlite3.Connection:
    """Open a queue's file, with the schema of today and an id; another queue's is not touched."""
    files.require_same(path)
    db = _connect(path)
    migrate(db)
    db.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('store', ?)", (new_id(),))
    return db


def _connect(path: Path, mode: Literal["rwc", "rw"] = "rwc") -> sqlite3.Connection:
    """Open the file; in the mode `rw` one that is gone stays gone, and is not begun anew."""
    # Any thread may use one: the lock, and the list of readers, let only one at a time.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    # isolation_level None: otherwise Python begins transactions by itself, and not as a writer.
    db = sqlite3.connect(address, uri=True, timeout=5, isolation_level=None, check_same_thread=False)
    # WAL: readers go on beside the writer. FULL: what was acknowledged survives a power cut.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _lead(db: sqlite3.Connection, which: TaskFilter, sort: Sort, bounds: Bounds) -> Lead:
    if only := listing.only_lead(which, sort):
        return only
    values = listing.values(which)
    counts = {
        lead: int(db.execute(listing.count(lead), {**values, "few": bounds.few(lead, which)}).fetchone()[0])
        for lead in listing.leads(which)
    }
    return listing.narrowest(which, counts, bounds)


def _windows(
    db: sqlite3.Connection, lead: Lead, sort: Sort, cursor: str | None, bounds: Bounds
) -> Iterator[Window | None]:
    """Yield the parts of the index of words that are left to a listing; None for an index that is walked at once."""
    if lead is not Lead.WORDS:
        yield None
        return
    number = None
    if cursor:
        given = {"start": listing.read_cursor(cursor, sort)[1]}
        (number,) = db.execute(listing.number(sort), given).fetchone()
    # Each by itself: of both together SQLite reads the whole table.
    low, high = db.execute("SELECT (SELECT min(n) FROM listed), (SELECT max(n) FROM listed)").fetchone()
    is_over = low is None or (cursor is not None and number is None)
    if not is_over:
        yield from listing.windows(sort, number, Window(low, high), bounds.window)


@functools.cache
def _candidates(*, suspended_only: bool, some_tried: bool) -> str:
    """The query of what is due: ?1 names what was tried, ?2 is the limit, ?3 the time."""
    untried = "AND id NOT IN (SELECT value FROM json_each(?1)) AND root NOT IN (SELECT value FROM json_each(?1))"
    rest = f"{untried if some_tried else 'AND ?1 IS NULL'} ORDER BY {{order}} LIMIT ?2"
    # The planner would rather sort all that is queued: the index is named, or the query fails.
    source = "INDEXED BY resumable WHERE suspended = 1 AND" if suspended_only else "INDEXED BY ready WHERE"
    by_rank = f"SELECT rank, id, root FROM tasks {source} state = 'queued' AND ready_at IS NULL "  # noqa: S608 - ours
    resumed = "AND suspended = 1 " if suspended_only else ""
    # The state: a release before kept there when a running one's lease ends.
    by_time = f"SELECT rank, id, root FROM tasks INDEXED BY timed WHERE ready_at <= ?3 AND state = 'queued' {resumed}"  # noqa: S608 - ours
    first, second = by_rank + rest.format(order="rank, id"), by_time + rest.format(order="ready_at")
    return f"SELECT * FROM ({first}) UNION ALL SELECT * FROM ({second})"  # noqa: S608 - ours


def _record(db: sqlite3.Connection, where: str, *values: object) -> Record | None:
    row = db.execute(f"SELECT id, record FROM tasks WHERE {where}", values).fetchone()  # noqa: S608 - `where` is ours
    return _parsed(*row) if row else None


def _parsed(task_id: str, text: str) -> Record:
    try:
        return read(Record, text)
    except Invalid as error:
        raise Damaged(task_id, str(error)) from error


def _latest(task_id: str, record: str) -> Session:
    session = _parsed(task_id, record).session
    if session is None:
        raise Damaged(task_id, "it has lost its session")
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


def _lease_record(db: sqlite3.Connection, role: str) -> LeaseRecord | None:
    row = db.execute("SELECT record FROM roles WHERE role = ?", (role,)).fetchone()
    return read(LeaseRecord, row[0]) if row else None


def _require(db: sqlite3.Connection, under: Under | None) -> None:
    if under:
        role_lease.require_current(under.role, _lease_record(db, under.role), under.fence)


def _columns(record: Record) -> tuple[object, ...]:
    """What is looked for, beside the record itself: the values of `_COLUMNS`."""
    task, session = record.task, record.session
    found = (record.root, task.state.value, 9 - task.priority, record.goes_on, record.ready_at, task.dedupe_key)
    return (*found, session.id if session else None, task.fence)


def _insert(db: sqlite3.Connection, record: Record) -> None:
    db.execute(_INSERT, (record.task.id, dump(record).decode(), *_columns(record)))
    if record.root == record.task.id:
        sql = "INSERT INTO budgets (root, version, sessions, usd_micros, reserved) VALUES (?, 1, ?, ?, 0)"
        db.execute(sql, (record.root, record.granted.sessions, record.granted.usd_micros))


def _update(db: sqlite3.Connection, old: Record, new: Record) -> None:
    """Write what changed: a column that is set costs its indexes a write even where it keeps its value."""
    pairs = zip(_COLUMNS, _columns(old), _columns(new), strict=True)
    changed = [(name, after) for name, before, after in pairs if after != before]
    sets = "".join([f", {name} = ?" for name, _ in changed])
    values = [dump(new).decode(), *[value for _, value in changed], new.task.id]
    db.execute(f"UPDATE tasks SET record = ?{sets} WHERE id = ?", values)  # noqa: S608 - ours
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
    if not blobs:
        return
    # A blob's name is the hash of its content: one that is there is the same.
    sql = "INSERT OR IGNORE INTO blobs (sha256, content) VALUES (?, ?)"
    named = [(digest(content), content) for content in blobs]
    db.executemany(sql, named)
    # One that was about to be deleted, because nothing named it, stays.
    db.executemany("DELETE FROM unnamed WHERE sha256 = ?", [(name,) for name, _ in named])


def _notify(db: sqlite3.Connection, old: Record | None, new: Record, targets: Sequence[str]) -> None:
    """Write the notices of a change. Most changes have none, and cost no look."""
    if outgoing.concerns(old, new):
        _post(db, outgoing.news(old, new, _notices_of(db, new.task.id), targets))


def _notices_of(db: sqlite3.Connection, task_id: str) -> list[Notice]:
    return _legible(db.execute(_NOTICES + "task = ?", (task_id,)))


def _legible(rows: Iterable[tuple[str, str]]) -> list[Notice]:
    """Read notices inside a write; those that cannot be read are named by who only reads."""
    found = []
    for text, _ in rows:
        with suppress(Invalid):
            found.append(read(Notice, text))
    return found


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
