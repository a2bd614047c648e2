"""Answers that are whole, and not as they should be: on order only."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from doubles.claude.stream import events

DEPTH = 10_000
_NEST = "nested here"
NOT_AN_ANSWER: Mapping[str, tuple[str, bytes]] = {
    "empty": ("text/event-stream; charset=utf-8", b""),
    "ping": ("text/event-stream; charset=utf-8", b'event: ping\ndata: {"type": "ping"}\n\n' * 3),
    "html": ("text/html", b"<!DOCTYPE html><html><title>Maintenance</title><body>Back soon.</body></html>"),
}
"""A 200 without any message in it: its type and its body."""


def changed(kind: str, whole: dict[str, Any]) -> dict[str, Any]:
    """Return a message as one of these kinds; the wire's `text` and `lines` finish it."""
    text, call = {"type": "text", "text": ""}, {"type": "tool_use", "id": "toolu_01twice", "name": "bash", "input": {}}
    content: list[dict[str, Any]]
    match kind:
        case "blank":
            content = [{**text, "text": " \n\t"}]
        case "surrogate":
            content = [{**text, "text": "half a pair: \ud83d, and on"}]
        case "twice":
            content = [{**call, "input": {"command": "echo first"}}, {**call, "input": {"command": "echo second"}}]
        case _:
            content = [{**call, "id": "toolu_01deep", "input": {"command": _NEST}}]
    calls = any(block["type"] == "tool_use" for block in content)
    return {**whole, "content": content, "stop_reason": "tool_use" if calls else "end_turn"}


def text(whole: Mapping[str, Any]) -> bytes:
    """Return a message as JSON."""
    # ASCII: a lone surrogate goes out as its escape, which is how it reaches a client.
    return _nested(json.dumps(whole)).encode()


def lines(whole: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield a message's events as they go over the wire."""
    for event in events(whole, dumps=lambda value: _nested(json.dumps(value))):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _nested(text: str) -> str:
    return text.replace(f'"{_NEST}"', "[" * DEPTH + "]" * DEPTH)
