"""One answer, put together from its raw events as they come, whatever comes: the SDK's own accumulator gives up on some
of what a model writes, and an answer that is lost is paid and asked for again.
"""

import json
from typing import Any

from agent.session.retries import Cut

Block = dict[str, Any]

UNREADABLE = "jada_unreadable"
"""The only key of a call's input that could not be kept; its value says why. The call is refused by it."""
DEEPEST = 64
"""Levels of a call's input: no tool has use for more, and encoders give up between 200 and 1,000."""
UNSEEN = 500
"""Tokens that may have been written and billed, and had not arrived, when an answer broke off."""


class Received:
    """An answer so far. `take` its events in order; `whole` gives the message."""

    def __init__(self) -> None:
        self._message: Block | None = None
        self._inputs: dict[int, str] = {}
        self._arrived = 0
        self._counted = False
        self.complete = False
        """Whether the answer's end has come."""

    def take(self, event: Block) -> None:
        """Add one event. Raises `Cut` for one that does not go with those before it."""
        try:
            self._take(event)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise self.cut(f"its answer is not as the API documents it: {error!r}") from error

    def whole(self) -> Block:
        """Return the message, with its usage; raises `Cut` when its end did not come."""
        if self._message is None or not self._message.get("stop_reason"):
            raise self.cut(
                "the stream ended before the answer did" if self._message else "no answer began in the stream"
            )
        for at, text in self._inputs.items():
            self._message["content"][at]["input"] = _input(text)
        message: Block = printable_json(self._message)
        return message

    def cut(self, reason: str) -> Cut:
        """Return the error of an answer that broke off here, with what it can have cost."""
        return Cut(reason, self._usage())

    def _take(self, event: Block) -> None:
        kind = event.get("type")
        if kind == "message_start":
            self._message = {**event["message"], "content": []}
            return
        if self._message is None:
            return  # without a beginning nothing counts; `whole` says so
        if kind == "content_block_start":
            self._message["content"].append(dict(event["content_block"]))
        elif kind == "content_block_delta":
            self._delta(event["index"], event["delta"])
        elif kind == "message_delta":
            self._message |= event["delta"]
            # Totals so far: those that are left out keep the value of the start.
            self._message["usage"] = {**self._message["usage"], **event["usage"]}
            self._counted = True
        elif kind == "message_stop":
            self.complete = bool(self._message.get("stop_reason"))

    def _delta(self, at: int, delta: Block) -> None:
        block = self._message["content"][at] if self._message else {}
        match delta["type"]:
            case "text_delta":
                block["text"] += delta["text"]
                self._arrived += _bytes(delta["text"])
            case "input_json_delta":
                self._inputs[at] = self._inputs.get(at, "") + delta["partial_json"]
                self._arrived += _bytes(delta["partial_json"])
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
                self._arrived += _bytes(delta["thinking"])
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "citations_delta":
                block.setdefault("citations", []).append(delta["citation"])

    def _usage(self) -> Block | None:
        """Return the most that can have been billed: the input as the start names it, a token for each later byte."""
        usage = self._message and self._message.get("usage")
        if not isinstance(usage, dict) or not isinstance(usage.get("input_tokens"), int):
            return None
        said = usage.get("output_tokens") or 0
        return {**usage, "output_tokens": said if self._counted else max(said, self._arrived) + UNSEEN}


def printable_json(value: Any) -> Any:
    """Return plain data that JSON in UTF-8 can carry: half a pair of surrogates is replaced, and what is no plain value
    becomes its text.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {printable_json(str(key)): printable_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [printable_json(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _input(text: str) -> Any:
    """Read a call's input; one that can't be kept says so, because the API takes an answer back with its calls only."""
    try:
        value = json.loads(text or "{}", parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        return {UNREADABLE: f"it is no JSON that can be read: {error}"[:300]}
    if not isinstance(value, dict):
        return {UNREADABLE: "it is no object"}
    return value if _levels(value) <= DEEPEST else {UNREADABLE: f"it is nested more than {DEEPEST} levels deep"}


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _levels(value: Any) -> int:
    """Count levels without recursion, which is what a deep value breaks."""
    levels, level = 0, [value]
    while level:
        levels += 1
        level = [
            part
            for held in level
            for part in (held.values() if isinstance(held, dict) else held)
            if isinstance(part, dict | list)
        ]
    return levels


def _bytes(text: str) -> int:
    return len(text.encode(errors="replace"))
