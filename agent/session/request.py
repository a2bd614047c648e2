"""From the journal to the next request, byte for byte the same as long as the journal is: what was sent is sent again
as it was, so the prompt cache holds, and a process that goes on sends what the one before would have sent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.record import media
from wire.types import Event, EventKind

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool_use of an answer."""

    id: str
    name: str
    input: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The last whole answer and what has become of it: `started` and `results` by the ids of its calls; `followed`
    when a user message came after it, `suspended` when the session was.
    """

    message: Block
    turn: int
    hand_over: bool
    started: frozenset[str]
    results: dict[str, dict[str, Any]]
    followed: bool
    suspended: bool

    @property
    def calls(self) -> tuple[Call, ...]:
        """Its tool_uses, in order."""
        return tuple(calls(self.message))

    @property
    def open_calls(self) -> tuple[Call, ...]:
        """Those without a result."""
        return tuple(call for call in self.calls if call.id not in self.results)

    @property
    def text(self) -> str:
        """What it says in words."""
        return "\n\n".join(block["text"] for block in self.message["content"] if block["type"] == "text").strip()


def calls(message: Block) -> list[Call]:
    """Return a message's tool_uses."""
    return [Call(b["id"], b["name"], b["input"]) for b in message["content"] if b["type"] == "tool_use"]


def last_answer(events: Sequence[Event]) -> Answer | None:
    """Return the last whole answer in the journal, None before the first."""
    at = max((i for i, event in enumerate(events) if event.kind is EventKind.SETTLE), default=None)
    if at is None:
        return None
    settle, after = events[at].data, events[at + 1 :]
    reserve = next(e.data for e in reversed(events[:at]) if e.kind is EventKind.RESERVE)
    kinds = {event.kind for event in after}
    return Answer(
        message=settle["message"],
        turn=settle["turn"],
        hand_over=reserve["hand_over"],
        started=frozenset(e.data["tool_use_id"] for e in after if e.kind is EventKind.TOOL_STARTED),
        results={e.data["tool_use_id"]: e.data for e in after if e.kind in (EventKind.TOOL_RESULT, EventKind.ANSWER)},
        followed=EventKind.MESSAGE in kinds,
        suspended=EventKind.SUSPEND in kinds,
    )


def header(events: Sequence[Event]) -> dict[str, Any]:
    """Return what is pinned for the session's life."""
    return next(event.data for event in events if event.kind is EventKind.HEADER)


def parameters(events: Sequence[Event]) -> dict[str, Any]:
    """Return the next request's parameters: the header's, and the conversation; images and documents by their names,
    until they are sent.
    """
    kept = header(events)
    pinned = {name: kept[name] for name in ("model", "max_tokens", "system", "tools")}
    # Only where settings ask for them: what the model does without them is its vendor's choice.
    pinned |= {name: kept[name] for name in ("thinking", "output_config") if name in kept}
    # The five-minute cache, whose write rate `Prices.worst` reckons with.
    return {**pinned, "cache_control": {"type": "ephemeral"}, "messages": messages(events)}


def messages(events: Sequence[Event]) -> list[Block]:
    """Return the conversation: roles in turn, each tool_use with its result in the message behind it, results first."""
    said: list[Block] = []
    user = _User()
    for event in events:
        user.take(event)
        if event.kind is EventKind.SETTLE and (content := _sendable(event.data["message"])):
            said += [{"role": "user", "content": user.content()}, {"role": "assistant", "content": content}]
            user = _User([block["id"] for block in content if block["type"] == "tool_use"])
    return [*said, {"role": "user", "content": user.content()}]


def size(value: Any) -> int:
    """Return the bytes of a value in a request."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def cut(text: str, most: int) -> str:
    """Return head and tail of a text of more than `most` bytes, and what is left out between them."""
    raw = text.encode()
    if len(raw) <= most:
        return text
    head, tail = raw[: most // 2].decode(errors="ignore"), raw[-most // 2 :].decode(errors="ignore")
    return f"{head}\n[{len(raw) - most} bytes left out]\n{tail}"


class _User:
    """A user message in the making: results in the order of their calls, then texts."""

    def __init__(self, ids: Sequence[str] = ()) -> None:
        self._ids = ids
        self._results: dict[str, Block] = {}
        self._texts: list[Block] = []

    def take(self, event: Event) -> None:
        """Take what belongs in the message, and pass over the rest."""
        if event.kind is EventKind.MESSAGE:
            self._texts += [*event.data["content"], *map(media.block, event.data.get("shown", ()))]
        elif event.kind is EventKind.TOOL_RESULT:
            said = event.data["content"]
            if shown := event.data.get("shown"):
                said = [{"type": "text", "text": said}, *map(media.block, shown)]
            self._result(event.data["tool_use_id"], said, is_error=event.data["is_error"])
        elif event.kind is EventKind.ANSWER:
            self._result(event.data["tool_use_id"], event.data["text"], is_error=False)

    def content(self) -> list[Block]:
        return [*(self._results[i] for i in self._ids), *self._texts]

    def _result(self, tool_use_id: str, content: str | list[Block], *, is_error: bool) -> None:
        block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": content, "is_error": is_error}
        self._results[tool_use_id] = block


def _sendable(message: Block) -> list[Block]:
    """An answer's blocks as they may be sent back: nothing of a refusal, and no blank text, which the API refuses."""
    if message["stop_reason"] == "refusal":
        return []
    return [block for block in message["content"] if block["type"] != "text" or block["text"].strip()]


def with_own_ids(message: Block, events: Sequence[Event]) -> Block:
    """Return an answer whose calls have ids that no call before them has: the API takes no id twice, and a result
    belongs to one call.
    """
    used = {call.id for event in events if event.kind is EventKind.SETTLE for call in calls(event.data["message"])}
    content = []
    for block in message["content"]:
        if block["type"] == "tool_use":
            plain, n = block["id"], 2
            while block["id"] in used:
                block = {**block, "id": f"{plain}_{n}"}  # noqa: PLW2901 - the next try
                n += 1
            used.add(block["id"])
        content.append(block)
    return {**message, "content": content}
