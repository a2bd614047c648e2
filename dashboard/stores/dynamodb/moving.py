"""A table as a queue is moved out of it or into it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dashboard.record import UNFINISHED, FamilyBudget, Key, Record, Unready
from dashboard.rules import SUCCESSES
from dashboard.stores import Sort
from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.blobs import Blobs
from dashboard.stores.dynamodb.items import NEW, PRESENT, Item, delete, put, update
from dashboard.stores.dynamodb.items import Key as Place
from dashboard.stores.dynamodb.journals import Journals, cuts
from dashboard.stores.dynamodb.outbox import Outbox, items_of
from dashboard.stores.dynamodb.roles import Roles
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.journal import Used
from dashboard.stores.moving import Batches, Rest, WholeTask, chunks
from wire.types import Event, Session, SyncRun
from wire.values import dump, read

EARLIER = "earlier"
"""The session's name under which it is kept what days cost whose journals are gone."""


class HeldTask(Protocol):
    """A task's item as a store read it."""

    @property
    def item(self) -> Item:
        """All that is kept under its key."""

    @property
    def record(self) -> Record:
        """What it holds."""


class Reader(Protocol):
    """What is read of a table as its store reads it (`DynamoStore`, which makes its copies by this module)."""

    def walk(self, kinds: Iterable[str], sort: Sort) -> Iterator[str]:
        """Yield the ids of tasks in these states in order."""

    def members(self, root: str) -> list[str]:
        """Return the ids of a family but its root."""

    def damaged(self) -> list[str]:
        """Return the names of what was set aside."""

    def held(self, task_id: str) -> HeldTask:
        """Return a task as it is now."""

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family."""

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""

    def put_large(self, task_id: str, name: str | None, large: bytes | None) -> None:
        """Write what of a record is too large for its item."""

    def marks(self, prefix: str) -> dict[str, str]:
        """Return small texts by their names."""

    def spent(self, since: str) -> dict[str, Used]:
        """Return what all sessions used by day."""

    def by_day(self, session_id: str) -> dict[str, Used]:
        """Return what a session used by day."""


@dataclass(slots=True)
class TableSide:
    """See the module; `_store` is one of the same table."""

    table: Table
    _store: Reader
    _blobs: Blobs = field(init=False)
    _journals: Journals = field(init=False)
    _outbox: Outbox = field(init=False)
    _roles: Roles = field(init=False)

    def __post_init__(self) -> None:
        """Read it as a store does."""
        self._roles = Roles(self.table)
        self._blobs, self._journals, self._outbox = Blobs(self.table), Journals(self.table), Outbox(self.table)

    def begin(self, identity: str) -> None:
        """Claim the table for a queue that is moved in; raises `Unready` where it holds another one, or held one."""
        claimed = [self.table.write(put(layout.MOVING, {"id": identity}, only)) for only in (NEW, {"id": identity})]
        if not any(claimed) or self.table.get(layout.IDENTITY):
            raise self._used()

    def require_not_left(self) -> None:
        """Raise `Unready` where a queue was moved out of the table: no dashboard would open it any more."""
        if "gone" in (self.table.get(layout.IDENTITY) or {}):
            raise self._used()

    def _used(self) -> Unready:
        return Unready(f"the table {self.table.name} holds a queue, or held one: make another, by jada:table")

    def finish(self, identity: str) -> None:
        """Say that all of the queue is in the table."""
        writes = [put(layout.IDENTITY, {"id": identity}, NEW), delete(layout.MOVING)]
        if not self.table.write_all(writes, identity[:36]):
            raise Unready(f"the table {self.table.name} was given another queue meanwhile")

    def identity(self) -> str | None:
        """Return which queue is in the table, whole; None where none is."""
        held = self.table.get(layout.IDENTITY)
        return str(held["id"]) if held else None

    def leave(self) -> None:
        """Say that the queue is no longer here."""
        self.table.write(update(layout.IDENTITY, {"gone": 1}, {"pk": PRESENT}))
        self.table.write(delete(layout.MOVING))

    def ids(self) -> Iterator[str]:
        """Yield the ids of all tasks."""
        yield from [*self._store.walk(layout.KNOWN, Sort.OLDEST)]

    def ids_by_sessions(self) -> Iterator[str]:
        """Yield the ids of all tasks that were ever claimed."""
        for key in layout.shards("SESSION"):
            yield from (item["task"] for item in self.table.query(key, fields=("task",)) if "task" in item)

    def members(self, root: str) -> list[str]:
        """Return the ids of a family but its root."""
        return self._store.members(root)

    def version(self, task_id: str) -> int | None:
        """Return in which version a task's item is; None where there is none."""
        item = self.table.get(layout.task_key(task_id))
        return int(item["v"]) if item else None

    def damaged(self) -> list[str]:
        """Return what was set aside."""
        return [*self._store.damaged(), *(f"notice {name}" for name in sorted(self._outbox.broken))]

    def task(self, task_id: str) -> WholeTask:
        """Read a task."""
        held = self._store.held(task_id)
        record, names = held.record, held.item.get("ss", [])
        latest = record.session.id if record.session else None
        sessions = self.table.get_all(layout.session_key(name) for name in names)
        journals = {each["sk"]: self._batches(each) for each in sessions.values()}
        keys = self.table.get_all(layout.request_key(key) for key in held.item.get("keys", []))
        notices = [kept.notice for kept in self._outbox.of_task(task_id)]
        return WholeTask(
            record=record,
            budget=self._store.budget(task_id) if record.root == task_id else None,
            keys=tuple(Key(key=at.pk[2:], digest=item["digest"], task=task_id) for at, item in sorted(keys.items())),
            earlier=tuple(session for session in self._store.sessions(task_id) if session.id != latest),
            journals={name: batches for name, batches in journals.items() if batches},
            notices=tuple(sorted(notices, key=lambda notice: (notice.id, notice.target))),
            blobs=self._blobs.read(record.blobs),
        )

    def _batches(self, session: Item) -> Batches:
        found = self._journals.batches(session["sk"], cuts(session))
        texts = (self._journals.content(session["sk"], item) for item in found)
        return tuple(read(tuple[Event, ...], text or b"") for text in texts)

    def put(self, task: WholeTask) -> None:
        """Write a task, its record last."""
        record, task_id = task.record, task.record.task.id
        self._blobs.put(task_id, task.blobs.values())
        kept, large = layout.folded(record)
        self._store.put_large(task_id, kept["cold"], large)
        for name, batches in task.journals.items():
            for chunk in chunks(batches):
                self._journals.append(name, 0, chunk)
        self.table.put_all(self._beside(task))
        item: Item = {**kept, **layout.indexed(record), "v": 1, "w": [], "ro": record.root}
        item |= {"keys": [key.key for key in task.keys] or None, "ss": task.sessions or None}
        if task.budget:
            left = task.budget
            item |= {"bs": left.sessions, "bu": left.usd_micros, "br": left.reserved, "bv": left.version}
        self.table.put_all({layout.task_key(task_id): item})

    def _beside(self, task: WholeTask) -> dict[Place, Item]:
        record, task_id = task.record, task.record.task.id
        texts = {session.id: dump(session) for session in task.earlier}
        items: dict[Place, Item] = {
            layout.session_key(name): {"task": task_id, "rec": texts.get(name)} for name in task.sessions
        }
        items |= {layout.request_key(key.key): {"task": task_id, "digest": key.digest} for key in task.keys}
        if record.root != task_id:
            items[layout.child_key(record.root, task_id)] = {"parent": record.task.parent}
        if record.task.dedupe_key and record.task.state in UNFINISHED:
            items[layout.work_key(record.task.dedupe_key)] = {"task": task_id, "n": 1}
        for notice in task.notices:
            items |= items_of(notice)
        return items

    def rest(self) -> Rest:
        """Read what belongs to no task."""
        targets = self.table.get(layout.TARGETS)
        return Rest(
            runs=tuple(read(SyncRun, item["rec"]) for item in self.table.query("RUNS")),
            marks=self._store.marks(""),
            targets=tuple(targets["names"]) if targets else (),
            spent=self._store.spent(""),
            roles=self._roles.all(),
            kept={at: kept for at in self._roles.names() if (kept := self._roles.kept(*at))},
        )

    def put_rest(self, rest: Rest, tasks: Sequence[str]) -> None:
        """Write what belongs to no task. What days cost is kept by session; what no journal tells any more, as one."""
        items: dict[Place, Item] = {Place("MARKS", name): {"text": text} for name, text in rest.marks.items()}
        for number, run in enumerate(rest.runs, 1):
            items[Place("RUNS", f"{number:012}")] = {"rec": dump(run)}
            if run.outcome in SUCCESSES:
                items[layout.LAST_SUCCESS] = {"rec": dump(run), "n": number}
        items |= {layout.RUN_COUNT: {"n": len(rest.runs)}} if rest.runs else {}
        items |= {layout.TARGETS: {"names": list(rest.targets)}} if rest.targets else {}
        left = dict(rest.spent)
        for task_id in tasks:
            for session in self._store.sessions(task_id):
                for day, used in self._store.by_day(session.id).items():
                    items[layout.spent_key(session.id, day)] = {"t": used.turns, "u": used.usd_micros}
                    held = left.get(day, Used(0, 0))
                    left[day] = Used(held.turns - used.turns, held.usd_micros - used.usd_micros)
        for day, used in left.items():
            if used.turns or used.usd_micros:
                items[layout.spent_key(EARLIER, day)] = {"t": used.turns, "u": used.usd_micros}
        self.table.put_all(items)
        self._roles.put(rest.roles, rest.kept)
