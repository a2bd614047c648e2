"""The API over HTTP: what comes of each thing it can do to us."""

import socket
import threading
import time

import pytest
from starlette.responses import Response

from agent.session.api import Api
from agent.session.drain import Drain
from agent.session.retries import Cut, Rejected
from wire.secret import Secret

PARAMETERS = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64_000,
    "system": "S",
    "tools": [{"type": "bash_20250124", "name": "bash"}],
    "cache_control": {"type": "ephemeral"},
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
}


@pytest.fixture
def ask(claude):
    def ask(arrived=lambda _batch: None, url=claude.url, clock=time.monotonic):
        api = Api(url, Secret("sk-test"), Drain(clock), clock)
        return api.ask(PARAMETERS, arrived)

    return ask


def test_a_streamed_answer_comes_whole_and_keeps_no_raw_events_of_its_end(claude, ask):
    claude.plays = [[claude.text("Hello " * 50), claude.use("bash", 1, command="ls", nothing=None)]]
    batches = []
    answer = ask(batches.append, clock=lambda: 0.0)  # what comes slowly is kept meanwhile
    assert answer["content"] == [
        {"type": "text", "text": "Hello " * 50},
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "ls", "nothing": None}},
    ]
    assert (answer["stop_reason"], answer["usage"]["output_tokens"]) == ("tool_use", 100)
    assert batches == []


def test_the_request_goes_out_as_given_with_the_key(claude, ask):
    ask()
    assert claude.requests == [{**PARAMETERS, "stream": True}]
    assert claude.keys == ["Bearer sk-test"]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 529])
def test_an_error_status_is_a_rejection_that_is_never_retried_by_itself(claude, ask, status):
    claude.plays = [claude.refused(status, "some_error")]
    with pytest.raises(Rejected, match="told some_error") as raised:
        ask()
    assert raised.value.status == status
    assert len(claude.requests) == 1


def test_retry_after_comes_with_the_rejection(claude, ask):
    claude.plays = [claude.refused(429, **{"retry-after": "7"})]
    with pytest.raises(Rejected) as raised:
        ask()
    assert raised.value.retry_after == 7


def test_a_stream_that_breaks_off_is_a_cut_and_its_raw_events_are_kept(claude, ask):
    claude.plays = ["cut"]
    batches = []
    with pytest.raises(Cut, match="ended before the answer did"):
        ask(batches.append)
    kinds = [event["type"] for batch in batches for event in batch]
    assert (kinds[0], "message_stop" in kinds) == ("message_start", False)


def test_an_error_inside_the_stream_is_a_cut(claude, ask):
    lines = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
    claude.plays = [Response(lines, media_type="text/event-stream")]
    with pytest.raises(Cut, match="Overloaded"):
        ask()


def test_an_api_that_is_not_there_is_a_rejection_that_cost_nothing(ask):
    # Held and not listened on: a port that was let go may be another program's by now.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(Rejected, match=f"127.0.0.1:{port} was not reached") as raised:
            ask(url=f"http://127.0.0.1:{port}")
    assert raised.value.status == 0


def test_a_connection_that_is_closed_without_an_answer_is_a_cut(ask):
    """The request was sent: nobody knows whether it was billed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=hang_up, args=(server,))
        thread.start()
        with pytest.raises(Cut, match="did not come whole"):
            ask(url=f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def hang_up(server):
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
