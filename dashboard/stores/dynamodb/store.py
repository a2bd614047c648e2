"""The store over a DynamoDB table. See `dashboard.stores.Store`, and the package for what is where.

A move reads a record, decides, and writes it on the condition that its version is still the one that was read; else it
is run again on what is there by then. What belongs to the record is written before it, so that a crash leaves something
that nothing names and never a name of nothing. Each write leaves a nonce in the item: where an answer is lost and the
write sent again, it finds that it was this one.
"""

import heapq
import random
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from dashboard import outgoing, rules
from dashboard.caps import DayMove, DayUse
from dashboard.outgoing import Notice, NoticesMove
from dashboard.record import (
    NO_CHANGE,
    UNFINISHED,
    UNTIL_SUBTASKS,
    Busy,
    Damaged,
    FamilyBudget,
    Found,
    Key,
    Lost,
    Move,
    Moved,
    NotFound,
    Record,
    Unready,
    moment,
)
from dashboard.role_lease import LeaseRecord, LeaseRecordMove, Under
from dashboard.stores import (
    ALL_TASKS,
    AlarmMove,
    Candidate,
    Kept,
    Listing,
    NoticeFilter,
    Sort,
    TaskFilter,
    journal,
    require_answerable,
)
from dashboard.stores.census import Census
from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.blobs import Blobs
from dashboard.stores.dynamodb.families import MOST_TRIES, Families, Pending
from dashboard.stores.dynamodb.items import NEW, PRESENT, Item, Write, batches, delete, put, update
from dashboard.stores.dynamodb.items import Key as Place
from dashboard.stores.dynamodb.journals import Cuts, Journals, cuts, require_session
from dashboard.stores.dynamodb.layout import QUEUE, STATES, shards, task_key
from dashboard.stores.dynamodb.outbox import Kept as KeptNotice
from dashboard.stores.dynamodb.outbox import Outbox, by_name
from dashboard.stores.dynamodb.pruning import Pruning
from dashboard.stores.dynamodb.roles import Roles
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.journal import Readable, Used
from dashboard.stores.listing import first_id, read_cursor
from dashboard.stores.retention import Before, Freed
from wire.types import Event, Session, State, SyncRun
from wire.values import Invalid, dump, read

LOOKED = 500
"""Tasks that one listing reads: some 200 ms, and as many read units."""
NONCES = 4
"""Writes of an item that can still tell that they were done, when others followed at once."""
MOST_WRITES = 90
"""Of one transaction; DynamoDB takes a hundred."""
WAITING = 200
"""Tasks that wait for a user, of which the one that waits longest is looked for."""


@dataclass(frozen=True, slots=True)
class Held:
    """A task as it was read."""

    record: Record
    item: Item

    @property
    def version(self) -> int:
        """Grows with each write of its item."""
        return int(self.item["v"])

    @property
    def budget(self) -> FamilyBudget:
        """A root's: what is left to its family."""
        held = self.item
        return FamilyBudget(sessions=held["bs"], usd_micros=held["bu"], reserved=held["br"], version=held["bv"])


