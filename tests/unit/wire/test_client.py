"""How a request is put on the wire; what the calls do stands in tests/contract/test_wire.py."""

import gzip
import json
import os
import socket
import threading

import pytest
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import JSONResponse

from dashboard import server
from dashboard.application import create
from dashboard.callers import Callers
from dashboard.stores.memory import MemoryStore
from local.serve import running
from wire.client import Client, RequestRefused, Unreachable
from wire.exchange import JOINED_LIMIT
from wire.routes import UNPACKED_LIMIT
from wire.secret import Secret
from wire.tcp import _Connection
from wire.types import Batch, ClaimRequest, Event, EventKind, File, NewTask


class Socket:
    def __init__(self):
        self.sent = []

    def settimeout(self, _seconds):
        pass

    def sendall(self, data):
        self.sent.append(data)


@pytest.mark.parametrize(("body", "pieces"), [(b"{}", 1), (b"x" * JOINED_LIMIT, 2)])
def test_head_and_body_are_sent_at_once_unless_they_are_large(body, pieces):
    connection = _Connection("localhost")
    connection.sock = Socket()
    connection.request("POST", "/v1/claims", body=body)
    assert len(connection.sock.sent) == pieces
    assert b"".join(connection.sock.sent).partition(b"\r\n\r\n")[2] == body


@pytest.fixture
def path(tmp_path):
    """A queue's socket."""
    return tmp_path / "queue.sock"


@pytest.fixture
def queue(path):
    """The queue that answers there."""
    listener = server.listen_locally(path)
    listener.listen()
    callers = Callers(operators=frozenset({os.geteuid()}))
    serving = server.Server(server.config(create(MemoryStore(), callers=callers)))
    thread = threading.Thread(target=serving.run, args=([listener],))
    thread.start()
    yield serving
    serving.should_exit = True
    thread.join()


def test_over_a_socket_no_token_is_needed_and_connections_are_kept(queue, path):
    client = Client(f"unix:{path}")
    added = [client.add_task(NewTask(title=f"task {number}")).id for number in range(60)]
    assert [task.id for task in client.tasks()] == added[::-1]
    assert len(queue.server_state.connections) == 1


@pytest.mark.usefixtures("queue")
def test_over_a_socket_refusals_and_files_are_the_same(path):
    client = Client(f"unix:{path}", retries=0)
    with pytest.raises(RequestRefused, match="404"):
        client.task("01KRGKAHG0E073R7GREH4AHP70")
    task = client.add_task(NewTask(title="t", context=(File(name="a-b.csv", content=b"1" * 200_000),)))
    assert client.context_file(task.id, "a-b.csv") == b"1" * 200_000


def test_a_socket_that_is_not_there_is_no_answer(tmp_path):
    with pytest.raises(Unreachable, match=r"none\.sock: No such file or directory"):
        Client(f"unix:{tmp_path}/none.sock", retries=1).health()


def test_a_socket_behind_which_nothing_answers_ends_in_time(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(Unreachable, match="timed out"):
            Client(f"unix:{tmp_path}/silent.sock", retries=0, timeout_s=0.2).health()


BATCH = Batch(
    fence=1,
    events=tuple(
        Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.TOOL_RESULT, data={"content": "room 12, 129.00 " * 20})
        for n in range(1, 11)
    ),
)


class Old:
    """A dashboard of the release before: it reads plain JSON only, and says nothing of what it takes; one that `says`
    so reads packed records too.
    """

    def __init__(self):
        self.codings, self.says = [], False

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.codings.append(request.headers.get("content-encoding"))
        try:
            body = await request.body()
            plain = gzip.decompress(body) if self.says and self.codings[-1] else body
            last = json.loads(plain)["events"][-1]["n"]
        except ValueError:
            await JSONResponse({"title": "no JSON", "status": 400}, 400, media_type="application/problem+json")(
                scope, receive, send
            )
            return
        headers = {"Accept-Encoding": "gzip"} if self.says else {}
        await JSONResponse({"n": last}, headers=headers)(scope, receive, send)


@pytest.mark.usefixtures("queue")
def test_records_are_packed_as_soon_as_the_dashboard_said_that_it_takes_that(path):
    client = Client(f"unix:{path}", retries=0)
    sent = sending(client)
    client.add_task(NewTask(title="t"))
    held = client.claim(ClaimRequest(host="h"))
    assert client.deliver(held.session.id, BATCH).n == 10
    more = replace(BATCH, events=tuple(replace(event, n=event.n + 10) for event in BATCH.events))
    assert client.deliver(held.session.id, more).n == 20
    plain, packed = (body for address, body in sent if address.endswith("/events"))
    assert len(packed) < len(plain) / 5
    assert client.events(held.session.id)[10:] == more.events


def sending(client):
    """The addresses and bodies of a client's requests, noted on their way."""
    sent, request = [], client._transport.request
    client._transport.request = lambda method, address, body, headers: (
        sent.append((address, body)) or request(method, address, body, headers)
    )
    return sent


def test_a_small_batch_and_a_very_large_one_are_sent_as_they_are():
    old = Old()
    old.says = True
    with running(old) as url:
        client = Client(url, Secret("t"), retries=0)
        large = replace(BATCH.events[0], n=2, data={"content": "x" * (UNPACKED_LIMIT + 1)})
        for events in (BATCH.events, BATCH.events[:1], (replace(BATCH.events[0], data={}),), (large,)):
            client.deliver("S", Batch(fence=1, events=events))
    assert old.codings == [None, "gzip", None, None]


def test_the_release_before_gets_plain_records_also_when_it_is_put_back():
    old = Old()
    with running(old) as url:
        client = Client(url, Secret("t"), retries=0)
        client.deliver("S", BATCH)
        old.says = True
        client.deliver("S", BATCH)
        old.says = False
        assert client.deliver("S", BATCH).n == 10  # packed, refused, sent again
        client.deliver("S", BATCH)
    assert old.codings == [None, None, "gzip", None, None]
