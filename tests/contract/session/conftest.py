"""Claude's API over HTTP, which answers what a test has written down."""

import asyncio
import json
import threading

import pytest
from anthropic.types import Message
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from doubles.claude import conversation, thinking
from doubles.claude.answer import Raw
from local.serve import running
from tests.forks import Forks

MODEL = "claude-sonnet-5-5"


def use(name, number, **given):
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def text(words):
    return {"type": "text", "text": words}


class Claude:
    """The Messages API over HTTP, which answers what `plays` says: a list of answers, each the blocks of a message, a
    Response, or `hang` and `cut`; the last one goes on. `requests` are the bodies that came.
    """

    def __init__(self):
        self.plays = [[text("Hello.")]]
        self.requests = []
        self.keys = []
        self.released, self.arrived = threading.Event(), threading.Event()

    async def messages(self, request):
        body = await request.json()
        conversation.check(body)  # what the API answers 400 to fails the test
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization"))
        play = self.plays[min(len(self.requests), len(self.plays)) - 1]
        if isinstance(play, Response):
            return play
        lines = [line(event) for event in streamed(message([] if play in ("hang", "cut") else play))]
        return StreamingResponse(self._sent(play, lines), media_type="text/event-stream")

    async def _sent(self, play, lines):
        yield lines[0]
        if play == "hang":
            self.arrived.set()
            await asyncio.to_thread(self.released.wait)
        for later in [] if play == "cut" else lines[1:]:
            yield later

    def app(self):
        return Starlette(routes=[Route("/v1/messages", self.messages, methods=["POST"])])


def message(content):
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    usage = {"input_tokens": 1000, "output_tokens": 100}
    fields = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "usage": usage}
    return Message.model_validate({**fields, "content": content, "stop_reason": stop})


def thought(words="Let me see."):
    """A block of thinking, signed as Claude's double signs it."""
    (part,) = thinking.thought((Raw({"type": "thinking", "thinking": words}),), {})
    return part.block


def streamed(made):
    """A message as the API's events; each block in one delta, and a thought's signature in a second one."""
    whole = made.model_dump(mode="json")
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, block in enumerate(whole["content"]):
        delta, empty = {"type": "text_delta", "text": block.get("text")}, {"text": ""}
        if block["type"] == "tool_use":
            empty = {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        if block["type"] == "thinking":
            empty = {"thinking": "", "signature": ""}
            delta = {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        if block["type"] == "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            yield {"type": "content_block_delta", "index": index, "delta": signed}
        yield {"type": "content_block_stop", "index": index}
    last = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": last, "usage": {"output_tokens": whole["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def line(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def refused(status, kind="overloaded_error", **headers):
    """An error as the API gives it."""
    body = {"type": "error", "error": {"type": kind, "message": f"told {kind}"}}
    return JSONResponse(body, status, headers=headers)


@pytest.fixture
def claude():
    double = Claude()
    double.refused = refused
    double.use, double.text = use, text
    with running(double.app()) as url:
        double.url = url
        yield double
        double.released.set()


@pytest.fixture(scope="session")
def forks():
    made = Forks()
    yield made
    made.close()
