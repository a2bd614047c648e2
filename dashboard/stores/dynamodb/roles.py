"""Roles in the table, and what their holders keep.

A content is in parts under a name of its own, written before the record that names it; the record is written in one
transaction with a look at the holder's fence. Parts that no record names are found by a note that is written before
them, and deleted once no record can come to name them: when a later version is kept, or another has the role.
"""

import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from dashboard import role_lease
from dashboard.record import Busy, digest
from dashboard.role_lease import LeaseRecord, LeaseRecordMove, Under
from dashboard.stores import Kept, replaces
from dashboard.stores.dynamodb.items import NEW, PRESENT, Item, Key, Write, check, delete, put
from dashboard.stores.dynamodb.table import Table
from wire.values import dump, read

PART = 350 * 1024
"""Bytes of a part: an item holds 400 KB with its keys."""
# A write whose answer was lost finds itself by its nonce, also when others wrote since.
NONCES = 4
NOTE = "kept"
"""The kind of its notes under SWEEP."""


class Roles:
    """See the module."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def all(self) -> dict[str, LeaseRecord]:
        """Return all roles."""
        return {item["sk"]: read(LeaseRecord, item["rec"]) for item in self._table.query("ROLES")}

    def change(self, role: str, move: LeaseRecordMove) -> LeaseRecord:
        """Replace a role's lease, on the condition that it is the one that was read."""
        for _ in self._table.tries():
            item = self._table.get(_role(role))
            old = read(LeaseRecord, item["rec"]) if item else None
            new = move(old)
            if new == old:
                return new
            nonce = uuid.uuid4().hex[:12]
            only_if = {"v": item["v"]} if item else NEW
            if self._table.write(put(_role(role), _written(new, item, nonce), only_if), nonce):
                return new
        raise Busy("unreachable")

    def require(self, under: Under | None) -> list[Write]:
        """Return the condition that a fence is current, for a transaction; raises `Conflict` where it is not now."""
        if under is None:
            return []
        item = self._table.get(_role(under.role))
        role_lease.require_current(under.role, read(LeaseRecord, item["rec"]) if item else None, under.fence)
        return [_current(*under)]

    def keep(self, role: str, fence: int, name: str, content: bytes, version: int) -> int:
        """Keep a content under a role's name."""
        sha256 = digest(content)
        for _ in self._table.tries():
            self.require(Under(role, fence))
            before = self._table.get(_head(role, name))
            if not replaces(name, (before["version"], before["sha256"]) if before else None, version, sha256):
                return version + 1
            if self._replaced(role, fence, name, content, before):
                return version + 1
        raise Busy("unreachable")

    def _replaced(self, role: str, fence: int, name: str, content: bytes, before: Item | None) -> bool:
        packed = zlib.compress(content)
        generation = uuid.uuid4().hex[:8]
        parts = [packed[start : start + PART] for start in range(0, len(packed), PART)]
        version = before["version"] + 1 if before else 1
        head: Item = {"version": version, "sha256": digest(content), "gen": generation, "parts": len(parts)}
        note = _note(role, name, version, generation)
        self._table.write(put(note, {"fence": fence, "parts": len(parts)}))
        self._table.put_all({_part(role, name, generation, n): {"data": part} for n, part in enumerate(parts)})
        writes = [
            _current(role, fence),
            put(_head(role, name), head, {"gen": before["gen"]} if before else NEW),
            delete(note),
            *_left(role, name, before, fence),
        ]
        if not self._table.write_all(writes, uuid.uuid4().hex):
            # Its parts are left to the note: a try of this write may still be under way.
            return False
        if before:
            self._delete(role, name, before["gen"], before["parts"])
            self._table.write(delete(_note(role, name, before["version"], before["gen"])))
        return True

    def _delete(self, role: str, name: str, generation: str, parts: int) -> None:
        self._table.delete_all(_part(role, name, generation, n) for n in range(parts))

    def kept(self, role: str, name: str) -> Kept | None:
        """Return what is kept under a role's name."""
        for _ in self._table.tries():
            head = self._table.get(_head(role, name))
            if head is None:
                return None
            keys = [_part(role, name, head["gen"], n) for n in range(head["parts"])]
            parts = self._table.get_all(keys)
            # Else another version took its place while it was read.
            if len(parts) == len(keys):
                return Kept(head["version"], zlib.decompress(b"".join(parts[key]["data"] for key in keys)))
        raise Busy(f"{name} of the {role} changes all the time, or parts of it are gone")

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield under which roles and names something is kept."""
        for item in self._table.query("KEPT", fields=("sk",)):
            role, name = item["sk"].split("#", 1)
            yield role, name

    def swept(self, text: str, note: Item) -> bool:
        """Delete the parts of a note where no record names them, nor can come to; return whether the note is done."""
        role, name, version, generation = text.split("#")
        # The fence first: a record that is read under a later one stays without these parts if it is without them now.
        holder = self._table.get(_role(role))
        head = self._table.get(_head(role, name))
        if head and head["gen"] == generation:
            return True
        is_late = head is not None and head["version"] >= int(version)
        is_fenced = holder is not None and holder["fence"] > note["fence"]
        if not is_late and not is_fenced:
            return False
        self._delete(role, name, generation, note["parts"])
        return True

    def put(self, leases: Mapping[str, LeaseRecord], kept: Mapping[tuple[str, str], Kept]) -> None:
        """Write roles and what is kept, as they were in another store."""
        self._table.put_all({_role(role): _written(each, None, "") for role, each in leases.items()})
        for (role, name), each in kept.items():
            packed, generation = zlib.compress(each.content), uuid.uuid4().hex[:8]
            parts = [packed[start : start + PART] for start in range(0, len(packed), PART)]
            self._table.put_all({_part(role, name, generation, n): {"data": part} for n, part in enumerate(parts)})
            head = {"version": each.version, "sha256": digest(each.content), "gen": generation, "parts": len(parts)}
            self._table.put_all({_head(role, name): head})


def _current(role: str, fence: int) -> Write:
    return check(_role(role), {"fence": fence, "held": PRESENT})


def _written(new: LeaseRecord, before: Item | None, nonce: str) -> Item:
    nonces = [*(before or {}).get("w", ()), nonce][-NONCES:]
    version = before["v"] + 1 if before else 1
    return {"rec": dump(new), "fence": new.fence, "held": new.holder, "v": version, "w": nonces}


def _left(role: str, name: str, before: Item | None, fence: int) -> list[Write]:
    """The note by which the parts of the version before are found, where they are not deleted at once."""
    if before is None:
        return []
    note: dict[str, Any] = {"fence": fence, "parts": before["parts"]}
    return [put(_note(role, name, before["version"], before["gen"]), note)]


def _role(role: str) -> Key:
    return Key("ROLES", role)


def _head(role: str, name: str) -> Key:
    return Key("KEPT", f"{role}#{name}")


def _part(role: str, name: str, generation: str, number: int) -> Key:
    return Key(f"KEPT#{role}#{name}", f"{generation}#{number:04}")


def _note(role: str, name: str, version: int, generation: str) -> Key:
    return Key("SWEEP", f"{NOTE}#{role}#{name}#{version}#{generation}")
