"""A whole message as the events that the API streams, and as lines of server-sent events."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Send

_CHUNK = 48
"""Characters a delta: small enough that an answer arrives in pieces, and a cut falls inside it."""


def events(whole: Mapping[str, Any], dumps: Callable[[Any], str] = json.dumps) -> Iterator[dict[str, Any]]:
    """Yield an answer's events, from message_start to message_stop, as plain data; `dumps` writes a call's input."""
    # The first event has the input's tokens already: a caller that is cut off knows what it owes at least.
    opened = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    # At the end only, as what was done to the conversation is told.
    managed = {"context_management": opened.pop("context_management")} if "context_management" in opened else {}
    yield {"type": "message_start", "message": opened}
    for index, block in enumerate(whole["content"]):
        yield from _block(index, block, dumps)
    last = {key: whole[key] for key in ("stop_reason", "stop_sequence")}
    totals = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    yield {"type": "message_delta", "delta": last, "usage": {key: whole["usage"][key] for key in totals}, **managed}
    yield {"type": "message_stop"}


def lines(whole: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the events as they go over the wire."""
    for event in events(whole):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


class BrokenOff(StreamingResponse):
    """An answer that breaks off: the server closes the connection of a body that is left without its end."""

    async def stream_response(self, send: Send) -> None:
        """Send the start and what there is of the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _block(index: int, block: dict[str, Any], dumps: Callable[[Any], str]) -> Iterator[dict[str, Any]]:
    whole = kind = key = ""
    opened = dict(block)
    if block["type"] in ("text", "thinking"):
        key = block["type"]
        opened[key], kind, whole = "", f"{key}_delta", block[key]
    elif block["type"] == "tool_use":
        opened["input"], kind, key, whole = {}, "input_json_delta", "partial_json", dumps(block["input"])
    if "signature" in block:
        opened["signature"] = ""
    yield {"type": "content_block_start", "index": index, "content_block": opened}
    for start in range(0, len(whole), _CHUNK):
        delta = {"type": kind, key: whole[start : start + _CHUNK]}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    if "signature" in block:
        signed = {"type": "signature_delta", "signature": block["signature"]}
        yield {"type": "content_block_delta", "index": index, "delta": signed}
    yield {"type": "content_block_stop", "index": index}
