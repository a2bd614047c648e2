"""What is moved when a queue goes from one store to another: each task with all that is its own, and the rest.

Both sides are read into these values, so that what was written is proven by reading it back and comparing.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from dashboard.outgoing import Notice
from dashboard.record import FamilyBudget, Key, Record, Unready, digest
from dashboard.role_lease import LeaseRecord
from dashboard.stores import Kept, journal, sqlite
from dashboard.stores.journal import Chunk, Used
from wire.types import Event, Session, SyncRun
from wire.values import Invalid, dump, read

T = TypeVar("T")
Batches = tuple[tuple[Event, ...], ...]


@dataclass(frozen=True, slots=True)
class WholeTask:
    """A task with all that is its own; `earlier` are its sessions before the one in its record."""

    record: Record
    budget: FamilyBudget | None
    keys: tuple[Key, ...]
    earlier: tuple[Session, ...]
    journals: Mapping[str, Batches]
    notices: tuple[Notice, ...]
    blobs: Mapping[str, bytes]

    @property
    def sessions(self) -> list[str]:
        """The ids of its sessions, oldest first."""
        latest = [self.record.session.id] if self.record.session else []
        return [*(session.id for session in self.earlier), *latest]


@dataclass(frozen=True, slots=True)
class Rest:
    """What belongs to no task: sync runs from the oldest on, marks, the targets that were caught up with, what each day
    cost, and who holds which role, with what its holders keep under their names.
    """

    runs: tuple[SyncRun, ...]
    marks: Mapping[str, str]
    targets: tuple[str, ...]
    spent: Mapping[str, Used]
    roles: Mapping[str, LeaseRecord] = field(default_factory=dict)
    kept: Mapping[tuple[str, str], Kept] = field(default_factory=dict)


@dataclass(slots=True)
class Counted:
    """What was moved."""

    tasks: int = 0
    sessions: int = 0
    events: int = 0
    notices: int = 0
    blobs: int = 0
    runs: int = 0

    def add(self, task: WholeTask) -> None:
        """Count a task."""
        self.tasks += 1
        self.sessions += len(task.sessions)
        self.events += sum(len(batch) for batches in task.journals.values() for batch in batches)
        self.notices += len(task.notices)
        self.blobs += len(task.blobs)


class Side(Protocol):
    """A store, as a queue is moved out of it or into it."""

    def ids(self) -> Iterator[str]:
        """Yield the ids of all tasks."""

    def task(self, task_id: str) -> WholeTask:
        """Read a task."""

    def rest(self) -> Rest:
        """Read what belongs to no task."""

    def put(self, task: WholeTask) -> None:
        """Write a task; once more changes nothing."""

    def put_rest(self, rest: Rest, tasks: Sequence[str]) -> None:
        """Write what belongs to no task, after these tasks."""

    def damaged(self) -> list[str]:
        """Return the names of what cannot be read."""


@dataclass(slots=True)
class FileSide:
    """A SQLite file."""

    path: Path
    identity: str = ""
    _store: sqlite.SqliteStore = field(init=False)
    _db: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        """Open it, or begin a new one of this identity."""
        self._store = sqlite.SqliteStore(self.path, new_id=lambda: self.identity)
        self.identity = str(self._store.id)
        self._db = self._store._db

    def close(self) -> None:
        """Close the file; its log goes into it."""
        self._store.close()

    def ids(self) -> Iterator[str]:
        """Yield the ids of all tasks."""
        yield from [name for (name,) in self._db.execute("SELECT id FROM tasks ORDER BY id")]

    def damaged(self) -> list[str]:
        """Return what cannot be read, as far as it was met."""
        return self._store.damaged()

    def task(self, task_id: str) -> WholeTask:
        """Read a task."""
        record = self._store.get(task_id)
        keys = self._db.execute("SELECT key, digest FROM keys WHERE task = ? ORDER BY key", (task_id,))
        names = [name for (name,) in self._db.execute("SELECT id FROM sessions WHERE task = ? ORDER BY id", (task_id,))]
        latest = record.session.id if record.session else None
        notices = [
            _strictly(Notice, text, f"notice {name}")
            for text, name in self._db.execute(sqlite._NOTICES + "task = ?", (task_id,))
        ]
        return WholeTask(
            record=record,
            budget=self._store.budget(task_id) if record.root == task_id else None,
            keys=tuple(Key(key=key, digest=sent, task=task_id) for key, sent in keys),
            earlier=tuple(session for session in self._store.sessions(task_id) if session.id != latest),
            journals={name: batches for name in names if (batches := self._batches(name))},
            notices=tuple(sorted(notices, key=lambda notice: (notice.id, notice.target))),
            blobs=self._store.blobs(record.blobs),
        )

    def _batches(self, session_id: str) -> Batches:
        sql = "SELECT content FROM deliveries JOIN blobs USING (sha256) WHERE session = ? ORDER BY first"
        return tuple(read(tuple[Event, ...], content) for (content,) in self._db.execute(sql, (session_id,)))

    def rest(self) -> Rest:
        """Read what belongs to no task."""
        runs = self._db.execute("SELECT record, n FROM sync_runs ORDER BY n")
        held = self._db.execute("SELECT value FROM meta WHERE key = 'targets'").fetchone()
        return Rest(
            runs=tuple(_strictly(SyncRun, text, f"sync run {n}") for text, n in runs),
            marks=self._store.marks(""),
            targets=tuple(msgspec.json.decode(held[0])) if held else (),
            spent=self._store.spent(""),
            roles=self._store.roles(),
            kept={
                (role, name): Kept(version, bytes(content))
                for role, name, version, content in self._db.execute("SELECT role, name, version, content FROM kept")
            },
        )

    def put(self, task: WholeTask) -> None:
        """Write a task, in one transaction."""
        record = task.record
        with self._store._writing() as db:
            sqlite._put(db, [*task.blobs.values()])
            sqlite._insert(db, record)
            if task.budget:
                _put_budget(db, record.root, task.budget)
            sql = "INSERT INTO sessions (id, task, record) VALUES (?, ?, ?)"
            texts = {session.id: dump(session).decode() for session in task.earlier}
            db.executemany(sql, [(name, record.task.id, texts.get(name)) for name in task.sessions])
            for name, batches in task.journals.items():
                _put_journal(db, name, batches)
            sql = "INSERT INTO keys (key, digest, task) VALUES (?, ?, ?)"
            db.executemany(sql, [(key.key, key.digest, record.task.id) for key in task.keys])
            sqlite._post(db, task.notices)

    def put_budget(self, root: str, left: FamilyBudget) -> None:
        """Write what is left to a family."""
        with self._store._writing() as db:
            _put_budget(db, root, left)

    def put_rest(self, rest: Rest, _tasks: Sequence[str]) -> None:
        """Write what belongs to no task, in one transaction."""
        with self._store._writing() as db:
            sql = "INSERT INTO sync_runs (outcome, record) VALUES (?, ?)"
            db.executemany(sql, [(run.outcome.value, dump(run).decode()) for run in rest.runs])
            rows = [(f"mark:{name}", text) for name, text in rest.marks.items()]
            rows.append(("targets", msgspec.json.encode(rest.targets).decode()))
            db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", rows)
            spent = [(day, used.turns, used.usd_micros) for day, used in rest.spent.items()]
            db.executemany("INSERT INTO spent (day, turns, usd_micros) VALUES (?, ?, ?)", spent)
            leases = [(role, dump(lease).decode()) for role, lease in rest.roles.items()]
            db.executemany("INSERT INTO roles (role, record) VALUES (?, ?)", leases)
            kept = [(*at, each.version, digest(each.content), each.content) for at, each in rest.kept.items()]
            db.executemany("INSERT INTO kept (role, name, version, sha256, content) VALUES (?, ?, ?, ?, ?)", kept)


def _put_budget(db: sqlite3.Connection, root: str, left: FamilyBudget) -> None:
    sql = "UPDATE budgets SET version = ?, sessions = ?, usd_micros = ?, reserved = ? WHERE root = ?"
    db.execute(sql, (left.version, left.sessions, left.usd_micros, left.reserved, root))


def chunks(batches: Batches) -> list[Chunk]:
    """Return a journal's batches as a store keeps them."""
    texts = [b"[" + b",".join(dump(event) for event in batch) + b"]" for batch in batches]
    pairs = zip(batches, texts, strict=True)
    return [Chunk(batch[0].n, batch[-1].n, text, journal.used(batch)) for batch, text in pairs]


