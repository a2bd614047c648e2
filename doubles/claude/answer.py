"""A script's reply as the vendor's own Message, cut where `max_tokens` says."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anthropic.types import Message

from doubles.claude import usage

_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model wants called; `id` is made where it is not given."""

    name: str
    input: dict[str, Any]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """A content block as a user wrote it."""

    block: dict[str, Any]


Part = str | Call | Raw
Reply = tuple[Part, ...]
"""What a script answers: texts and calls, in their order."""


def identify(prefix: str, rng: random.Random) -> str:
    """Return a fresh id of the vendor's form: `msg_01…`, `toolu_01…`, `req_01…`."""
    return f"{prefix}_01{''.join(rng.choices(_LETTERS, k=22))}"


def blocks(reply: Reply, most: int, rng: random.Random) -> tuple[list[dict[str, Any]], bool]:
    """Return a reply's content blocks, and whether they were cut at `most` tokens.

    A text is cut where the tokens end; a call that does not fit is left out whole.
    """
    made: list[dict[str, Any]] = []
    left = most
    for part in reply:
        block = _block(part, rng)
        cost = usage.tokens(block)
        # Half a call is no JSON: only a text can be cut.
        if cost > left:
            keep = left * usage.BYTES_A_TOKEN - len('{"type":"text","text":""}')
            if isinstance(part, str) and keep > 0:
                made.append({"type": "text", "text": part.encode()[:keep].decode(errors="ignore")})
            return made, True
        made.append(block)
        left -= cost
    return made, False


def stopped(content: list[dict[str, Any]], sequences: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Cut blocks where a text has one of the request's stop sequences; return them, and which one it was."""
    for at, block in enumerate(content):
        text = block["text"] if block["type"] == "text" else ""
        found = [(text.index(one), one) for one in sequences if one in text]
        if found:
            place, sequence = min(found)
            kept = [{**block, "text": text[:place]}] if place else []
            return [*content[:at], *kept], sequence
    return content, None


def message(
    reply: Reply, body: dict[str, Any], cuts: list[usage.Prefix], cache: usage.Cache, rng: random.Random,
    stop_reason: str | None = None,
) -> Message:  # fmt: skip
    """Answer a checked request with a script's reply, and charge for it; `stop_reason` where the script says one."""
    content, cut = blocks(reply, body["max_tokens"], rng)
    content, sequence = stopped(content, body.get("stop_sequences") or ())
    called = any(block["type"] == "tool_use" for block in content)
    natural = "stop_sequence" if sequence else "max_tokens" if cut else "tool_use" if called else "end_turn"
    return Message.model_validate(
        {
            "id": identify("msg", rng),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": stop_reason or natural,
            "stop_sequence": sequence,
            "usage": cache.charge(cuts, sum(usage.tokens(block) for block in content)),
        }
    )


def _block(part: Part, rng: random.Random) -> dict[str, Any]:
    if isinstance(part, Raw):
        return part.block
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "tool_use", "id": part.id or identify("toolu", rng), "name": part.name, "input": part.input}
