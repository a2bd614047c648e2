"""How a request is put on the wire; what the calls do stands in tests/contract/test_wire.py."""

import os
import socket
import threading

import pytest

from dashboard import server
from dashboard.app import create
from dashboard.callers import Callers
from dashboard.stores.memory import MemoryStore
from wire.client import Client, RequestRefused, Unreachable
from wire.exchange import JOINED_LIMIT
from wire.tcp import _Connection
from wire.types import File, NewTask


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
def running(path):
    """The queue that answers there."""
    listener = server.listen_locally(path)
    listener.listen()
    callers = Callers(operators=frozenset({os.geteuid()}))
    running = server.Server(server.config(create(MemoryStore(), callers=callers)))
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    yield running
    running.should_exit = True
    thread.join()


def test_over_a_socket_no_token_is_needed_and_connections_are_kept(running, path):
    client = Client(f"unix:{path}")
    added = [client.add_task(NewTask(title=f"task {number}")).id for number in range(60)]
    assert [task.id for task in client.tasks()] == added[::-1]
    assert len(running.server_state.connections) == 1


@pytest.mark.usefixtures("running")
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
