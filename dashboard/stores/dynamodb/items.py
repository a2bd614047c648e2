"""DynamoDB's items as plain dictionaries, and conditional writes as values. Pure."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Item = dict[str, Any]
"""An item's attributes by name: texts, whole numbers, bytes, lists of them."""


class Key(NamedTuple):
    """Where an item is."""

    pk: str
    sk: str


class Presence(enum.Enum):
    """What a condition may ask of an attribute beside its value."""

    MISSING = "attribute_not_exists"
    PRESENT = "attribute_exists"


MISSING, PRESENT = Presence.MISSING, Presence.PRESENT
NEW = {"pk": MISSING}
"""The condition of an item that is not there yet."""


def packed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as DynamoDB's JSON has it; what is None is left out."""
    return {name: _packed(value) for name, value in item.items() if value is not None}


def _packed(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    return {"L": [_packed(each) for each in value]}


def plain(item: Mapping[str, Any]) -> Item:
    """Return an item's attributes; the opposite of `packed`."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, held),) = value.items()
    if kind == "N":
        return int(held) if held.lstrip("-").isdigit() else float(held)
    return [_plain(each) for each in held] if kind == "L" else held


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a transaction, or one by itself: `what` is DynamoDB's word for it (Put, Update, Delete,
    ConditionCheck); it happens only when each attribute of `only_if` has that value or presence.
    """

    what: str
    key: Key
    item: Mapping[str, Any] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    adds: Mapping[str, int] = field(default_factory=dict)
    only_if: Mapping[str, Any] = field(default_factory=dict)

    def request(self, table: str) -> dict[str, Any]:
        """Return the parameters of its call."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name(attribute: str) -> str:
            return names.setdefault(f"#{attribute}", attribute) and f"#{attribute}"

        def value(given: Any) -> str:
            mark = f":{len(values)}"
            values[mark] = _packed(given)
            return mark

        found: dict[str, Any] = {"TableName": table}
        if self.what == "Put":
            found["Item"] = packed({"pk": self.key.pk, "sk": self.key.sk, **self.item})
        else:
            found["Key"] = packed(self.key._asdict())
        if self.what == "Update":
            sets = [f"{name(n)} = {value(v)}" for n, v in self.sets.items() if v is not None]
            removes = [name(n) for n, v in self.sets.items() if v is None]
            adds = [f"{name(n)} {value(v)}" for n, v in self.adds.items()]
            parts = (("SET", sets), ("REMOVE", removes), ("ADD", adds))
            found["UpdateExpression"] = " ".join(f"{word} {', '.join(each)}" for word, each in parts if each)
        conditions = [
            f"{v.value}({name(n)})" if isinstance(v, Presence) else f"{name(n)} = {value(v)}"
            for n, v in self.only_if.items()
        ]
        found |= {"ConditionExpression": " AND ".join(conditions)} if conditions else {}
        found |= {"ExpressionAttributeNames": names} if names else {}
        return found | ({"ExpressionAttributeValues": values} if values else {})


def put(key: Key, item: Mapping[str, Any], only_if: Mapping[str, Any] | None = None) -> Write:
    """Return the write of a whole item."""
    return Write("Put", key, item=item, only_if=only_if or {})


def update(
    key: Key,
    sets: Mapping[str, Any],
    only_if: Mapping[str, Any] | None = None,
    adds: Mapping[str, int] | None = None,
) -> Write:
    """Return the write of some attributes; one that is None is removed, `adds` are added to what is there."""
    return Write("Update", key, sets=sets, adds=adds or {}, only_if=only_if or {})


def delete(key: Key, only_if: Mapping[str, Any] | None = None) -> Write:
    """Return the deletion of an item."""
    return Write("Delete", key, only_if=only_if or {})


def check(key: Key, only_if: Mapping[str, Any]) -> Write:
    """Return a condition on an item that a transaction leaves as it is."""
    return Write("ConditionCheck", key, only_if=only_if)


def batches(values: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut a sequence into parts of at most `size`."""
    return [values[start : start + size] for start in range(0, len(values), size)]
