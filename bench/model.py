"""A model for measuring: it answers at once, or after a fixed time, so that all that is measured is who asks it.

It calls bash so many times and then ends: with `finish` where the caller has such a tool, by a command where it is told
one. It speaks the Messages API streamed and plain, with and without betas, and checks nothing: the double of Claude
does that.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from anthropic.types import Message
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doubles.claude.stream import lines

COMMAND = "echo one line more >>notes.txt; tail -n 1 notes.txt"
SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""How mini-swe-agent ends, where its first message says so."""
_FINISH = {"outcome": "done", "result": "All lines are written."}


class Model:
    """Plays `turns` answers a conversation, each after `think_s`; `first` is called when a first request comes; `call`
    gives a turn's tool and its input. `largest` is the largest request's bytes.
    """

    def __init__(
        self,
        turns: int,
        think_s: float = 0,
        first: Callable[[], None] = lambda: None,
        call: Callable[[int], tuple[str, dict[str, Any]]] = lambda _turn: ("bash", {"command": COMMAND}),
    ) -> None:
        self.turns = turns
        self.think_s = think_s
        self._first = first
        self._call = call
        self.largest = 0
        self.began = self.ended = 0.0

    def app(self) -> Starlette:
        """Return it as an application."""
        routes = [Route("/v1/messages", self._messages, methods=["POST"]), Route("/v1/models/{name}", self._known)]
        return Starlette(routes=routes)

    @property
    def span(self) -> float:
        """Seconds from the arrival of the first request to the last answer."""
        return self.ended - self.began

    async def _known(self, request: Request) -> Response:
        return JSONResponse({"id": request.path_params["name"], "type": "model"})

    async def _messages(self, request: Request) -> Response:
        came = time.perf_counter()
        raw = await request.body()
        self.largest = max(self.largest, len(raw))
        body = json.loads(raw)
        answers = sum(message["role"] == "assistant" for message in body["messages"])
        if not answers:
            self.began = came
            self._first()
        await asyncio.sleep(self.think_s)
        made = self._answer(body, answers + 1)
        self.ended = time.perf_counter()
        if body.get("stream"):
            return StreamingResponse(lines(made.model_dump(mode="json")), media_type="text/event-stream")
        return JSONResponse(made.model_dump(mode="json"))

    def _answer(self, body: dict[str, Any], turn: int) -> Message:
        content = list(self._content(body, turn, last=turn >= self.turns))
        fields = {
            "id": f"msg_{turn}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": "tool_use" if content[-1]["type"] == "tool_use" else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": _tokens(body["messages"]), "output_tokens": 50},
        }
        return Message.model_validate(fields)

    def _content(self, body: dict[str, Any], turn: int, *, last: bool) -> Iterator[dict[str, Any]]:
        yield {"type": "text", "text": f"Step {turn} of the work."}
        use = {"type": "tool_use", "id": f"toolu_{turn}"}
        if not last:
            name, given = self._call(turn)
            yield {**use, "name": name, "input": given}
        elif any(tool["name"] == "finish" for tool in body.get("tools", ())):
            yield {**use, "name": "finish", "input": _FINISH}
        elif SUBMIT in str(body["messages"][0]):
            yield {**use, "name": "bash", "input": {"command": SUBMIT}}


def _tokens(messages: Any) -> int:
    """Four bytes of text are one; images and documents are none: no loop is to hand over for them."""
    return len(re.sub(r'"data": "[^"]*"', "", json.dumps(messages))) // 4
