"""A table's queue copied into a file, checked, while others work on it.

Each task is copied as it was at one moment, and read back; not all at the same one. So what is left to a family is
counted from the records that were copied. Tasks are found by the lists of states, twice, since one that goes from state
to state may just be in neither; by the sessions, which begin before a task leaves its list; and by their families.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.record import Busy, Damaged, Ending, FamilyBudget, NotFound, Record, Unready
from dashboard.stores import sqlite
from dashboard.stores.dynamodb.moving import TableSide
from dashboard.stores.moving import FileSide, WholeTask
from wire.disk import sync_folder

TRIES = 10
"""How often a task is read, where it changes meanwhile."""


def export(side: TableSide, path: Path, is_ending: Callable[[], bool] = lambda: False) -> None:
    """Write a whole copy to `path`, checked and durable before it has its name. Raises `Unready` for a table that holds
    no queue, or something that cannot be read, and once the process `is_ending`; and `Busy`.
    """
    identity = side.identity()
    if identity is None:
        raise Unready(f"the table {side.table.name} holds no queue")
    half = path.with_name(f".{path.name}.half")
    _remove(half)
    try:
        file = FileSide(half, identity)
        try:
            Copying(side, file, is_ending).all()
        finally:
            file.close()
        sqlite.require_sound(half, is_ending)
        with half.open("rb") as written:
            os.fsync(written.fileno())
        half.replace(path)
        sync_folder(path.parent)
    finally:
        _remove(half)


def _remove(half: Path) -> None:
    # With its log, and the marker that says that a queue was here.
    for file in half.parent.glob(f"{half.name}*"):
        file.unlink()


@dataclass(slots=True)
class Copying:
    """See the module."""

    source: TableSide
    target: FileSide
    is_ending: Callable[[], bool] = lambda: False
    _done: set[str] = field(default_factory=set)
    _left: dict[str, FamilyBudget] = field(default_factory=dict)

    def all(self) -> None:
        """Copy all there is; raises `Unready`, `Busy`."""
        for task_id in self._found():
            self._copy(task_id)
        for root in [*self._left]:
            for task_id in self.source.members(root):
                self._copy(task_id)
        for root, left in self._left.items():
            self.target.put_budget(root, left)
        rest = self.source.rest()
        self.target.put_rest(rest, ())
        if self.target.rest() != rest:
            raise Unready("sync runs, marks, what days cost or what the sync keeps came out otherwise than they are")
        _require_readable(self.source.damaged())

    def _found(self) -> Iterator[str]:
        yield from sorted({*self.source.ids(), *self.source.ids(), *self.source.ids_by_sessions()})

    def _copy(self, task_id: str) -> None:
        if self.is_ending():
            raise Ending
        if task_id in self._done:
            return
        try:
            whole = self._whole(task_id)
        except NotFound:
            # Deleted meanwhile, with its whole family.
            return
        root = whole.record.root
        if root != task_id:
            self._copy(root)
            if root not in self._done:
                return
        self.target.put(whole)
        if self.target.task(task_id) != whole:
            raise Unready(f"task {task_id} came out otherwise than it is")
        self._done.add(task_id)
        self._count(root, whole.record, whole.budget)

    def _whole(self, task_id: str) -> WholeTask:
        for _ in range(TRIES):
            before = self.source.version(task_id)
            try:
                whole = self.source.task(task_id)
            except Damaged:
                _require_readable([f"task {task_id}"])
            except NotFound:
                # Of a blob that a change has let go of, or of the task.
                if self.source.version(task_id) is None:
                    raise
                continue
            if self.source.version(task_id) == before:
                return whole
        raise Busy(f"task {task_id} changes all the time: try again in a moment")

    def _count(self, root: str, record: Record, own: FamilyBudget | None) -> None:
        held = self._left.get(root) or FamilyBudget(sessions=0, usd_micros=0, version=own.version if own else 1)
        task, granted = record.task, record.granted
        self._left[root] = FamilyBudget(
            sessions=held.sessions + granted.sessions - task.sessions_used,
            usd_micros=held.usd_micros + granted.usd_micros - task.usd_micros_spent - record.reserved,
            reserved=held.reserved + record.reserved,
            version=held.version,
        )


def _require_readable(damaged: Sequence[str]) -> None:
    if damaged:
        names = ", ".join(damaged)
        raise Unready(f"what cannot be read would be missing: {names}; point-in-time recovery may have it whole")
