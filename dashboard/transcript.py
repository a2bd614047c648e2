"""A session's journal as people read it: pure, from delivered events to entries. Tolerant, for a journal is shown
whatever a release has written into it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.stores import journal
from dashboard.stores.journal import Readable, Unreadable
from wire.types import Event, EventKind

SHOWN = 20_000
"""Characters of one text on the page; the API has it whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a call asked of the network in vain, why, and the entry of the settings that would allow it."""

    what: str
    why: str
    allow: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool's call and its result; no result yet while `result` is None."""

    name: str
    asked: str
    result: str | None = None
    is_error: bool = False
    refused: tuple["Refusal", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened: a message to the session, a turn of the model, a user's answer, or a note."""

    kind: Literal["message", "turn", "answer", "note"]
    at: str
    title: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usd_micros: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a journal: its entries, and the numbers before and after which there are more, where there are."""

    entries: list[Entry]
    earlier: int | None = None
    is_last: bool = True


def passage(records: Sequence[Readable], *, is_last: bool = True) -> Passage:
    """Return what `records` show, from a turn's beginning on: the part before has the rest of the turn before."""
    begins = [i for i, record in enumerate(records) if _kind(record) in (EventKind.RESERVE, EventKind.SETTLE)]
    has_turn = any(_kind(record) is EventKind.SETTLE for record in records)
    is_cut = bool(records) and records[0].n > 1
    rest = records[begins[0] :] if is_cut and has_turn else records
    return Passage(entries=read(rest), earlier=rest[0].n if rest and rest[0].n > 1 else None, is_last=is_last)


def _kind(record: Readable) -> EventKind | None:
    return record.kind if isinstance(record, Event) else None


def read(records: Sequence[Readable]) -> list[Entry]:
    """Return the entries in order, each call with its result; what cannot be read has an entry that says so."""
    kinds = (EventKind.TOOL_RESULT, EventKind.ANSWER)
    events = [record for record in records if isinstance(record, Event)]
    results = {str(event.data.get("tool_use_id")): event.data for event in events if event.kind in kinds}
    called = {str(block.get("id")) for event in events if event.kind is EventKind.SETTLE for block in _calls(event)}
    entries = [_entry_or_why(record, results, called) for record in records]
    return [entry for entry in entries if entry]


def _entry_or_why(record: Readable, results: dict[str, dict[str, Any]], called: set[str]) -> Entry | None:
    if isinstance(record, Unreadable):
        return _unreadable(record.n, record.last, record.why)
    try:
        return _entry(record, results, called)
    except (RecursionError, ValueError) as error:
        return _unreadable(record.n, record.n, str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What a session did last: a tool with its command, or the model asked; since when."""

    name: str
    asked: str
    at: str


def doing(records: Sequence[Readable]) -> Doing | None:
    """Return what the end of a journal says of a running session."""
    for record in reversed(records):
        if not isinstance(record, Event):
            continue
        match record.kind:
            case EventKind.TOOL_STARTED:
                name = str(record.data.get("name", "tool"))
                return Doing(name=name, asked=_asked(record.data.get("input")), at=record.at)
            case EventKind.RESERVE:
                return Doing(name="", asked="", at=record.at)
    return None


def _unreadable(first: int, last: int, why: str) -> Entry:
    which = f"Record {first}" if first == last else f"Records {first} to {last}"
    return Entry(kind="note", at="", title=f"{which} cannot be read here", text=short(why))


def _entry(event: Event, results: dict[str, dict[str, Any]], called: set[str]) -> Entry | None:  # noqa: PLR0911 - one return for each kind
    data, at = event.data, event.at
    match event.kind:
        case EventKind.HEADER:
            return Entry(kind="note", at=at, title="Session begins", text=str(data.get("model", "")))
        case EventKind.MESSAGE:
            return Entry(kind="message", at=at, title="Message", text=_text(data.get("content")))
        case EventKind.SETTLE:
            return _turn(event, results)
        case EventKind.ANSWER:
            return Entry(kind="answer", at=at, title="Answer", text=_text(data.get("text")))
        case EventKind.REFUND:
            return Entry(kind="note", at=at, title="Request failed", text=_text(data.get("reason")))
        case EventKind.CUT:
            return Entry(kind="note", at=at, title="Answer broke off", text=_text(data.get("reason")))
        case EventKind.SUSPEND | EventKind.END:
            title = "Session ends" if event.kind is EventKind.END else "Session is suspended"
            return Entry(kind="note", at=at, title=title, text=_text(data.get("reason")))
        case EventKind.TOOL_RESULT if str(data.get("tool_use_id")) not in called:
            return Entry(kind="note", at=at, title="Result of an earlier call", text=_text(data.get("content")))
    if event.kind.is_known:
        return None  # shown with the turn that it belongs to
    title = f"A record of the kind “{event.kind.value}”, which this release does not know"
    return Entry(kind="note", at=at, title=title, text=short(json.dumps(data, ensure_ascii=False)))


def _turn(event: Event, results: dict[str, dict[str, Any]]) -> Entry:
    calls = [_call(block, results.get(str(block.get("id")))) for block in _calls(event)]
    title = short(f"Turn {event.data.get('turn', '')}".strip())
    used = journal.used([event])
    return Entry(
        kind="turn",
        at=event.at,
        title=title,
        text=_text(_blocks(event)),
        calls=tuple(calls),
        usd_micros=used.usd_micros if "usd_micros" in event.data else None,
        tokens=used.tokens,
    )


def _blocks(event: Event) -> list[dict[str, Any]]:
    message = event.data.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _calls(event: Event) -> list[dict[str, Any]]:
    return [block for block in _blocks(event) if block.get("type") == "tool_use"]


def _call(block: dict[str, Any], result: dict[str, Any] | None) -> ToolCall:
    return ToolCall(
        name=str(block.get("name", "tool")),
        asked=_asked(block.get("input")),
        result=_text(result.get("content", result.get("text"))) if result else None,
        is_error=bool(result and result.get("is_error")),
        refused=_refused(result.get("connections")) if result else (),
    )


def _refused(connections: object) -> tuple[Refusal, ...]:
    """What the proxy of the tools refused a call, each once."""
    refusals = (
        [one.get("refused") for one in connections if isinstance(one, dict)] if isinstance(connections, list) else []
    )
    each = [one for some in refusals if isinstance(some, list) for one in some if isinstance(one, dict)]
    words = [[short(str(one.get(name) or "")) for name in ("what", "why", "allow")] for one in each]
    return tuple(dict.fromkeys(Refusal(what=what, why=why, allow=allow) for what, why, allow in words))


def _asked(given: object) -> str:
    """A lone command as it was typed; other inputs a line a field, so that a text in them keeps its own lines."""
    fields = given if isinstance(given, dict) else {"": given}
    if list(fields) == ["command"]:
        return short(str(fields["command"]))
    texts = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in fields.items()}
    return short("\n".join(f"{k}:\n{v}" if "\n" in v else f"{k}: {v}" for k, v in texts.items()))


def _text(content: object) -> str:
    """The text of a message: itself, or its text blocks."""
    if isinstance(content, str):
        return short(content)
    blocks = content if isinstance(content, list) else []
    texts = [str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text"]
    return short("\n\n".join(texts))


def short(text: str) -> str:
    """Return a text as far as the page shows it."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN} more characters; the API has them"