def _put_journal(db: sqlite3.Connection, session_id: str, batches: Batches) -> None:
    for chunk in chunks(batches):
        used = chunk.used
        sqlite._put(db, [chunk.content])
        row = (chunk.first, chunk.last, digest(chunk.content), used.turns, used.usd_micros, used.tokens)
        db.execute(sqlite._DELIVERY, (session_id, *row))


def _strictly(kind: type[T], text: str, name: str) -> T:
    """Read what is moved: where a store passes over what it cannot read, a move would lose it."""
    try:
        return read(kind, text)
    except Invalid as error:
        raise Unready(f"what cannot be read is not moved, and would be lost: {name} ({error})") from error


def move(source: Side, target: Side) -> Counted:
    """Copy all of a queue, read it back and compare; return what was moved. Raises `Unready` for what is not equal."""
    require_readable(source)
    ids = [*source.ids()]
    for task_id in ids:
        target.put(source.task(task_id))
    target.put_rest(source.rest(), ids)
    # Once more: what was passed over is known now.
    require_readable(source)
    return require_same(source, target)


def require_same(source: Side, target: Side) -> Counted:
    """Return what two stores hold, the same tasks with all that is theirs and the same rest; raises `Unready` where
    they do not.
    """
    ids, moved = sorted(source.ids()), sorted(target.ids())
    if ids != moved:
        odd = min({*ids} ^ {*moved})
        raise Unready(f"{len(ids)} tasks here and {len(moved)} there; one that only one has is {odd}")
    counted = Counted()
    for task_id in ids:
        whole = source.task(task_id)
        if whole != target.task(task_id):
            raise Unready(f"task {task_id} came out otherwise than it is")
        counted.add(whole)
    rest = source.rest()
    if rest != target.rest():
        raise Unready("sync runs, marks, what days cost or what the sync keeps came out otherwise than they are")
    require_readable(source)
    counted.runs = len(rest.runs)
    return counted


def require_readable(source: Side) -> None:
    """Raise `Unready`, which names it, where something was met that cannot be read."""
    if damaged := source.damaged():
        raise Unready(f"what cannot be read is not moved, and would be lost: {', '.join(damaged)}")
