"""A model's thinking: signed as it goes out, and taken back only as it was given."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from doubles.claude.answer import Raw, Reply
from doubles.claude.errors import ApiError

KINDS = ("thinking", "redacted_thinking")
WORDS = "I look at what is asked, and at what came back last."
"""What a model that is to think thinks where its script says nothing of it."""
_KEY = b"no secret: whoever forges this deceives their own test"


def thought(reply: Reply, body: Mapping[str, Any]) -> Reply:
    """Return a reply with its thinking signed; one that is to think and does not in its script begins with some."""
    mode = body.get("thinking") or {}
    if mode.get("type") == "enabled" and not (reply and _thinks(reply[0])):
        reply = (Raw({"type": "thinking", "thinking": WORDS}), *reply)
    hidden = mode.get("display") == "omitted"
    return tuple(
        Raw(_signed(part.block, hidden=hidden)) if isinstance(part, Raw) and _thinks(part) else part for part in reply
    )


def check(turns: list[dict[str, Any]], body: Mapping[str, Any]) -> None:
    """Check the thinking of a conversation; raises `ApiError` 400 for what is not as the model gave it."""
    for at, turn in enumerate(turns):
        kinds = [block["type"] for block in turn["content"]]
        if not any(kind in KINDS for kind in kinds):
            continue
        if turn["role"] == "assistant" and kinds[0] not in KINDS:
            raise ApiError(
                400,
                f"messages.{at}.content.0: If an assistant message contains any thinking blocks, the first block must "
                f"be `thinking` or `redacted_thinking`. Found `{kinds[0]}`.",
            )
        for place, block in enumerate(turn["content"]):
            _check_signature(block, f"messages.{at}.content.{place}")
    if (body.get("thinking") or {}).get("type") == "enabled":
        _require_begun(turns)


def _thinks(part: object) -> bool:
    return isinstance(part, Raw) and part.block.get("type") in KINDS


def _signed(block: dict[str, Any], *, hidden: bool) -> dict[str, Any]:
    """A signature that a script gives stays: sent back, it is refused as a forged one is."""
    if block["type"] == "redacted_thinking":
        seal = _signature("redacted")
        return {"data": seal, **block}
    shown = {**block, "thinking": "" if hidden else block["thinking"]}
    return {"signature": _signature(shown["thinking"]), **shown}


def _signature(text: str) -> str:
    return base64.b64encode(hmac.digest(_KEY, text.encode(), hashlib.sha256)).decode()


def _check_signature(block: dict[str, Any], where: str) -> None:
    if block["type"] == "thinking" and block["signature"] != _signature(block["thinking"]):
        raise ApiError(400, f"{where}: Invalid `signature` in `thinking` block")
    if block["type"] == "redacted_thinking" and block["data"] != _signature("redacted"):
        raise ApiError(400, f"{where}: Invalid `data` in `redacted_thinking` block")


def _require_begun(turns: list[dict[str, Any]]) -> None:
    """Require the answer to which the last results belong, or the first of a row of such, to begin with thinking."""
    asked = [at for at, turn in enumerate(turns) if turn["role"] == "user" and not _has_results(turn)]
    first = asked[-1] + 1 if asked else 0
    if first >= len(turns) or (found := turns[first]["content"][0]["type"]) in KINDS:
        return
    raise ApiError(
        400,
        f"messages.{first}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When "
        "`thinking` is enabled, a final `assistant` message must start with a thinking block.",
    )


def _has_results(turn: dict[str, Any]) -> bool:
    return any(block["type"] == "tool_result" for block in turn["content"])
