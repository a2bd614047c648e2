"""Sessions and their journals in the table: a compressed item for each batch, and no other write for it.

A batch is written under the fence without a transaction, which would cost twice as much. Its key has its first record's
number and the fence. The holder's fence is read before, and again after, and only then is the batch acknowledged. What
a holder before wrote meanwhile is void: at the first look under a new fence it is settled how many records counted at
that moment (a `cut` of the session), and later ones of earlier fences are passed over.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboard.record import NotFound, Record
from dashboard.stores import journal
from dashboard.stores.dynamodb.items import MISSING, NEW, Item, Key, put, update
from dashboard.stores.dynamodb.layout import session_key
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.journal import Chunk, Readable, Used
from wire.types import Event
from wire.values import read

PART = 350 * 1024
"""Bytes of an item's content; what is larger is written in parts before it."""
_PARTS = "~"
"""Before the keys of parts: behind those of all batches."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """How many records counted when each fence began; what earlier fences wrote beyond that is void."""

    by_fence: Mapping[int, int]

    def is_void(self, first: int, fence: int) -> bool:
        """Whether a batch came too late."""
        return any(later > fence and held < first for later, held in self.by_fence.items())


def cuts(session: Item) -> Cuts:
    """Return a session's cuts."""
    return Cuts({int(name[3:]): value for name, value in session.items() if name.startswith("cut")})


class Journals:
    """See the module."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def batches(
        self, session_id: str, known: Cuts, *, newest_first: bool = False, fields: Sequence[str] = ()
    ) -> Iterator[Item]:
        """Yield the batches that count, with their numbers: `first` and `last`."""
        found = self._table.query(f"J#{session_id}", last=_PARTS, newest_first=newest_first, fields=fields)
        for item in found:
            first, fence = (int(part) for part in item["sk"].split("#"))
            if not known.is_void(first, fence):
                yield {**item, "first": first}

    def held(self, session_id: str, known: Cuts) -> int:
        """Return the number of the last record that counts."""
        found = self._table.query(f"J#{session_id}", last=_PARTS, newest_first=True, fields=("sk", "last"), page=3)
        for item in found:
            first, fence = (int(part) for part in item["sk"].split("#"))
            if not known.is_void(first, fence):
                return int(item["last"])
        return 0

    def settled(self, session: Item, record: Record) -> Cuts:
        """Return a session's cuts, after settling that of its task's holder where it goes on with an earlier one's."""
        known, fence = cuts(session), record.task.fence
        goes_on = record.session is not None and record.session.id == session["sk"] and not record.claim_new
        if not goes_on or fence in known.by_fence:
            return known
        held = self.held(session["sk"], known)
        key = Key(session["pk"], session["sk"])
        if self._table.write(update(key, {f"cut{fence}": held}, {f"cut{fence}": MISSING})):
            return Cuts({**known.by_fence, fence: held})
        again = self._table.get(key)
        return cuts(again or session)

    def append(self, session_id: str, fence: int, chunk: Chunk) -> bool:
        """Write a batch; return False where one is there already."""
        content = zlib.compress(chunk.content, 9)
        name = f"{chunk.first:010}#{fence:06}"
        item: Item = {"last": chunk.last}
        used = chunk.used
        item |= {"t": used.turns or None, "u": used.usd_micros or None, "k": used.tokens}
        if len(content) > PART:
            parts = [content[start : start + PART] for start in range(0, len(content), PART)]
            self._table.put_all(
                {Key(f"J#{session_id}", f"{_PARTS}{name}#{n:04}"): {"gz": p} for n, p in enumerate(parts)}
            )
            item["parts"] = len(parts)
        else:
            item["gz"] = content
        return self._table.write(put(Key(f"J#{session_id}", name), item, NEW))

    def content(self, session_id: str, item: Item) -> bytes | None:
        """Return a batch's JSON; None where it is gone or damaged."""
        keys = [Key(f"J#{session_id}", f"{_PARTS}{item['sk']}#{n:04}") for n in range(item.get("parts", 0))]
        found = self._table.get_all(keys)
        try:
            return zlib.decompress(b"".join(found[key]["gz"] for key in keys) if keys else item["gz"])
        except (KeyError, zlib.error):
            return None

    def events(self, session_id: str, known: Cuts, after: int) -> list[Event]:
        """Return the records after number `after`."""
        found = [item for item in self.batches(session_id, known) if item["last"] > after]
        texts = [self.content(session_id, item) for item in found]
        events = [event for text in texts for event in read(tuple[Event, ...], text or b"")]
        return [event for event in events if event.n > after]

    def readable(self, session_id: str, item: Item) -> list[Readable]:
        """Return a batch's records; what is damaged is named in its place."""
        content = self.content(session_id, item)
        length = None if content is None else len(content)
        is_long = content is not None and len(content) > journal.READABLE
        return journal.readable(None if is_long else content, length, item["first"], item["last"])

    def series(self, session_id: str, known: Cuts) -> list[Used]:
        """Return what each batch used."""
        found = self.batches(session_id, known, fields=("sk", "last", "t", "u", "k"))
        return [Used(item.get("t", 0), item.get("u", 0), item.get("k")) for item in found]


def require_session(table: Table, session_id: str) -> Item:
    """Return a session's item; raises `NotFound`."""
    item = table.get(session_key(session_id))
    if item is None:
        raise NotFound(f"no session {session_id}")
    return item
