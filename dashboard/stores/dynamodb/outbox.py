"""Notices in the table: by task, found by when they are due, by when they were sent, and by message.

The indexes may be a moment late, so each notice that they find is read again before it is believed.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from dashboard.outgoing import Notice
from dashboard.stores import MOST_NOTICES, NoticeFilter
from dashboard.stores.dynamodb.items import NEW, Item, Key, Write, put
from dashboard.stores.dynamodb.layout import QUEUE, STATES, seconds
from dashboard.stores.dynamodb.table import Table
from wire.values import Invalid, dump, read

NOTICES = "notices"


class Kept(NamedTuple):
    """A notice as it was read, and the version it was in."""

    notice: Notice
    version: int


class Outbox:
    """See the module. `broken` is told the name of a notice that cannot be read."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.broken: set[str] = set()

    def of_task(self, task_id: str) -> list[Kept]:
        """Return a task's notices."""
        return self._parsed(self._table.query(f"N#{task_id}"))

    def found(self, which: NoticeFilter) -> list[Kept]:
        """Return notices by the one field that is given."""
        if which.message:
            keys = [_key(item["sk"]) for item in self._table.query(f"M#{which.message}", fields=("sk",))]
            return [kept for kept in self._read(keys) if kept.notice.message == which.message]
        if which.due is not None:
            due = which.due
            keys = self._keys(QUEUE, last=f"{seconds(due)}~")
            found = [kept for kept in self._read(keys) if _is_by(kept.notice.due_at, due)]
            return sorted(found, key=lambda kept: (kept.notice.due_at or 0, kept.notice.id, kept.notice.target))
        since = which.since or 0
        keys = self._keys(STATES, first=seconds(since), newest_first=True)
        found = [kept for kept in self._read(keys) if kept.notice.sent_at is not None and kept.notice.sent_at >= since]
        return sorted(found, key=lambda kept: (-(kept.notice.sent_at or 0), kept.notice.id, kept.notice.target))

    def _keys(self, index: str, *, first: str = "", last: str = "", newest_first: bool = False) -> list[Key]:
        found = self._table.query(
            NOTICES, index=index, first=first, last=last, newest_first=newest_first, page=MOST_NOTICES
        )
        return [Key(item["pk"], item["sk"]) for item in islice(found, MOST_NOTICES)]

    def _read(self, keys: Iterable[Key]) -> list[Kept]:
        wanted = [*keys]
        items = self._table.get_all(wanted)
        return self._parsed(items[key] for key in wanted if key in items)

    def _parsed(self, items: Iterable[Item]) -> list[Kept]:
        found = []
        for item in items:
            try:
                found.append(Kept(read(Notice, item["rec"]), item["v"]))
            except Invalid:
                self.broken.add(item["sk"].replace("#", " for "))
        return found

    def kept(self, notices: Iterable[Notice]) -> list[Kept]:
        """Return notices as they are kept, if they are."""
        return self._read([_place(notice) for notice in notices])

    def sent_lately(self, since: float) -> dict[str, int]:
        """Return how many messages each target got since a time."""
        found = self._table.query(NOTICES, index=STATES, first=seconds(since))
        # A message's notices were settled together.
        messages = {(item["sk"].rsplit("#", 1)[1], item["ls"].split("#", 1)[0]) for item in found}
        targets = [target for target, _ in messages]
        return {target: targets.count(target) for target in targets}

    def written(self, notices: Iterable[Notice], held: Mapping[tuple[str, str], Kept]) -> list[Write]:
        """Return the writes of notices, given those that were read."""
        writes: list[Write] = []
        for notice in notices:
            before = held.get((notice.id, notice.target))
            if before and before.notice == notice:
                continue
            key = _place(notice)
            version = before.version if before else 0
            writes.append(put(key, _item(notice, version + 1), {"v": version} if before else NEW))
            if notice.message and (before is None or before.notice.message != notice.message):
                writes.append(put(Key(f"M#{notice.message}", f"{key.pk}#{key.sk}"), {}))
        return writes


def by_name(kept: Iterable[Kept]) -> dict[tuple[str, str], Kept]:
    """Return notices by what they are replaced by."""
    return {(each.notice.id, each.notice.target): each for each in kept}


def _place(notice: Notice) -> Key:
    return Key(f"N#{notice.task}", f"{notice.id}#{notice.target}")


def items_of(notice: Notice) -> dict[Key, Item]:
    """Return a notice's items, as a queue is moved in with it."""
    place = _place(notice)
    pointer = {Key(f"M#{notice.message}", f"{place.pk}#{place.sk}"): Item()} if notice.message else {}
    return {place: _item(notice, 1), **pointer}


def _item(notice: Notice, version: int) -> Item:
    tail = f"{notice.id}#{notice.target}"
    due = None if notice.due_at is None else f"{seconds(notice.due_at)}#{tail}"
    sent = None if notice.sent_at is None else f"{seconds(notice.sent_at)}#{tail}"
    return {
        "rec": dump(notice),
        "v": version,
        "rq": due and NOTICES,
        "rs": due,
        "lk": sent and NOTICES,
        "ls": sent,
    }


def _key(pointer: str) -> Key:
    n, task, rest = pointer.split("#", 2)
    return Key(f"{n}#{task}", rest)


def _is_by(at: float | None, limit: float) -> bool:
    return at is not None and at <= limit
