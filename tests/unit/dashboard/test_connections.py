"""Those who connect cannot stop the dashboard: late ones are closed, and too many make room."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from functools import partial

import pytest
from starlette.responses import Response, StreamingResponse

from dashboard import server
from dashboard.application import create
from dashboard.connections import Connection, Limits, Owes
from dashboard.settings import Settings
from local.process import wait_until
from tests import nagle
from tests.tokens import accepting
from wire.client import Client

HALF = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
# To where a form is taken without signing in: elsewhere it would be refused before its body is read.
UPLOAD = (
    b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    b"Content-Length: 1000000\r\nContent-Type: %s\r\n\r\n"
)
FORM = UPLOAD % b"application/x-www-form-urlencoded"
GET = HALF + b"\r\n"
HUGE = 16 * 1024 * 1024


async def huge(scope, receive, send):
    """An application whose every answer is larger than what the kernel takes for a client."""
    await Response(bytes(HUGE))(scope, receive, send)


async def slow(scope, receive, send):
    """An application that answers when the loop has gone round."""
    await asyncio.sleep(0)
    await Response(b"late")(scope, receive, send)


@contextlib.contextmanager
def serving(application, limits, idle_s=60):
    """Serve within `limits`; yields the port and the server. What had its answer may idle for so many seconds."""
    listener = server.listen("127.0.0.1", 0)
    # Clients connect at once and wait in the kernel's queue.
    listener.listen()
    settings = server.config(application, type("Limited", (Connection,), {"limits": limits}))
    settings.timeout_keep_alive = idle_s
    running = server.Server(settings)
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1], running
    finally:
        running.should_exit = True
        thread.join()


@pytest.fixture
def app(store, token, clock):
    return create(store, accepting(token), Settings(), clock)


def connect(port, sent=b"", **options):
    client = socket.socket()
    client.settimeout(30)
    if options.get("small"):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(sent)
    return client


def rest(client):
    """What still comes until the other side closes, however it does; a time-out fails the test."""
    read = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(1 << 20):
            read += part
    return read


@pytest.mark.parametrize(
    ("owes", "waited_s", "moved", "is_late"),
    [
        (Owes.NOTHING, 10_000, 0, False),
        (Owes.HEADER, 10, 500, False),
        (Owes.HEADER, 10.5, 500, True),
        (Owes.BODY, 30, 0, False),
        (Owes.BODY, 31, 4095, True),
        (Owes.BODY, 31, 4096, False),
        (Owes.READING, 130, 409_599, True),
        (Owes.READING, 130, 409_600, False),
    ],
)
def test_who_is_late(owes, waited_s, moved, is_late):
    assert Limits().is_late(owes, waited_s, moved) is is_late


def test_an_answer_to_another_host_does_not_wait_for_the_acknowledgement_of_its_head():
    assert nagle.is_off(server.listen("127.0.0.1", 0))


@pytest.mark.process
def test_an_answers_head_and_body_are_read_at_once(app):
    with serving(app, Limits()) as (port, _), connect(port) as client:
        for _ in range(5):
            client.sendall(GET)
            head, _, body = client.recv(1 << 20).partition(b"\r\n\r\n")
            assert f"content-length: {len(body)}".encode() in head
            assert len(body) > 0


@pytest.mark.process
@pytest.mark.parametrize("sent", [b"", HALF])
def test_a_connection_without_a_whole_request_is_closed(app, sent):
    with serving(app, Limits(header_s=0.5)) as (port, _), connect(port, sent) as client:
        assert rest(client) == b""


@pytest.mark.process
def test_a_header_that_drips_is_cut(app):
    with serving(app, Limits(header_s=0.5)) as (port, _), connect(port, HALF) as client:
        assert dripped_until_closed(client, b"X-A: b\r\n")


@pytest.mark.process
def test_a_body_that_drips_is_cut_and_leaves_no_trace_of_an_error(app, caplog):
    with serving(app, Limits(grace_s=0.5)) as (port, _), connect(port, FORM) as client:
        assert dripped_until_closed(client, b"aaaaaaaa")
    assert "closed 1 connections" in caplog.text
    assert "Traceback" not in caplog.text


def dripped_until_closed(client, drop):
    """Send a drop each twentieth of a second, for as long as the server takes them and at most 30 s."""
    client.settimeout(0.05)
    for _ in range(600):
        try:
            client.sendall(drop)
            if client.recv(1) == b"":
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


@pytest.mark.process
def test_a_body_at_a_good_pace_is_taken_however_long_it_lasts(app):
    with serving(app, limits := Limits()) as (port, running), connect(port, FORM) as client:
        one = only(running, Owes.BODY)
        one.look(begun := one.age())
        received = one._received
        client.sendall(bytes(100_000))
        until(lambda: one._received == received + 100_000)
        assert not one.look(begun + limits.grace_s + 100_000 / limits.pace)


@pytest.mark.process
def test_what_idles_between_requests_is_closed(app):
    with serving(app, Limits(header_s=0.5), idle_s=2) as (port, _), connect(port, GET) as client:
        assert b'{"status":"ok"}' in rest(client)


@pytest.mark.process
def test_a_reader_that_stands_still_is_cut(app):
    with serving(huge, Limits(grace_s=0.5)) as (port, running), connect(port, GET, small=True) as client:
        client.recv(1)
        until(lambda: not running.server_state.connections)
        assert len(rest(client)) < HUGE


@pytest.mark.process
def test_a_reader_at_a_good_pace_gets_all():
    with serving(huge, limits := Limits()) as (port, running), connect(port, GET, small=True) as client:
        one = only(running, Owes.READING)
        one.look(begun := one.age())
        unread, read = one.unread, 0
        while one.unread > unread - HUGE // 4:
            read += len(client.recv(20_000))
        assert one.owes is Owes.READING
        assert not one.look(begun + limits.grace_s + HUGE // 4 / limits.pace)
        while read <= HUGE and (part := client.recv(1 << 20)):
            read += len(part)
        assert read > HUGE


@pytest.mark.process
def test_answers_that_wait_for_their_readers_have_a_bound_together():
    with serving(huge, Limits(grace_s=600, unread=2 * HUGE)) as (port, running), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port, GET, small=True)) for _ in range(5)]
        for client in clients:
            with contextlib.suppress(ConnectionError):
                client.recv(1)
        until(lambda: len(running.server_state.connections) == 2)
        assert all(connection.unread for connection in running.server_state.connections)


@pytest.mark.process
def test_the_oldest_idle_one_makes_room(app, token):
    limits = Limits(connections=2, header_s=600)
    with serving(app, limits) as (port, _), connect(port, HALF) as oldest, connect(port, HALF) as older:
        Client(f"http://127.0.0.1:{port}", token, retries=0).health()
        assert rest(oldest) == b""
        older.sendall(b"\r\n")
        assert older.recv(12) == b"HTTP/1.1 200"


@pytest.mark.process
def test_one_that_had_an_answer_goes_after_those_that_never_asked(app):
    limits = Limits(connections=2, header_s=600)
    with serving(app, limits) as (port, _), connect(port, GET) as known, contextlib.ExitStack() as flood:
        answer = b""
        while not answer.endswith(b"}"):
            answer += known.recv(1000)
        for client in [flood.enter_context(connect(port, HALF)) for _ in range(3)][:2]:
            assert rest(client) == b""
        known.sendall(GET)
        assert known.recv(12) == b"HTTP/1.1 200"


@pytest.mark.process
def test_where_all_are_at_work_a_new_one_is_refused(app):
    with serving(app, Limits(connections=2)) as (port, running), connect(port, FORM), connect(port, FORM):
        until(lambda: [one.owes for one in running.server_state.connections] == [Owes.BODY] * 2)
        with connect(port) as third:
            head, _, body = rest(third).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in head
    assert json.loads(body)["status"] == 503


def only(running, owes):
    """The server's only connection, once the other side owes this."""
    until(lambda: [one.owes for one in running.server_state.connections] == [owes])
    (one,) = running.server_state.connections
    return one


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


