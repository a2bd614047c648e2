"""How a store keeps a session's journal: in chunks, and what is read of them when one is damaged. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from wire.types import Event, EventKind
from wire.values import Invalid, dump, read

CHUNK = 64 * 1024
"""Bytes of one chunk, so that a page reads little more than it shows. A single larger record is a chunk of its own."""
READABLE = 4 * 1024 * 1024
"""Bytes of the largest chunk that is read for a page: several times as much memory is taken for it."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Records of a journal that a page cannot show, by their numbers, and why."""

    n: int
    last: int
    why: str


Readable = Event | Unreadable


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records as they are kept: their numbers, their JSON, and what their settled turns used."""

    first: int
    last: int
    content: bytes
    turns: int
    usd_micros: int


@dataclass(frozen=True, slots=True)
class Used:
    """What a session used so far by its delivered journal."""

    turns: int
    usd_micros: int


def chunks(events: Sequence[Event]) -> list[Chunk]:
    """Cut a batch into chunks. Raises `Invalid` for a record that could not be read back."""
    texts = [dump(event) for event in events]
    starts, size = [0], 0
    for i, text in enumerate(texts):
        size += len(text)
        if i > starts[-1] and size > CHUNK:
            starts.append(i)
            size = len(text)
    ends = [*starts[1:], len(events)]
    return [_chunk(events[start:end], texts[start:end]) for start, end in zip(starts, ends, strict=True) if end]


def _chunk(events: Sequence[Event], texts: Sequence[bytes]) -> Chunk:
    content = b"[" + b",".join(texts) + b"]"
    # What cannot be read back would only be found by who looks for it, months later.
    read(tuple[Event, ...], content, "events")
    total = used(events)
    return Chunk(events[0].n, events[-1].n, content, total.turns, total.usd_micros)


def used(events: Iterable[Event]) -> Used:
    """Count settled turns and what they cost."""
    prices = [event.data.get("usd_micros") for event in events if event.kind is EventKind.SETTLE]
    # Bounded: SQLite's integers have 64 bits, and a strange price must not stop a journal.
    return Used(len(prices), sum(p for p in prices if isinstance(p, int) and 0 <= p < 2**53))


def readable(content: bytes | None, length: int | None, first: int, last: int) -> list[Readable]:
    """Read a chunk record by record; what is damaged, gone or too long is named in its place."""
    if length is None:
        return [Unreadable(first, last, "it is gone from the store")]
    if content is None:
        return [Unreadable(first, last, f"{length // 1024**2} MB are too long for a page; the API has them")]
    try:
        return list(read(tuple[Event, ...], content))
    except Invalid as error:
        return _one_by_one(content, first, last) or [Unreadable(first, last, str(error))]


def _one_by_one(content: bytes, first: int, last: int) -> list[Readable]:
    try:
        texts = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    # A record's place is its number: the damaged one may have lost its own.
    return [_one(bytes(text), n) for n, text in zip(range(first, last + 1), texts, strict=False)]


def _one(text: bytes, n: int) -> Readable:
    try:
        return read(Event, text)
    except Invalid as error:
        return Unreadable(n, n, str(error))


def newest(records: Sequence[Readable], before: int | None, size: int) -> list[Readable]:
    """Return the last records before number `before`, at least one and about `size` bytes of them."""
    taken: list[Readable] = []
    for record in reversed(records):
        if before is not None and record.n >= before:
            continue
        if taken and size <= 0:
            break
        taken.append(record)
        size -= len(msgspec.json.encode(record))
    return taken[::-1]
