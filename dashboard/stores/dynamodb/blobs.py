"""Blobs in the table: by the hash of their content, each once, with the names of the tasks that asked for it.

A small one is in its head, a large one in parts that are written before the head. What is deleted beside a task that
asks for the same content at that moment stays: the task's name is written before it looks whether the content is there,
and looked for once more after the head was marked as going.
"""

import uuid
import zlib
from collections.abc import Iterable

from dashboard.record import NotFound, digest
from dashboard.stores.dynamodb.items import NEW, PRESENT, Item, Key, delete, put, update
from dashboard.stores.dynamodb.table import Table

PART = 350 * 1024
"""Bytes of a part: an item holds 400 KB with its keys."""


class Blobs:
    """See the module."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, task_id: str, contents: Iterable[bytes]) -> None:
        """Keep blobs for a task; those that are there already are not written again."""
        named = {digest(content): content for content in contents}
        if not named:
            return
        self._table.put_all({_ref(name, task_id): {} for name in named})
        held = self._table.get_all(_head(name) for name in named)
        for name, content in named.items():
            head = held.get(_head(name))
            if head is None or "going" in head:
                self._write(name, content, head)

    def _write(self, name: str, content: bytes, seen: Item | None) -> None:
        packed = zlib.compress(content)
        kept, how = (packed, "zlib") if len(packed) < len(content) else (content, None)
        gen = uuid.uuid4().hex[:8]
        # Its own nonce too: a write whose answer was lost must not be taken for another's, and its parts be deleted.
        head: Item = {"size": len(content), "how": how, "gen": gen, "w": [gen]}
        if len(kept) <= PART:
            head["data"] = kept
        else:
            parts = [kept[start : start + PART] for start in range(0, len(kept), PART)]
            head["parts"] = len(parts)
            self._table.put_all({_part(name, gen, n): {"data": part} for n, part in enumerate(parts)})
        only_if = {"gen": seen["gen"]} if seen else NEW
        # Where another was first, its content is the same.
        if not self._table.write(put(_head(name), head, only_if), gen):
            self._table.delete_all(_part(name, gen, n) for n in range(head.get("parts", 0)))

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their names; raises `NotFound`."""
        wanted = [*dict.fromkeys(names)]
        heads = self._table.get_all(_head(name) for name in wanted)
        return {name: self._content(name, heads.get(_head(name))) for name in wanted}

    def _content(self, name: str, head: Item | None) -> bytes:
        if head is None:
            raise NotFound(f"no blob {name}")
        keys = [_part(name, head["gen"], n) for n in range(head.get("parts", 0))]
        parts = self._table.get_all(keys)
        if len(parts) < len(keys):
            raise NotFound(f"no blob {name}: it was deleted while it was read")
        whole = b"".join(parts[key]["data"] for key in keys) if keys else head["data"]
        return zlib.decompress(whole) if head.get("how") else bytes(whole)

    def forget(self, task_id: str, names: Iterable[str]) -> list[int]:
        """Take a task's name off blobs, and delete those that no other asks for; return their sizes."""
        wanted = [*dict.fromkeys(names)]
        self._table.delete_all(_ref(name, task_id) for name in wanted)
        return [size for name in wanted if (size := self._deleted(name)) is not None]

    def _deleted(self, name: str) -> int | None:
        head = self._table.get(_head(name))
        if head is None or self._is_named(name):
            return None
        going = uuid.uuid4().hex
        if not self._table.write(update(_head(name), {"going": going}, {"gen": head["gen"], "pk": PRESENT})):
            return None
        if self._is_named(name):
            self._table.write(update(_head(name), {"going": None}, {"going": going}))
            return None
        self._table.delete_all(_part(name, head["gen"], n) for n in range(head.get("parts", 0)))
        return int(head["size"]) if self._table.write(delete(_head(name), {"going": going})) else None

    def _is_named(self, name: str) -> bool:
        return any(True for _ in self._table.query(f"B#{name}", first="REF#", last="REF#~", fields=("sk",), page=1))


def _head(name: str) -> Key:
    return Key(f"B#{name}", "HEAD")


def _part(name: str, generation: str, number: int) -> Key:
    return Key(f"B#{name}", f"P#{generation}#{number:04}")


def _ref(name: str, task_id: str) -> Key:
    return Key(f"B#{name}", f"REF#{task_id}")
