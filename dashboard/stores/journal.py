"""How a store keeps a session's journal: in chunks, and what is read of them when one is damaged. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
    used: "Used"


@dataclass(frozen=True, slots=True)
class Used:
    """What settled turns used, by a delivered journal; `tokens` are those of the last one's whole context, if known."""

    turns: int
    usd_micros: int
    tokens: int | None = None


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
    return Chunk(events[0].n, events[-1].n, content, used(events))


def total(series: Sequence[Used]) -> Used:
    """Return what deliveries, in their order, come to; `tokens` are the last that are known."""
    tokens = [each.tokens for each in series if each.tokens is not None]
    turns, usd_micros = sum(each.turns for each in series), sum(each.usd_micros for each in series)
    return Used(turns, usd_micros, tokens[-1] if tokens else None)


def used(events: Iterable[Event]) -> Used:
    """Count settled turns, what they cost, and the context of the last."""
    settled = [event.data for event in events if event.kind is EventKind.SETTLE]
    known = [size for size in (context(data.get("usage")) for data in settled) if size is not None]
    return Used(len(settled), sum(_price(data) for data in settled), known[-1] if known else None)


def spent(events: Iterable[Event]) -> int:
    """Return the micro-dollars that a session has spent, requests without a known end at their worst: as its worker
    counts them.
    """
    prices: dict[object, int] = {}
    for event in events:
        turn, is_known_cut = event.data.get("turn"), event.kind is EventKind.CUT and "usd_micros" in event.data
        if event.kind is EventKind.REFUND:
            prices.pop(turn, None)
        elif is_known_cut or event.kind in (EventKind.RESERVE, EventKind.SETTLE):
            prices[turn] = _price(event.data)
    return sum(prices.values())


def used_by_day(events: Iterable[Event]) -> dict[str, Used]:
    """Count settled turns and what they cost by the UTC day that the events name; one without a day counts nowhere."""
    days: dict[str, list[Event]] = {}
    for event in events:
        if event.kind is EventKind.SETTLE and re.fullmatch(r"\d{4}-\d\d-\d\d", event.at[:10]):
            days.setdefault(event.at[:10], []).append(event)
    return {day: replace(used(found), tokens=None) for day, found in days.items()}


def context(usage: object) -> int | None:
    """Return the tokens that a turn left in its context: all that went in, from whatever cache, and what came out."""
    fields = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    counts = [usage.get(name) or 0 for name in fields] if isinstance(usage, dict) else []
    whole = [count for count in counts if isinstance(count, int) and 0 <= count < 2**31]
    return sum(whole) or None


def _price(settled: Mapping[str, object]) -> int:
    # Bounded: SQLite's integers have 64 bits, and a strange price must not stop a journal.
    price = settled.get("usd_micros")
    return price if isinstance(price, int) and 0 <= price < 2**53 else 0


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
