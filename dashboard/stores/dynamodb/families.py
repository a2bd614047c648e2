"""A family's budget, in its root's item, and the members' records that change with it: two items, and no transaction.

Who changes a member so that the budget changes first notes in the root's item what is to come (`Pending`), then writes
the member on the condition that it is still as it was read, with the note's nonce, and then books. What takes of the
budget is booked with the note, what gives back only afterwards: the budget never says more than there is. A note that
was left is met by whoever needs the budget next. The member's nonce says whether it was written; one that still could
be is made impossible, by another version of the member.
"""

from dataclasses import dataclass
from typing import Any

from dashboard.record import NO_CHANGE, BudgetChange, NotFound
from dashboard.stores.dynamodb.items import MISSING, PRESENT, Item, Key, update
from dashboard.stores.dynamodb.layout import META, task_key
from dashboard.stores.dynamodb.table import Table

MOST_TRIES = 6
"""Looks at a note that is another's before its write is made impossible: a fifth of a second, many times a write."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What a member's write is to change of its family's budget; `version` is the member's, on which it is written."""

    nonce: str
    task: str
    version: int
    change: BudgetChange

    @property
    def takes(self) -> bool:
        """Whether it is booked with its note."""
        return self.change.sessions < 0 or self.change.usd_micros < 0

    @property
    def listed(self) -> list[Any]:
        """As it stands in the root's item."""
        change = self.change
        return [self.nonce, self.task, self.version, change.sessions, change.usd_micros, change.reserved]


def pending_of(root: Item) -> Pending | None:
    """Return the note in a root's item."""
    if "pb" not in root:
        return None
    nonce, task, version, sessions, usd_micros, reserved = root["pb"]
    return Pending(nonce, task, version, BudgetChange(sessions=sessions, usd_micros=usd_micros, reserved=reserved))


class Families:
    """See the module."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def settled(self, root: str, looks_left: int, own: str = "") -> Item | None:
        """Return a root's item where its budget is what its members' records say; None: look again, a write is under
        way. With no `looks_left`, or where the note is one's `own`, that write is made impossible. Raises
        `NotFound`.
        """
        item = self._table.get(task_key(root))
        if item is None or "bv" not in item:
            raise NotFound(f"no family {root}")
        pending = pending_of(item)
        if pending is None:
            return item
        member = self._table.get(task_key(pending.task)) or {}
        is_written = member.get("bn") == pending.nonce
        if is_written and pending.takes:
            return item
        if not is_written and member.get("v") == pending.version:
            if looks_left > 0 and pending.nonce != own:
                return None
            version = {"v": pending.version}
            self._table.write(update(task_key(pending.task), {"v": pending.version + 1}, version))
            return None
        self._close(item["pk"], pending, _booked(pending, is_written=is_written))
        return None

    def announce(self, root: Item, pending: Pending, version: int | None) -> bool:
        """Note what is to come in a settled root's item, where its budget is still in this version, if one is given;
        return whether that was done.
        """
        only_if = {"pb": root.get("pb", MISSING), **({"pk": PRESENT} if version is None else {"bv": version})}
        adds = _adds(pending.change) if pending.takes else None
        return self._table.write(update(Key(root["pk"], META), {"pb": pending.listed}, only_if, adds), pending.nonce)

    def book(self, root: str, pending: Pending) -> None:
        """Book what a member's write gave back; another may have done so. `root` is its item's key."""
        if not pending.takes:
            self._close(root, pending, pending.change)

    def _close(self, root: str, pending: Pending, change: BudgetChange) -> None:
        adds = _adds(change) if change != NO_CHANGE else None
        self._table.write(update(Key(root, META), {"pb": None}, {"pb": pending.listed}, adds))


def _booked(pending: Pending, *, is_written: bool) -> BudgetChange:
    """What is still to be booked of a note: what its write gave back, or what it had taken and never wrote."""
    if is_written:
        return pending.change
    change = pending.change
    undone = BudgetChange(sessions=-change.sessions, usd_micros=-change.usd_micros, reserved=-change.reserved)
    return undone if pending.takes else NO_CHANGE


def _adds(change: BudgetChange) -> dict[str, int]:
    return {"bs": change.sessions, "bu": change.usd_micros, "br": change.reserved, "bv": 1}