@pytest.mark.process
def test_a_client_that_had_its_answer_may_be_silent_and_one_that_begins_another_request_may_not(app):
    with serving(app, Limits(header_s=0.5)) as (port, running), connect(port, GET) as client:
        answer = b""
        while not answer.endswith(b"}"):
            answer += client.recv(1000)
        one = only(running, Owes.NEXT)
        assert not one.look(one.age() + 60)
        client.sendall(HALF)
        assert rest(client) == b""


async def endless(scope, receive, send):
    """An application that answers piece by piece, without an end."""

    async def pieces():
        while True:
            yield bytes(65536)
            await asyncio.sleep(0)

    await StreamingResponse(pieces())(scope, receive, send)


@pytest.mark.process
def test_a_reader_of_an_answer_in_pieces_is_not_cut_while_it_reads():
    with serving(endless, Limits(grace_s=0.5)) as (port, _), connect(port, GET, small=True) as client:
        end = time.monotonic() + 4
        while time.monotonic() < end:  # eight times its grace
            assert client.recv(4096)  # slower than it is written: something is always unread
            time.sleep(0.005)


@pytest.mark.process
def test_who_does_not_read_an_answer_in_pieces_is_cut():
    with serving(endless, Limits(grace_s=0.5)) as (port, running), connect(port, GET, small=True) as client:
        assert client.recv(1)  # its answer has begun: whoever looks for the connection may come when it is cut
        assert wait_until(lambda: not running.server_state.connections, 30)


