"""What is deleted from the table when it has been kept for long enough.

A family goes in two steps: its records, in one write on the condition that none has changed, with a note of what
belonged to them; then what the notes name. A crash between the two is made up for by the next run.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from dashboard.record import Move, NotFound, Record, moment
from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.blobs import Blobs
from dashboard.stores.dynamodb.items import Item, Key, batches, delete, put
from dashboard.stores.dynamodb.journals import Journals
from dashboard.stores.dynamodb.layout import STATES, shards, task_key
from dashboard.stores.dynamodb.roles import NOTE, Roles
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.retention import FINISHED, OVER, Before, Freed, file_removal, is_past
from wire.types import State, SyncRun
from wire.values import Invalid, read

AT_ONCE = 40
"""Tasks of a family that one transaction deletes; two writes each."""
Records = Callable[[Iterable[str]], dict[str, Record]]


class Pruning:
    """See the module. `records` reads tasks, `change` is the store's, `note_spent` keeps what a session used before its
    journal goes.
    """

    def __init__(
        self,
        table: Table,
        blobs: Blobs,
        journals: Journals,
        records: Records,
        change: Callable[[str, Move], Record],
        note_spent: Callable[[str], None],
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._journals = journals
        self._roles = Roles(table)
        self._records = records
        self._change = change
        self._note_spent = note_spent

    def prune(self, before: Before) -> Freed:
        """Delete what is finished and older; return what was deleted."""
        tasks = sum(self._delete_family(root, before.tasks) for root in self._roots(before.tasks))
        files = sum(self._remove_files(record, before.files) for record in self._over(before.files, _has_files))
        sizes = self._sweep()
        journals = sum(self._delete_journals(record, before.journals) for record in self._over(before.journals))
        runs = self._delete_runs(before.sync_runs)
        return Freed(
            tasks=tasks, journals=journals, files=files, sync_runs=runs, blobs=len(sizes), blob_bytes=sum(sizes)
        )

    def _of_states(self, states: Iterable[State]) -> Iterator[Record]:
        for kind in sorted(state.value for state in states):
            for key in shards(kind):
                ids = (item["ls"] for item in self._table.query(key, index=STATES, page=100))
                while some := [*islice(ids, 100)]:
                    yield from self._records(some).values()

    def _roots(self, before: float | None) -> Iterator[str]:
        if before is not None:
            found = self._of_states(FINISHED)
            yield from (r.root for r in found if r.root == r.task.id and is_past(r, before, FINISHED))

    def _over(self, before: float | None, wanted: Callable[[Record], bool] = lambda _: True) -> Iterator[Record]:
        if before is not None:
            # Their families last: each is read item by item.
            found = filter(wanted, self._of_states(OVER))
            yield from (r for r in found if is_past(r, before, OVER) and self._family(r.root, before, OVER))

    def _family(self, root: str, before: float, states: frozenset[State]) -> dict[str, Item]:
        """Return the items of a whole family by their tasks, or none where one of them is to stay."""
        links = self._table.query(f"T#{root}", first="C#", last="C#~", fields=("sk",))
        members = [root, *(item["sk"][2:] for item in links)]
        items = self._table.get_all(task_key(name) for name in members)
        records = self._records(members)
        there = [name for name in members if task_key(name) in items]
        stays = any(name not in records or not is_past(records[name], before, states) for name in there)
        return {} if stays else {name: items[task_key(name)] for name in there}

    def _delete_family(self, root: str, before: float | None) -> int:
        family = self._family(root, before or 0, FINISHED)
        records = self._records(family)
        count = 0
        # The root last: what is left of a family is found by it.
        for some in batches([*family][::-1], AT_ONCE):
            writes = [delete(task_key(name), {"v": family[name]["v"]}) for name in some]
            writes += [put(layout.swept_key(name), _note(records[name], family[name])) for name in some]
            if not self._table.write_all(writes, uuid.uuid4().hex):
                break
            count += len(some)
        return count

    def _sweep(self) -> list[int]:
        sizes: list[int] = []
        for item in [*self._table.query("SWEEP")]:
            kind, name = item["sk"].split("#", 1)
            if kind == NOTE:
                if self._roles.swept(name, item):
                    self._table.delete_all([Key("SWEEP", item["sk"])])
                continue
            sizes += self._sweep_task(name, item) if kind == "task" else self._sweep_blob(*name.split("#", 1))
            self._table.delete_all([Key("SWEEP", item["sk"])])
        return sizes

    def _sweep_blob(self, name: str, task_id: str) -> list[int]:
        record = self._records([task_id]).get(task_id)
        return [] if record and name in record.blobs else self._blobs.forget(task_id, [name])

    def _sweep_task(self, task_id: str, item: Item) -> list[int]:
        note: dict[str, Any] = msgspec.json.decode(item["note"])
        for session in note["sessions"]:
            self._table.delete_under(f"J#{session}")
        self._table.delete_all(layout.session_key(session) for session in note["sessions"])
        for key in note["keys"]:
            self._table.write(delete(layout.request_key(key), {"task": task_id}))
        if note["work"]:
            self._table.write(delete(layout.work_key(note["work"]), {"task": task_id}))
        for notice in self._table.query(f"N#{task_id}"):
            self._delete_pointer(notice)
        self._table.delete_under(f"N#{task_id}")
        self._table.delete_under(f"T#{task_id}")
        self._table.delete_all([layout.child_key(note["root"], task_id)])
        return self._blobs.forget(task_id, note["blobs"])

    def _delete_pointer(self, notice: Item) -> None:
        message = msgspec.json.decode(notice["rec"]).get("message")
        if message:
            self._table.delete_all([Key(f"M#{message}", f"{notice['pk']}#{notice['sk']}")])

    def _remove_files(self, record: Record, before: float | None) -> int:
        if before is None:
            return 0
        try:
            return len(record.files) - len(self._change(record.task.id, file_removal(before)).files)
        except NotFound:
            return 0  # it was deleted meanwhile, or cannot be read: that must not keep all others

    def _delete_journals(self, record: Record, before: float | None) -> int:
        item = self._table.get(task_key(record.task.id)) or {}
        count = 0
        for session in item.get("ss", ()):
            if before is not None and any(True for _ in self._table.query(f"J#{session}", fields=("sk",), page=1)):
                self._note_spent(session)
                self._table.delete_under(f"J#{session}")
                count += 1
        return count

    def _delete_runs(self, before: float | None) -> int:
        if before is None:
            return 0
        success = self._table.get(layout.LAST_SUCCESS)
        kept = f"{success['n']:012}" if success else None
        earlier = [*self._table.query("RUNS")][:-1]
        old = [item for item in earlier if item["sk"] != kept and _ended_before(item, before)]
        self._table.delete_all(Key("RUNS", item["sk"]) for item in old)
        return len(old)


def _has_files(record: Record) -> bool:
    return bool(record.files or record.workspace)


def _note(record: Record, item: Item) -> Item:
    note = {
        "root": record.root,
        "sessions": item.get("ss", []),
        "keys": item.get("keys", []),
        "work": record.task.dedupe_key,
        "blobs": record.blobs,
    }
    return {"note": msgspec.json.encode(note)}


def _ended_before(item: Item, before: float) -> bool:
    try:
        return moment(read(SyncRun, item["rec"]).finished_at, "finished_at").timestamp() < before
    except Invalid:
        # One that cannot be read goes with those reported after it.
        return True
