"""A session's journal as people read it: pure, from delivered events to entries. Tolerant, for a journal is shown
whatever a release has written into it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wire.types import Event, EventKind

SHOWN = 20_000
"""Characters of one text on the page; the API has it whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool's call and its result; no result yet while `result` is None."""

    name: str
    asked: str
    result: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened: a message to the session, a turn of the model, a user's answer, or a note."""

    kind: Literal["message", "turn", "answer", "note"]
    at: str
    title: str
    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Used:
    """What a session used so far by its delivered journal."""

    turns: int
    usd_micros: int


def used(events: Iterable[Event]) -> Used:
    """Count settled turns and what they cost."""
    settled = [event.data for event in events if event.kind is EventKind.SETTLE]
    return Used(len(settled), sum(_number(data.get("usd_micros")) for data in settled))


def _number(given: object) -> int:
    return given if isinstance(given, int) else 0


def read(events: Sequence[Event]) -> list[Entry]:
    """Return the entries in order, each call with its result."""
    kinds = (EventKind.TOOL_RESULT, EventKind.ANSWER)
    results = {str(event.data.get("tool_use_id")): event.data for event in events if event.kind in kinds}
    entries = (_entry(event, results) for event in events)
    return [entry for entry in entries if entry]


def _entry(event: Event, results: dict[Any, dict[str, Any]]) -> Entry | None:  # noqa: PLR0911 - one return for each kind
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
        case EventKind.SUSPEND | EventKind.END:
            title = "Session ends" if event.kind is EventKind.END else "Session is suspended"
            return Entry(kind="note", at=at, title=title, text=_text(data.get("reason")))
    if event.kind.is_known:
        return None  # shown with the turn that it belongs to
    title = f"A record of the kind “{event.kind.value}”, which this release does not know"
    return Entry(kind="note", at=at, title=title, text=_short(json.dumps(data, ensure_ascii=False)))


def _turn(event: Event, results: dict[Any, dict[str, Any]]) -> Entry:
    message = event.data.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    blocks = [block for block in content or [] if isinstance(block, dict)]
    calls = [_call(block, results.get(str(block.get("id")))) for block in blocks if block.get("type") == "tool_use"]
    title = f"Turn {event.data.get('turn', '')}".strip()
    return Entry(kind="turn", at=event.at, title=title, text=_text(blocks), calls=tuple(calls))


def _call(block: dict[str, Any], result: dict[str, Any] | None) -> ToolCall:
    return ToolCall(
        name=str(block.get("name", "tool")),
        asked=_asked(block.get("input")),
        result=_text(result.get("content", result.get("text"))) if result else None,
        is_error=bool(result and result.get("is_error")),
    )


def _asked(given: object) -> str:
    """A lone command as it was typed; other inputs a line a field, so that a text in them keeps its own lines."""
    fields = given if isinstance(given, dict) else {"": given}
    if list(fields) == ["command"]:
        return _short(str(fields["command"]))
    texts = {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in fields.items()}
    return _short("\n".join(f"{k}:\n{v}" if "\n" in v else f"{k}: {v}" for k, v in texts.items()))


def _text(content: object) -> str:
    """The text of a message: itself, or its text blocks."""
    if isinstance(content, str):
        return _short(content)
    blocks = content if isinstance(content, list) else []
    texts = [str(b.get("text", "")) for b in blocks if isinstance(b, dict) and b.get("type") == "text"]
    return _short("\n\n".join(texts))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN} more characters; the API has them"
