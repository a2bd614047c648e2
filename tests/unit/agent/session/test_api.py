"""What each thing that the API can do to a request means, over a transport in memory."""

import json
import re

import httpx2
import pytest

from agent.session import received
from agent.session.api import Api
from agent.session.drain import Drain, TimeUp
from agent.session.retries import Cut, Rejected
from wire.secret import Secret

PARAMETERS = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
USAGE = {"input_tokens": 10, "output_tokens": 2}


def answer(words, stop="end_turn"):
    """An answer's events, each word a delta."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": USAGE}
    yield {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    if stop:
        delta = {"stop_reason": stop, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": USAGE}
        yield {"type": "message_stop"}


class Clock:
    """Each look takes so many seconds."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


class Unbounded(Drain):
    """A drain without an alarm: a test says itself when the time is up."""

    def _arm(self, ends):
        pass


@pytest.fixture
def ask():
    def ask(does, arrived=lambda _batch: None, drain=None, step=0.0):
        api = Api("http://claude.test", Secret("sk-test"), drain or Unbounded(lambda: 0.0), Clock(step))
        transport = httpx2.MockTransport(does)
        api._client = api._client.with_options(http_client=httpx2.Client(transport=transport))
        return api.ask(PARAMETERS, arrived)

    return ask


def streamed(events):
    lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return lambda _request: httpx2.Response(200, text=lines, headers={"content-type": "text/event-stream"})


def raising(error):
    def does(_request):
        raise error

    return does


def test_an_answer_is_plain_data_with_its_usage(ask):
    message = ask(streamed(answer(["Hel", "lo"])))
    assert message["content"] == [{"type": "text", "text": "Hello"}]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("end_turn", 2)


def test_a_request_says_its_length_and_does_not_go_out_in_chunks(ask):
    def does(request):
        sent.update(request.headers, body=request.read())
        return streamed(answer(["x"]))(request)

    sent = {}
    ask(does)
    assert json.loads(sent["body"]) == {**PARAMETERS, "stream": True}
    assert (sent["content-length"], sent["content-type"]) == (str(len(sent["body"])), "application/json")
    assert "transfer-encoding" not in sent


def test_its_events_arrive_in_batches_of_two_hundred_but_for_the_last_which_the_whole_answer_follows(ask):
    batches = []
    ask(streamed(answer(["x"] * 400)), batches.append)
    assert [len(batch) for batch in batches] == [200, 200]


def test_an_answer_that_ends_without_its_end_is_kept_as_it_came(ask):
    batches = []
    with pytest.raises(Cut):
        ask(streamed([*answer(["x"])][:-2]), batches.append)
    assert batches[0][0]["type"] == "message_start"


def test_on_a_slow_answer_they_arrive_twice_a_second(ask):
    batches = []
    ask(streamed(answer(["x"] * 4)), batches.append, step=0.5)
    assert [len(batch) for batch in batches] == [1] * 9


def test_an_event_arrives_as_it_came_without_what_the_sdk_adds(ask):
    batches = []
    ask(streamed(answer(["Hello"])), batches.append, step=0.5)
    events = {event["type"]: event for batch in batches for event in batch}
    assert events["content_block_stop"] == {"type": "content_block_stop", "index": 0}
    assert events["message_stop"] == {"type": "message_stop"}


def test_an_answer_without_its_end_is_a_cut(ask):
    with pytest.raises(Cut, match="ended before the answer did"):
        ask(streamed(answer(["Hel"], stop=None)))


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ConnectTimeout("slow")])
def test_an_api_that_was_not_reached_cost_nothing(ask, error):
    with pytest.raises(Rejected, match=r"claude\.test.* was not reached") as raised:
        ask(raising(error))
    assert raised.value.status == 0


@pytest.mark.parametrize(
    "error", [httpx2.ReadTimeout("silence"), httpx2.WriteError("broken pipe"), httpx2.ReadError("")]
)
def test_what_breaks_once_it_was_reached_may_have_cost_something(ask, error):
    with pytest.raises(Cut, match="did not come whole"):
        ask(raising(error))


def test_an_error_status_costs_nothing_and_is_asked_once(ask):
    asked = []

    def does(request):
        asked.append(request)
        body = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
        return httpx2.Response(529, json=body, headers={"retry-after": "7"})

    with pytest.raises(Rejected, match="busy") as raised:
        ask(does)
    assert (raised.value.status, raised.value.retry_after, len(asked)) == (529, 7, 1)


def test_a_request_that_took_too_long_is_a_cut(ask):
    with pytest.raises(Cut, match="did not come whole") as raised:
        ask(raising(TimeUp()))
    assert raised.value.usage is None  # nothing came that says what it cost


@pytest.mark.parametrize(
    "body",
    ["", 'event: ping\ndata: {"type": "ping"}\n\n', "<html>a proxy's page</html>", "data: []\n\n", "data: {}\n\n"],
)
def test_a_200_without_an_answer_is_a_cut(ask, body):
    with pytest.raises(Cut, match="no answer began"):
        ask(lambda _request: httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"}))


def test_an_answer_that_broke_off_costs_its_input_and_what_arrived(ask):
    with pytest.raises(Cut) as raised:
        ask(streamed(answer(["Hel", "lo"], stop=None)))
    assert raised.value.usage == {"input_tokens": 10, "output_tokens": 5 + received.UNSEEN}


def test_an_answer_whose_end_came_is_taken_though_the_connection_broke(ask):
    def broken():
        for event in answer(["Hello"]):
            yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        raise httpx2.ReadError("reset")

    headers = {"content-type": "text/event-stream"}
    message = ask(lambda _request: httpx2.Response(200, content=broken(), headers=headers))
    assert message["content"] == [{"type": "text", "text": "Hello"}]


def calling(partial_json):
    """An answer that calls bash, with an input as it stands here."""
    first, *_, last, end = answer([], stop="tool_use")
    block = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}
    yield first
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": partial_json},
    }
    yield {"type": "content_block_stop", "index": 0}
    yield last
    yield end


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('{"command": ' + "[" * 3000 + "]" * 3000 + "}", "levels deep|no JSON"),
        ('{"command": ' + "[" * 100 + "]" * 100 + "}", "more than 64 levels"),
        ('{"command": "ls', "no JSON"),
        ('{"command": NaN}', "no number of JSON"),
        ('["ls"]', "no object"),
    ],
)
def test_an_input_that_cant_be_kept_is_a_call_that_is_refused_not_an_answer_that_is_lost(ask, written, why):
    (call,) = ask(streamed(calling(written)))["content"]
    assert re.search(why, call["input"][received.UNREADABLE])


def test_half_a_pair_of_surrogates_becomes_a_mark(ask):
    batches = []
    message = ask(streamed(answer(["a\ud83d", "b\ud83d", "\ude00"])), batches.append)
    assert message["content"] == [{"type": "text", "text": "a\ufffdb😀"}]
    json.dumps([message, batches], ensure_ascii=False).encode()  # a journal is UTF-8
    (call,) = ask(streamed(calling('{"command": "echo \\ud83d"}')))["content"]
    assert call["input"] == {"command": "echo \ufffd"}


def test_events_out_of_order_are_a_cut(ask):
    first, *_ = answer([])
    delta = {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}}
    with pytest.raises(Cut, match="not as the API documents it"):
        ask(streamed([first, delta]))
