"""Conversations that the API holds between turns (the beta that the SDK's own tool runner speaks by default): a request
that creates one, and those that go on from an answer of it and send only what is new.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from doubles.claude.errors import ApiError

BETA = "message-threads-2026-08-12"
HELD = ("system", "tools")
"""What a thread keeps of the request that created it, where the one that goes on does not say it."""
KEPT = 1000
"""Answers that can be continued from; older ones are forgotten, as the vendor's are after a while."""


@dataclass(slots=True)
class _Turn:
    """A conversation up to and with one answer."""

    body: dict[str, Any]
    messages: list[dict[str, Any]]
    continued: bool = field(default=False)


class Threads:
    """The conversations held, by the id of the answer to go on from."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Turn] = OrderedDict()

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a request with all that it goes on from; raises `ApiError` with the code by which a client replays."""
        thread = body.get("thread")
        rest = {key: value for key, value in body.items() if key != "thread"}
        if thread is None or thread["type"] == "create":
            return rest
        turn = self._turns.get(thread["previous_message_id"])
        if turn is None:
            raise ApiError(404, "thread: there is no such thread", {"error_code": "thread_not_found"})
        if turn.continued:
            raise ApiError(
                400, "thread: another request went on from that message", {"error_code": "thread_already_continued"}
            )
        held = {key: turn.body[key] for key in HELD if key in turn.body}
        return {**held, **rest, "messages": [*turn.messages, *rest["messages"]]}

    def keep(self, asked: dict[str, Any], whole: dict[str, Any], answered: dict[str, Any]) -> None:
        """Hold a conversation after its answer, where the request asked for that."""
        thread = asked.get("thread")
        if thread is None:
            return
        if thread["type"] == "continue":
            self._turns[thread["previous_message_id"]].continued = True
        reply = {"role": "assistant", "content": [_said(block) for block in answered["content"]]}
        self._turns[answered["id"]] = _Turn(whole, [*whole["messages"], reply])
        while len(self._turns) > KEPT:
            self._turns.popitem(last=False)


def _said(block: dict[str, Any]) -> dict[str, Any]:
    """A block of an answer as a request has it: without what was not said."""
    return {key: value for key, value in block.items() if value is not None}
