"""A session's journal in lines for a reader who watches it. Texts in it are a model's: whoever prints them makes them
harmless.
"""

from collections.abc import Iterator
from typing import Any

from provision.commands.options import dollars
from wire.types import Event, EventKind, Unreadable

WIDTH = 200
"""Characters of one line: the page has the whole of a text."""
LINES = 6
"""Lines of one text."""


def lines(record: Event | Unreadable) -> Iterator[str]:
    """Say a record in lines; one that belongs to another, or says nothing to a reader, in none."""
    if isinstance(record, Unreadable):
        which = f"record {record.n}" if record.n == record.last else f"records {record.n} to {record.last}"
        yield f"          {which} cannot be read: {_short(record.why)}"
        return
    first, *rest = [*_said(record), None]
    if first is not None:
        yield f"{_time(record.at)}  {first}"
    yield from (f"          {line}" for line in rest if line is not None)


def _said(event: Event) -> Iterator[str]:
    data = event.data
    match event.kind:
        case EventKind.HEADER:
            yield f"the session begins, with {_short(data.get('model', 'a model'))}"
        case EventKind.SETTLE:
            yield f"turn {_short(data.get('turn', '?'))}, {_price(data)}"
            yield from _answer(data)
        case EventKind.TOOL_RESULT:
            yield "failed:" if data.get("is_error") else "gave:"
            yield from _block(data.get("content"))
        case EventKind.ANSWER:
            yield "the answer:"
            yield from _block(data.get("text"))
        case EventKind.REFUND | EventKind.CUT:
            yield f"a request failed: {_short(data.get('reason', ''))}"
        case EventKind.SUSPEND:
            yield f"the session is suspended: {_short(data.get('reason', ''))}".removesuffix(": ")
        case EventKind.END:
            yield f"the session ends: {_short(data.get('reason', ''))}".removesuffix(": ")
        case kind if not kind.is_known:
            yield f"a record of the kind {kind.value!r}, which this release does not know"


def _price(data: dict[str, Any]) -> str:
    spent = data.get("usd_micros")
    return dollars(spent) if isinstance(spent, int) else "at an unknown price"


def _answer(data: dict[str, Any]) -> Iterator[str]:
    message = data.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else []:
        match block:
            case {"type": "text", "text": text}:
                yield from _block(text)
            case {"type": "tool_use", "name": name, "input": {"command": command}} if isinstance(command, str):
                yield f"{_short(name)}: {_short(command)}"
            case {"type": "tool_use", "name": name, "input": given}:
                yield f"{_short(name)}: {_short(given)}"


def _block(content: object) -> Iterator[str]:
    """The first lines of a text, or of a message's text blocks."""
    if isinstance(content, list):
        content = "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    found = [line for line in str(content or "").splitlines() if line.strip()]
    yield from (f"  {_short(line)}" for line in found[:LINES])
    if len(found) > LINES:
        yield f"  … {len(found) - LINES} more lines"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"


def _time(at: str) -> str:
    """The time of day of an RFC 3339 time, in UTC as all times here; what is none as it is."""
    return at[11:19] if len(at) >= 19 else f"{at:<8}"