class DynamoStore:
    """See the module. `shuffle` mixes candidates of one rank, so that hosts do not all try the same one first."""

    unclean = False
    refused = 0
    searches = False

    def __init__(
        self,
        table: Table,
        *,
        targets: Sequence[str] = (),
        shuffle: Callable[[list[Candidate]], None] = random.shuffle,
        looked: int = LOOKED,
    ) -> None:
        self._table = table
        self._is_ending = False
        self._targets = targets
        self._shuffle = shuffle
        self._looked = looked
        self._blobs = Blobs(table)
        self._journals = Journals(table)
        self._outbox = Outbox(table)
        self._roles = Roles(table)
        self._families = Families(table)
        self._pruning = Pruning(table, self._blobs, self._journals, self._records, self.change, self._note_spent)

    def close(self) -> None:
        """Let go of connections."""
        self._table.close()

    def identity(self, new_id: str) -> str:
        """Return the id that this queue was given when it was first opened; `new_id` where it is now.

        Raises `Lost` where it was moved out, `Unready` while one is moved in.
        """
        if self._table.get(layout.MOVING):
            raise Unready(f"a queue is being moved into the table {self._table.name}: run `fab move-queue` again")
        self._table.write(put(layout.IDENTITY, {"id": new_id}, NEW))
        item = self._table.get(layout.IDENTITY)
        if item is None:
            raise Unready(f"a write to the table {self._table.name} cannot be read back")
        if "gone" in item:
            raise Lost(f"the queue of the table {self._table.name} was moved out", "leave dashboard.table empty")
        return str(item["id"])

    # One task.

    def get(self, task_id: str) -> Record:
        """Return a record."""
        try:
            return self.held(task_id).record
        except Damaged:
            self.set_aside(task_id)
            raise

    def held(self, task_id: str) -> Held:
        """Return a task as it is now; raises `NotFound`, `Damaged`."""
        for _ in self._table.tries():
            item = self._table.get(task_key(task_id))
            if item is None:
                raise NotFound(f"no task {task_id}")
            name = item.get("cold")
            large = self._table.get(layout.cold_key(task_id, name)) if name else None
            if name and large is None and self._is_replaced(task_id, item):
                continue
            return Held(_parsed(task_id, item, large), item)
        raise Busy(f"task {task_id} changes all the time")

    def _is_replaced(self, task_id: str, item: Item) -> bool:
        """Whether a record was replaced, and with it its large part, while it was read."""
        again = self._table.get(task_key(task_id))
        return again is None or again["v"] != item["v"]

    def _records(self, ids: Iterable[str]) -> dict[str, Record]:
        """Return those of these tasks that are there and can be read, as they are now."""
        return {name: held.record for name, held in self._all_held(ids).items()}

    def _all_held(self, ids: Iterable[str]) -> dict[str, Held]:
        wanted = [*dict.fromkeys(ids)]
        items = self._table.get_all(task_key(task_id) for task_id in wanted)
        found = {name: items[task_key(name)] for name in wanted if task_key(name) in items}
        large_keys = {n: layout.cold_key(n, item["cold"]) for n, item in found.items() if item.get("cold")}
        large = self._table.get_all(large_keys.values())
        held: dict[str, Held] = {}
        for name, item in found.items():
            key = large_keys.get(name)
            try:
                is_moved = key is not None and key not in large
                held[name] = (
                    self.held(name) if is_moved else Held(_parsed(name, item, (key and large.get(key)) or None), item)
                )
            except Damaged:
                self.set_aside(name)
            except NotFound:
                continue
        return held

    def set_aside(self, task_id: str) -> None:
        """Take a task out of the indexes, and note its name."""
        gone = dict.fromkeys(("rq", "rs", "lk", "ls"))
        if self._table.write(update(task_key(task_id), {**gone, "aside": 1}, {"pk": PRESENT})):
            self._note_damaged(task_id)

    def _note_damaged(self, name: str) -> None:
        self._table.write(put(Place("ASIDE", name), {}))

    def damaged(self) -> list[str]:
        """Return the names of what was set aside."""
        for name in [*self._outbox.broken]:
            self._note_damaged(f"notice {name}")
            self._outbox.broken.discard(name)
        return [item["sk"] for item in self._table.query("ASIDE")]

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family."""
        for number in self._table.tries():
            if held := self._settled(root, number):
                return held.budget
        raise Busy("unreachable")

    def _settled(self, root: str, number: int, own: str = "") -> Held | None:
        """Return a root whose budget is settled, its record unread, at this try; None to try again."""
        item = self._families.settled(root, MOST_TRIES - number, own)
        return Held(EMPTY, item) if item else None

    def add(self, record: Record, blobs: Sequence[bytes] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        for number in self._table.tries():
            seen = self._table.get_all(_asked(record, key))
            named = self._under_its_key(record, key, seen)
            found = self._found(named, key, seen, number)
            if found is None:
                continue
            held = rules.admit(named, key, found)
            is_new = held not in (found.keyed, found.same_id, found.same_work)
            if is_new and self._inserted(held, blobs, key, seen):
                self._require_parent(held)
                return held, True
            if not is_new and (not key or found.keyed or self._noted(held.task.id, key, seen)):
                return held, False
        raise Busy("unreachable")

    def _under_its_key(self, record: Record, key: Key | None, seen: Mapping[Place, Item]) -> Record:
        """Return the task under the id that its key names already, by a try of the same whose task is not there yet: of
        all that ask under one key one makes the task, because they make it under one id.
        """
        item = seen.get(layout.request_key(key.key)) if key else None
        if key is None or item is None or self._is_or_was_there(item["task"]):
            return record
        if not rules.same_request(item["digest"], key.digest):
            raise Invalid("Idempotency-Key", "was used for another request; use a new one for each new task")
        root = item["task"] if record.root == record.task.id else record.root
        return replace(record, task=replace(record.task, id=item["task"]), root=root)

    def _is_or_was_there(self, task_id: str) -> bool:
        """Whether a task stands, or is being deleted with all that is found under its id."""
        return any(self._table.get(key) for key in (task_key(task_id), layout.swept_key(task_id)))

    def _inserted(self, record: Record, blobs: Sequence[bytes], key: Key | None, seen: Mapping[Place, Item]) -> bool:
        """Write a task, after all that belongs to it: the name by its key, its blobs, its place in its family."""
        task, nonce = record.task, _nonce()
        before = seen.get(layout.request_key(key.key)) if key else None
        if key:
            only_if = {"task": before["task"]} if before else NEW
            item = {"task": task.id, "digest": key.digest, "w": [nonce]}
            if not self._table.write(put(layout.request_key(key.key), item, only_if), nonce):
                return False
        self._blobs.put(task.id, blobs)
        if task.parent:
            self._table.write(put(layout.child_key(record.root, task.id), {"parent": task.parent}))
        return self._written(self._insertion(record, nonce, seen, key), nonce)

    def _require_parent(self, record: Record) -> None:
        """Take a new subtask back whose parent was cancelled, or deleted, while it was written: who cancels looks for
        subtasks only then, and may have looked before. Raises `Invalid`.
        """
        parent = record.task.parent
        if parent is None:
            return
        above = self._records([parent]).get(parent)
        if above is None or above.task.state is State.CANCELLED:
            now = moment(record.task.created_at, "created_at")
            self.change(record.task.id, Move(lambda held, _: rules.cancel(held, now)))
            raise Invalid("parent", "was cancelled")

    def _noted(self, task_id: str, key: Key, seen: Mapping[Place, Item]) -> bool:
        """Let a key name a task that stood already, which knows of one key more then."""
        before = seen.get(layout.request_key(key.key))
        only_if = {"task": before["task"]} if before else NEW
        item = self.held(task_id).item
        keys = [*item.get("keys", ()), key.key]
        writes = [
            put(layout.request_key(key.key), {"task": task_id, "digest": key.digest}, only_if),
            update(task_key(task_id), {"keys": keys}, {"v": item["v"]}),
        ]
        return self._table.write_all(writes, _nonce())

    def _found(self, record: Record, key: Key | None, seen: Mapping[Place, Item], number: int) -> Found | None:
        """Return what is there already; None where the family's budget is not settled."""
        item = seen.get(layout.request_key(key.key)) if key else None
        work = seen.get(layout.work_key(record.task.dedupe_key)) if record.task.dedupe_key else None
        names = [item["task"] if item else None, work["task"] if work else None, record.task.parent, record.task.id]
        held = self._all_held(name for name in names if name)
        parent = held.get(record.task.parent or "")
        root = self._settled(parent.record.root, number) if parent else None
        if parent and root is None:
            return None
        return Found(
            key=Key(key=key.key, digest=item["digest"], task=item["task"]) if key and item else None,
            keyed=_record(held, item["task"]) if item else None,
            same_id=_record(held, record.task.id),
            same_work=_unfinished(held, work["task"] if work else None, record.task.dedupe_key),
            parent=parent.record if parent else None,
            budget=root.budget if root else None,
        )

    def _insertion(self, record: Record, nonce: str, seen: Mapping[Place, Item], key: Key | None = None) -> list[Write]:
        task, granted = record.task, record.granted
        kept, large = layout.folded(record)
        item: Item = {**kept, **layout.indexed(record), "v": 1, "w": [nonce], "ro": record.root}
        if key:
            item["keys"] = [key.key]
        writes: list[Write] = []
        if record.root == task.id:
            item |= {"bs": granted.sessions, "bu": granted.usd_micros, "br": 0, "bv": 1}
        if record.session:
            item["ss"] = [record.session.id]
        if task.dedupe_key:
            writes.append(_taking_over(task.dedupe_key, task.id, seen.get(layout.work_key(task.dedupe_key))))
        self.put_large(task.id, kept["cold"], large)
        return [put(task_key(task.id), item, NEW), *writes]

    def put_large(self, task_id: str, name: str | None, large: bytes | None) -> None:
        """Write what of a record is too large for its item, before that."""
        if name and large:
            self._table.write(put(layout.cold_key(task_id, name), {"rec": large}))

    def change(self, task_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace a record in one write, and book what that changes of its family's budget."""
        own = ""
        for number in self._table.tries():
            held = self._readable(task_id)
            is_root = held.record.root == task_id
            root = held if is_root and move.needs_budget and "pb" not in held.item else None
            if move.needs_budget and root is None and not (root := self._settled(held.record.root, number, own)):
                continue
            moved = move.applied(held.record, root.budget if root else None)
            if moved.record == held.record:
                return moved.record
            nonce = _nonce()
            self._blobs.put(task_id, blobs)
            writes = self._changes(held, moved, nonce, root)
            if is_root or moved.budget == NO_CHANGE:
                is_written = self._written(writes, nonce)
            else:
                settled = root or self._settled(held.record.root, number, own)
                own, pending = nonce, Pending(nonce, task_id, held.version, moved.budget)
                decided_by = root.budget.version if root else None
                is_written = bool(settled and self._booked(settled, decided_by, pending, writes))
            if is_written:
                self._tidy(held, moved.record)
                return moved.record
        raise Busy("unreachable")

    def _booked(self, root: Held, decided_by: int | None, pending: Pending, writes: Sequence[Write]) -> bool:
        """Write a member of a family, and its family's budget (`families`) in the version that it was decided by, where
        it was; return whether that was done.
        """
        if not self._families.announce(root.item, pending, decided_by) or not self._written(writes, pending.nonce):
            return False
        # The record is written: what cannot be booked now is by whoever needs the budget next.
        with suppress(Busy, Unready):
            self._families.book(root.item["pk"], pending)
        return True

    def _readable(self, task_id: str) -> Held:
        try:
            return self.held(task_id)
        except Damaged:
            self.set_aside(task_id)
            raise

    def _changes(self, held: Held, moved: Moved, nonce: str, root: Held | None) -> list[Write]:
        """Return the writes of a change but for another's budget, after writing what goes before them."""
        old, new = held.record, moved.record
        task_id = new.task.id
        kept, large = layout.folded(new)
        kept["cold"] = _cold_name(kept["cold"], held)
        if kept["cold"] != held.item.get("cold"):
            self.put_large(task_id, kept["cold"], large)
        sets: Item = {**_different(held.item, {**kept, **layout.indexed(new)}), "v": held.version + 1}
        sets["w"] = [*held.item.get("w", ()), nonce][-NONCES:]
        if new.session and (old.session is None or new.session.id != old.session.id):
            self._begin_session(old, new.session)
            sets["ss"] = [*held.item.get("ss", ()), new.session.id]
        self._note_dropped(old, new)
        only_if = {"v": held.version}
        adds: dict[str, int] | None = None
        difference = moved.budget
        if old.root == task_id:
            only_if |= {"bv": root.budget.version} if root else {}
            if difference != NO_CHANGE:
                adds = {"bs": difference.sessions, "bu": difference.usd_micros, "br": difference.reserved, "bv": 1}
        elif difference != NO_CHANGE:
            sets["bn"] = nonce
        writes = [update(task_key(task_id), sets, only_if, adds)]
        return [*writes, *self._revival(old, new), *self._telling(old, new)]

    def _begin_session(self, old: Record, session: Session) -> None:
        """Write down whose a new session is, and keep the record of the one before it."""
        if old.session:
            self._table.write(update(layout.session_key(old.session.id), {"rec": dump(old.session)}))
        self._table.write(update(layout.session_key(session.id), {"task": session.task}))

    def _note_dropped(self, old: Record, new: Record) -> None:
        """Write down blobs that a record will name no more, for `prune`: before it is written, or one is forgotten."""
        for name in dict.fromkeys(old.blobs):
            if name not in new.blobs:
                self._table.write(put(Place("SWEEP", f"blob#{name}#{new.task.id}"), {}))

    def _revival(self, old: Record, new: Record) -> list[Write]:
        key = new.task.dedupe_key
        if key is None or new.task.state not in UNFINISHED or old.task.state in UNFINISHED:
            return []
        seen = self._table.get(layout.work_key(key))
        other = self._records([seen["task"]]).get(seen["task"]) if seen else None
        rules.require_no_same_work(new, other if other and other.task.state in UNFINISHED else None)
        return [_taking_over(key, new.task.id, seen)]

    def _telling(self, old: Record | None, new: Record) -> list[Write]:
        if not outgoing.concerns(old, new):
            return []
        held = self._outbox.of_task(new.task.id)
        fresh = outgoing.news(old, new, [kept.notice for kept in held], self._targets)
        return self._outbox.written(fresh, by_name(held))

    def _written(self, writes: Sequence[Write], nonce: str) -> bool:
        if len(writes) == 1:
            return self._table.write(writes[0], nonce)
        return not writes or self._table.write_all(writes, nonce)

    def _tidy(self, held: Held, new: Record) -> None:
        """Do what may be left out by a crash: delete the large part that was replaced, and sum up an ended session."""
        before = held.item.get("cold")
        if before and before != _cold_name(layout.folded(new)[0]["cold"], held):
            self._table.delete_all([layout.cold_key(new.task.id, before)])
        if new.session and new.ended_fence != held.record.ended_fence:
            self._note_spent(new.session.id)

    def change_by_session(self, session_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace the record that a session belongs to in one write."""
        return self.change(self._owner(session_id)["task"], move, blobs)

    def _owner(self, session_id: str) -> Item:
        """Return a session's item; raises `NotFound` for one whose claim was never written."""
        item = require_session(self._table, session_id)
        owner = self._table.get(task_key(item.get("task", "")))
        if "task" not in item or owner is None or session_id not in owner.get("ss", ()):
            raise NotFound(f"no session {session_id}")
        return item

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None, under: Under | None = None) -> None:
        """Move open alarms and keep a sync run."""
        for _ in self._table.tries():
            nonce = _nonce()
            fenced = self._roles.require(under)
            keys = {key: layout.work_key(key) for key in moves}
            seen = self._table.get_all(keys.values())
            held = self._all_held(item["task"] for item in seen.values())
            writes = self._run_writes(run) if run else []
            for key, move in moves.items():
                name = seen[keys[key]]["task"] if keys[key] in seen else None
                old = _unfinished(held, name, key)
                new = move(old)
                if new is None or new == old:
                    continue
                if old is None or name is None:
                    writes += [*self._insertion(new, nonce, seen), *self._telling(None, new)]
                else:
                    moved = Move(lambda _, __, new=new: new).applied(old)  # type: ignore[misc]
                    writes += self._changes(held[name], moved, nonce, None)
            if self._written([*writes, *fenced] if writes else [], nonce):
                return

    def _run_writes(self, run: SyncRun) -> list[Write]:
        seen = self._table.get(layout.RUN_COUNT)
        number = seen["n"] + 1 if seen else 1
        item = {"rec": dump(run)}
        writes = [
            update(layout.RUN_COUNT, {"n": number}, {"n": seen["n"]} if seen else NEW),
            put(Place("RUNS", f"{number:012}"), item),
        ]
        is_success = run.outcome in rules.SUCCESSES
        return [*writes, put(layout.LAST_SUCCESS, {**item, "n": number})] if is_success else writes

    # What is due.

    def candidates(
        self, now: float, *, suspended_only: bool = False, without: Collection[str] = (), limit: int = 10
    ) -> list[Candidate]:
        """Return tasks that are due."""
        kinds = ("resume",) if suspended_only else ("ready", "resume")
        looks = [(key, "") for kind in kinds for key in shards(kind)]
        looks += [(key, f"{layout.seconds(now)}~") for key in shards("due")]
        found: list[Candidate] = []
        for key, last in looks:
            entries = self._table.query(key, index=QUEUE, last=last, page=limit if not without else 10 * limit)
            fit = (each for each in entries if not suspended_only or each.get("go", 1))
            untried = (_candidate(each) for each in fit)
            found += islice((c for c in untried if c.id not in without and c.root not in without), limit)
        ranked: list[Candidate] = []
        for _, equals in groupby(sorted(found), key=lambda each: each.rank):
            mixed = [*equals]
            self._shuffle(mixed)
            ranked += mixed
        return ranked[:limit]

    def running(self) -> list[Record]:
        """Return what runs."""
        ids = [each["ls"] for key in shards(State.RUNNING.value) for each in self._table.query(key, index=STATES)]
        found = self._records(sorted(ids)).values()
        return [record for record in found if record.task.state is State.RUNNING]

    def leased(self) -> list[Record]:
        """Return what a host holds."""
        cancelled = self._records(each["rs"] for each in self._table.query(layout.LEASED, index=QUEUE)).values()
        return [*self.running(), *(record for record in cancelled if record.is_leased)]

    def waiting_parents(self) -> list[Record]:
        """Return what waits for subtasks."""
        never = layout.seconds(moment(UNTIL_SUBTASKS, "not_before").timestamp())
        found = [each for key in shards("due") for each in self._table.query(key, index=QUEUE, first=never)]
        records = self._records(_candidate(each).id for each in found).values()
        return [record for record in records if record.task.waits_for]

    def census(self, now: float) -> Census:
        """Return how many tasks are in each state, and which have waited longest."""
        counts = {kind: sum(self._table.count(key, index=STATES) for key in shards(kind)) for kind in layout.KNOWN}
        waiting = islice(self.walk([State.NEEDS_YOU.value], Sort.OLDEST), WAITING)
        since = [r.task.waiting.since for r in self._records(waiting).values() if r.task.waiting]
        return Census(
            states={state: count for state, count in counts.items() if count},
            queued=self._oldest_due(now),
            waiting=min(since, default=None),
        )

    def _oldest_due(self, now: float) -> str | None:
        for record in self._read(self.walk([State.QUEUED.value], Sort.OLDEST)):
            is_due = record.ready_at is None or record.ready_at <= now
            if is_due and record.task.state is State.QUEUED:
                return record.task.id
        return None

    # Lists.

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        found = self._read(self.walk(_kinds(which), Sort.NEWEST, last=before))
        fit = (r for r in found if which.state in (None, r.task.state))
        return [*islice(fit, limit)]

    def listing(
        self, which: TaskFilter = ALL_TASKS, *, sort: Sort = Sort.NEWEST, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        """Return the tasks that fit all filters; there is no index of words, nor one of costs."""
        require_answerable(which, sort)
        if which.words is not None:
            raise Invalid("words", "cannot be searched in a queue on DynamoDB: filter by state, label, cost or time")
        if sort is Sort.COST:
            raise Invalid("sort", "must be newest or oldest in a queue on DynamoDB, which has no index of costs")
        after = read_cursor(cursor, sort)[1] if cursor else None
        first = "" if which.since is None else first_id(which.since)
        last = None if which.until is None else first_id(which.until)
        if after and sort is Sort.OLDEST:
            first = max(first, f"{after}!")
        elif after:
            last = min(last or after, after)
        found: list[Record] = []
        seen: str | None = None
        walked = self.walk(_kinds(which), sort, first=first, last=last)
        for looked, record in enumerate(self._read(walked)):
            fits = _fits(record, which)
            if looked == self._looked or (fits and len(found) == limit):
                return Listing(found, seen)
            seen = record.task.id
            found += [record] if fits else []
        return Listing(found, None)

    def walk(self, kinds: Iterable[str], sort: Sort, *, first: str = "", last: str | None = None) -> Iterator[str]:
        """Yield the ids of tasks in these states in order, from `first` on and before `last`."""
        newest_first = sort is not Sort.OLDEST
        # `!` sorts before what any id could go on with, so that the last itself is left out.
        bound = "" if last is None else last[:-1] + chr(ord(last[-1]) - 1) + "~"
        queries = [
            self._table.query(key, index=STATES, first=first, last=bound, newest_first=newest_first, page=100)
            for kind in kinds
            for key in shards(kind)
        ]
        ids = ((each["ls"] for each in items) for items in queries)
        return heapq.merge(*ids, reverse=newest_first)

    def _read(self, ids: Iterator[str]) -> Iterator[Record]:
        while some := [*islice(ids, 50)]:
            yield from self._records(some).values()

    def index_earlier(self) -> bool:
        """Each release of ours has written what lists are found by."""
        return False

    def relatives(self, root: str) -> list[Record]:
        """Return a family's unfinished members but its root."""
        found = self._records(self.members(root)).values()
        return [record for record in found if record.task.state in UNFINISHED]

    def members(self, root: str) -> list[str]:
        """Return the ids of a family but its root."""
        return [item["sk"][2:] for item in self._table.query(f"T#{root}", first="C#", last="C#~", fields=("sk",))]

    def made(self, roots: Collection[str]) -> dict[str, int]:
        """Count families but their roots."""
        counts = {root: len(self.members(root)) for root in roots}
        return {root: count for root, count in counts.items() if count}

    def children(self, record: Record, *, limit: int) -> list[Record]:
        """Return tasks that a task made, the oldest first."""
        links = self._table.query(f"T#{record.root}", first="C#", last="C#~")
        ids = [item["sk"][2:] for item in links if item.get("parent") == record.task.id]
        return [*islice(self._read(iter(ids)), limit)]

    # Blobs, sessions and journals.

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their digests."""
        return self._blobs.read(digests)

    def session(self, session_id: str) -> Session:
        """Return a session."""
        found = self._sessions([require_session(self._table, session_id)])
        if not found:
            raise NotFound(f"no session {session_id}")
        return found[0]

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        item = self._table.get(task_key(task_id))
        names = item.get("ss", ()) if item else ()
        items = self._table.get_all(layout.session_key(name) for name in names)
        return sorted(self._sessions(items.values()), key=lambda session: session.id)

    def _sessions(self, items: Iterable[Item]) -> list[Session]:
        """A task's latest session is in its record, where each move finds it; those before have their own."""
        wanted = [item for item in items if "task" in item]
        records = self._records(item["task"] for item in wanted)
        found = []
        for item in wanted:
            record = records.get(item["task"])
            if record and record.session and record.session.id == item["sk"]:
                found.append(record.session)
            elif record and "rec" in item:
                try:
                    found.append(read(Session, item["rec"]))
                except Invalid:
                    self._note_damaged(f"session {item['sk']}")
        return found

    def recent_sessions(self, since: str, *, limit: int) -> list[Session]:
        """Return sessions from an id on, newest first."""
        queries = [self._table.query(key, first=since, newest_first=True, page=100) for key in shards("SESSION")]
        items = heapq.merge(*queries, key=lambda item: str(item["sk"]), reverse=True)
        found: list[Session] = []
        while len(found) < limit and (some := [*islice(items, 100)]):
            found += self._sessions(some)
        return found[:limit]

    def sessions_since(self, since: str, *, limit: int) -> int:
        """Count the sessions from an id on."""
        return len(self.recent_sessions(since, limit=limit))

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        for _ in self._table.tries():
            session = self._owner(session_id)
            record = self.get(session["task"])
            rules.require_current_fence(record, session_id, fence)
            known = self._journals.settled(session, record)
            held = self._journals.held(session_id, known)
            fresh = rules.unheld(events, held)
            # All are made before the first is written: one that could not be read back refuses its batch.
            if all(self._journals.append(session_id, fence, chunk) for chunk in journal.chunks(fresh)):
                after = self.get(session["task"])
                rules.require_current_fence(after, session_id, fence)
                if fresh and after.task.state is not State.RUNNING:
                    self._note_spent(session_id)
                return held + len(fresh)
        raise Busy("unreachable")

    def _known(self, session_id: str) -> Cuts:
        """Return which batches of a journal count; raises `NotFound`."""
        session = self._owner(session_id)
        record = self._records([session["task"]]).get(session["task"])
        return self._journals.settled(session, record) if record else cuts(session)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        return self._journals.events(session_id, self._known(session_id), after)

    def chunks(self, session_id: str, *, after: int = 0) -> Iterator[list[Readable]]:
        """Return a session's delivered journal piece by piece."""
        known = self._known(session_id)
        found = self._journals.batches(session_id, known)
        pieces = (self._journals.readable(session_id, item) for item in found if item["last"] > after)
        return ([record for record in piece if record.n > after] for piece in pieces)

    def passage(self, session_id: str, *, before: int | None = None, size: int) -> list[Readable]:
        """Return the last records of a journal before record `before`."""
        known = self._known(session_id)
        found: list[Readable] = []
        left = size
        for item in self._journals.batches(session_id, known, newest_first=True):
            if before is not None and item["first"] >= before:
                continue
            piece = self._journals.readable(session_id, item)
            found[:0] = piece
            left -= sum(len(msgspec.json.encode(record)) for record in piece)
            if left <= 0:
                break
        return journal.newest(found, before, size)

    def used(self, session_id: str) -> Used:
        """Return what a session used so far by its delivered journal."""
        return journal.total(self.series(session_id))

    def series(self, session_id: str) -> list[Used]:
        """Return what a session used, delivery by delivery."""
        session = self._table.get(layout.session_key(session_id))
        return self._journals.series(session_id, cuts(session or {}))

    def _note_spent(self, session_id: str) -> None:
        """Keep what a session used by day: written again, it says the same."""
        for day, used in self.by_day(session_id).items():
            self._table.write(put(layout.spent_key(session_id, day), {"t": used.turns, "u": used.usd_micros}))

    def by_day(self, session_id: str) -> dict[str, Used]:
        """Return what a session used by day, by its journal."""
        session = self._table.get(layout.session_key(session_id))
        return journal.used_by_day(self._journals.events(session_id, cuts(session or {}), 0))

    def spent(self, since: str) -> dict[str, Used]:
        """Return what all sessions used by day: those that run by their journals, others as their ends said."""
        found: dict[tuple[str, str], Used] = {}
        for key in shards("SPENT"):
            for item in self._table.query(key, first=since):
                day, session_id = item["sk"].split("#", 1)
                found[day, session_id] = Used(item["t"], item["u"])
        for record in self.running():
            if record.session:
                live = self.by_day(record.session.id).items()
                found |= {(day, record.session.id): used for day, used in live if day >= since}
        days: dict[str, Used] = {}
        for (day, _), used in sorted(found.items()):
            old = days.get(day, Used(0, 0))
            days[day] = Used(old.turns + used.turns, old.usd_micros + used.usd_micros)
        return days

    # Sync runs, marks and the outbox.

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        found: list[SyncRun] = []
        for item in self._table.query("RUNS", newest_first=True, page=limit):
            if len(found) == limit:
                break
            found += self._run(item)
        return found

    def _run(self, item: Item) -> list[SyncRun]:
        try:
            return [read(SyncRun, item["rec"])]
        except Invalid:
            self._note_damaged(f"sync run {item['sk'].lstrip('0')}")
            return []

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that is known to have succeeded."""
        item = self._table.get(layout.LAST_SUCCESS)
        found = self._run({**item, "sk": str(item["n"])}) if item else []
        return found[0] if found else None

    def marks(self, prefix: str) -> dict[str, str]:
        """Return small texts by their names."""
        return {item["sk"]: item["text"] for item in self._table.query("MARKS", first=prefix, last=f"{prefix}~")}

    def mark(self, name: str, text: str | None) -> None:
        """Keep a small text, or no more."""
        key = Place("MARKS", name)
        self._table.write(delete(key) if text is None else put(key, {"text": text}))

    def notices(self, which: NoticeFilter) -> list[Notice]:
        """Return notices of the outbox."""
        return [kept.notice for kept in self._outbox.found(which)]

    def change_notices(self, which: NoticeFilter, move: NoticesMove, under: Under | None = None) -> None:
        """Replace or add notices, some dozens in each write: each of them stands by itself."""
        for _ in self._table.tries():
            fenced = self._roles.require(under)
            found = self._outbox.found(which)
            wanted = [*move([kept.notice for kept in found])]
            if self._posted(wanted, found, fenced):
                return

    def _posted(self, notices: Sequence[Notice], found: Iterable[KeptNotice], fenced: Sequence[Write] = ()) -> bool:
        held = by_name(found)
        unknown = [notice for notice in notices if (notice.id, notice.target) not in held]
        held |= by_name(self._outbox.kept(unknown))
        writes = self._outbox.written(notices, held)
        return all(self._written([*some, *fenced], _nonce()) for some in batches(writes, MOST_WRITES))

    def sent_lately(self, since: float) -> Mapping[str, int]:
        """Return how many messages each target got since a time."""
        return self._outbox.sent_lately(since)

    def catch_up(self, targets: Sequence[str], now: float) -> None:
        """Write what targets that are new have not heard of."""
        item = self._table.get(layout.TARGETS)
        known = item["names"] if item else []
        if new := [target for target in targets if target not in known]:
            for record in self._read(self.walk(sorted(state.value for state in outgoing.TELLING), Sort.OLDEST)):
                self._catch_up(record, new, now)
        if known != [*targets]:
            self._table.write(put(layout.TARGETS, {"names": [*targets]}))

    def _catch_up(self, record: Record, new: Sequence[str], now: float) -> None:
        for _ in self._table.tries():
            held = self._outbox.of_task(record.task.id)
            if self._posted(outgoing.caught_up(record, [kept.notice for kept in held], new, now), held):
                return

    # The store itself.

    def roles(self) -> dict[str, LeaseRecord]:
        """Return all roles."""
        return self._roles.all()

    def change_role(self, role: str, move: LeaseRecordMove) -> LeaseRecord:
        """Replace a role's lease in one write."""
        return self._roles.change(role, move)

    def keep(self, role: str, fence: int, name: str, content: bytes, version: int) -> int:
        """Keep a content under a role's name."""
        return self._roles.keep(role, fence, name, content, version)

    def kept(self, role: str, name: str) -> Kept | None:
        """Return what is kept under a role's name."""
        return self._roles.kept(role, name)

    def day(self, day: str) -> DayUse | None:
        """Return what is used of a day."""
        item = self._table.get(Place("DAYS", day))
        return DayUse(item["n"], item["u"]) if item else None

    def change_day(self, day: str, move: DayMove) -> tuple[DayUse | None, DayUse]:
        """Replace what is used of a day, on the condition that it is what was read."""
        for _ in self._table.tries():
            item = self._table.get(Place("DAYS", day))
            old = DayUse(item["n"], item["u"]) if item else None
            new = move(old)
            if new == old:
                return old, new
            nonce = _nonce()
            kept = {"n": new.sessions, "u": new.usd_micros, "v": item["v"] + 1 if item else 1}
            kept["w"] = [*(item or {}).get("w", ()), nonce][-NONCES:]
            kept[layout.GONE_AT] = layout.gone_at(day)
            if self._table.write(put(Place("DAYS", day), kept, {"v": item["v"]} if item else NEW), nonce):
                return old, new
        raise Busy("unreachable")

    def prune(self, before: Before) -> Freed:
        """Delete what is finished and older."""
        return self._pruning.prune(before)

    def room(self) -> None:
        """None: a table has no disk that could be full."""

    def prove(self) -> None:
        """Count one up, and read that back; raises `Unready`."""
        before = self._table.get(layout.PROOF)
        try:
            self._table.write(update(layout.PROOF, {}, None, {"n": 1}))
            after = self._table.get(layout.PROOF)
        except Busy as error:
            raise Unready(str(error)) from error
        if after is None or after["n"] <= (before["n"] if before else 0):
            raise Unready(f"a write to the table {self._table.name} cannot be read back")

    def check(self) -> None:
        """Nothing: a table's pages are DynamoDB's to check, and reading all of it would cost more than it says."""

    def back_up(self, path: Path) -> None:
        """Write a checked copy to a new file, which is a queue of its own then, task by task beside those who work."""
        # Here, not at the top: only a backup needs SQLite.
        from dashboard.stores.dynamodb.export import export  # noqa: PLC0415 - see above
        from dashboard.stores.dynamodb.moving import TableSide  # noqa: PLC0415 - see above

        # A store of its own, which notes for no other what it finds broken.
        export(TableSide(self._table, DynamoStore(self._table)), path, lambda: self._is_ending)

    def stop_long_reads(self) -> None:
        """End a copy at its next task."""
        self._is_ending = True


EMPTY: Any = None
"""In place of a record where only the budget is read."""


def _nonce() -> str:
    return uuid.uuid4().hex[:12]


def _parsed(task_id: str, item: Item, large: Item | None) -> Record:
    try:
        return layout.unfolded(item, large["rec"] if large else None)
    except Invalid as error:
        raise Damaged(task_id, str(error)) from error


def _record(held: Mapping[str, Held], task_id: str) -> Record | None:
    return held[task_id].record if task_id in held else None


def _unfinished(held: Mapping[str, Held], task_id: str | None, dedupe_key: str | None) -> Record | None:
    """The task that does the work of a dedupe key, if it is not finished."""
    record = _record(held, task_id or "")
    same = record and record.task.dedupe_key == dedupe_key and record.task.state in UNFINISHED
    return record if same else None


def _asked(record: Record, key: Key | None) -> list[Place]:
    """Where it is looked whether a new task stands already."""
    found = [layout.request_key(key.key)] if key else []
    return [*found, *([layout.work_key(record.task.dedupe_key)] if record.task.dedupe_key else [])]


def _taking_over(dedupe_key: str, task_id: str, seen: Item | None) -> Write:
    """The write by which a task does the work of a dedupe key; it counts, so that of two such writes one fails."""
    n = seen["n"] if seen else 0
    return put(layout.work_key(dedupe_key), {"task": task_id, "n": n + 1}, {"n": n} if seen else NEW)


def _cold_name(digest: str | None, held: Held) -> str | None:
    """Return the name of a record's large part: as it is held while it is the same, and otherwise one that never was.
    Whoever deletes a part that was replaced may come late, when a part of the same content is named again.
    """
    held_name: str | None = held.item.get("cold")
    if digest is None or (held_name and held_name.partition("-")[0] == digest):
        return held_name if digest else None
    return f"{digest}-{held.version + 1}"


def _different(item: Item, wanted: Item) -> Item:
    """What of an item must be set: an index is written to where its key is set, even to the same value."""
    return {name: value for name, value in wanted.items() if item.get(name) != value}


def _candidate(entry: Item) -> Candidate:
    *_, rank, task_id = entry["rs"].split("#")
    return Candidate(int(rank), task_id, entry["ro"])


def _kinds(which: TaskFilter) -> Sequence[str]:
    if which.state is None:
        return layout.KNOWN
    return (which.state.value if which.state.is_known else layout.OTHER,)


def _fits(record: Record, which: TaskFilter) -> bool:
    task = record.task
    return all(
        (
            which.state in (None, task.state),
            which.label is None or which.label in task.labels,
            which.least is None or task.usd_micros_spent >= which.least,
            which.most is None or task.usd_micros_spent <= which.most,
            which.since is None or task.id >= first_id(which.since),
            which.until is None or task.id < first_id(which.until),
        )
    )