def poured(client, lump):
    """Send lumps, 64 MB at most, until the other side closes; returns how many bytes it took."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 64 * 1024 * 1024:
            client.sendall(lump)
            sent += len(lump)
    return sent


@pytest.mark.process
@pytest.mark.parametrize(
    ("begun", "line"),
    [
        (HALF + b"X-Long: ", b"a" * 65536),
        (b"GET /", b"a" * 65536),
        (HALF, b"X-Line: many\r\n" * 4096),
        (HALF + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Line: many\r\n" * 4096),
    ],
    ids=["a value", "an address", "lines", "trailers"],
)
def test_a_header_without_end_is_cut_before_it_fills_memory(app, begun, line):
    with serving(app, Limits()) as (port, running), connect(port, begun) as client:
        sent = poured(client, line)
        # What the kernel holds for both sides, and one read of the server's, may be on its way.
        assert sent < 16 * 1024 * 1024
        assert wait_until(lambda: not running.server_state.connections, 30)


@pytest.mark.process
def test_an_answer_before_the_end_of_a_body_closes_the_connection(app):
    endless = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    with serving(app, Limits()) as (port, _), connect(port, endless) as client:
        assert client.recv(13) == b"HTTP/1.1 413 "
        assert poured(client, bytes(65536)) < 16 * 1024 * 1024


@pytest.mark.process
def test_requests_that_come_together_are_answered_one_after_the_other(app, token):
    body = b'{"title":"x"}'
    post = b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
    post %= (token.reveal().encode(), len(body))
    with serving(app, Limits(), idle_s=2) as (port, _), connect(port, GET + post) as client:
        client.sendall(body + GET)
        assert re.findall(rb"HTTP/1.1 (\d+)", rest(client)) == [b"200", b"201", b"200"]


@pytest.mark.process
def test_more_requests_at_once_than_may_wait_are_refused(app):
    with serving(app, Limits()) as (port, _), connect(port, GET * 1000) as client:
        assert b"400" in re.findall(rb"HTTP/1.1 (\d+)", rest(client))[:9]


@pytest.mark.process
@pytest.mark.parametrize("sent", [b"", GET], ids=["idle", "with a request"])
def test_a_connection_that_is_being_taken_at_the_end_holds_it_up_no_longer_than_its_answer(caplog, sent):
    """asyncio makes a connection in two steps of its loop: the listeners may be closed between them."""
    ours, theirs = socket.socketpair()
    ours.sendall(sent)

    def take():
        loop, settings = asyncio.get_running_loop(), running.config
        made = partial(Connection, config=settings, server_state=running.server_state, app_state={})
        taken.append(loop.create_task(loop.connect_accepted_socket(made, theirs)))

    settings, taken = server.config(slow), []
    running = server.Server(settings, before_end=take)
    running.should_exit = True
    with ours:
        ours.settimeout(30)
        running.run([server.listen("127.0.0.1", 0)])
        assert taken
        # What uvicorn says when it must cut what did not end by itself.
        assert not [record for record in caplog.records if "exceeded" in record.message]
        assert rest(ours).startswith(b"HTTP/1.1 200 OK" if sent else b"")
