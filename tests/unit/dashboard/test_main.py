"""The program as systemd starts it."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from starlette.applications import Starlette

import dashboard as dashboard_room
from dashboard import server
from dashboard.connections import Limits
from local.ports import reserved
from notify.settings import Settings as NotifySettings
from wire.client import Client, RequestRefused
from wire.secret import Secret
from wire.types import AskedToken, ClaimRequest, NewTask, Scope

pytestmark = pytest.mark.process


@pytest.fixture
def port():
    with reserved() as port:
        yield port


@pytest.fixture
def path(tmp_path):
    """The queue's socket."""
    return tmp_path / "queue.sock"


@pytest.fixture
def start(tmp_path, path):
    """Start the dashboard; what is started is ended."""
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nsocket = "{path}"\n')
    (tmp_path / "state").mkdir()
    command = [sys.executable, "-m", "dashboard", "--settings", tmp_path / "jada.toml", "--state", tmp_path / "state"]
    started = []

    def run(descriptors=None, **environment):
        env = {"PATH": os.environ["PATH"], **environment}
        limited = ["prlimit", f"--nofile={descriptors}", "--", *command] if descriptors else command
        started.append(subprocess.Popen(limited, env=env, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def client(path):
    return Client(f"unix:{path}", retries=0, timeout_s=60)


def wait_until_healthy(path):
    assert Client(f"unix:{path}", retries=10).health().status == "ok"


def listening(process):
    """The TCP ports on which a process listens."""
    said = subprocess.run(["ss", "-H", "-l", "-n", "-t", "-p"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3] for line in said.splitlines() if f"pid={process.pid}," in line]


def test_systemds_watchdog_hears_of_it_while_it_lives_and_no_longer(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        process = start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000")
        assert systemd.recv(100) == b"READY=1"
        assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.send_signal(signal.SIGSTOP)
        systemd.settimeout(2)
        with pytest.raises(TimeoutError):
            drain(systemd)  # what it sent before it stood still
        process.send_signal(signal.SIGCONT)
        systemd.settimeout(60)
        assert systemd.recv(100) == b"WATCHDOG=1"


def test_pages_that_stay_open_hold_no_end_up(start, path, client):
    process = start()
    wait_until_healthy(path)
    code, page = client.invite("anna").path.rpartition("/")[2], {"Host": "localhost", "Origin": "http://localhost"}
    form = {**page, "Content-Type": "application/x-www-form-urlencoded"}
    signed_in = client._transport.request("POST", "/sign-in", f"code={code}".encode(), form)
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(path))
        reader.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
        stream = reader.makefile("rb")
        head = list(iter(stream.readline, b"\r\n"))
        assert (head[0], b"content-type: text/event-stream; charset=utf-8\r\n" in head) == (
            b"HTTP/1.1 200 OK\r\n",
            True,
        )
        stream.readline()  # how long the first piece is
        assert b"retry" in stream.readline()
        # What a page needs was imported meanwhile: none of it brought OpenSSL along.
        assert not re.search(r"/_(ssl|hashlib)\.", Path(f"/proc/{process.pid}/maps").read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    # What uvicorn says when it must cut what did not end by itself.
    assert "exceeded" not in process.stderr.read()


EARLY = """
import asyncio, os, signal, socket, sys
from pathlib import Path
from starlette.applications import Starlette
from dashboard import server
run = asyncio.run
def asked_to_end(main):
    os.kill(os.getpid(), signal.SIGTERM)
    return run(main)
asyncio.run = asked_to_end
server.serve(Starlette(), [server.listen_locally(Path(sys.argv[1]))], lambda: print("its streams are ended"))
"""


def test_a_signal_before_uvicorn_listens_for_it_ends_the_dashboard(path):
    done = subprocess.run(
        [sys.executable, "-c", EARLY, path], stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert done.stdout == "its streams are ended\n"


def drain(receiver):
    while receiver.recv(100):
        pass


def test_the_watchdog_says_nothing_of_the_queue(start, path, tmp_path):
    """A queue that is gone makes it not ready, and no reason for systemd to kill it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000")
        assert systemd.recv(100) == b"READY=1"
        (tmp_path / "state" / "queue.db").unlink()
        assert refusal(Client(f"unix:{path}", retries=0).ready) == 503
        for _ in range(3):
            assert systemd.recv(100) == b"WATCHDOG=1"


def test_it_tells_systemd_when_it_serves_and_ends_well(start, path, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        process = start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert systemd.recv(100) == b"READY=1"
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    left = sorted(file.name for file in (tmp_path / "state").glob("queue*"))
    assert left == ["queue.db", "queue.db.id", "queue.db.reserve"]
    assert (tmp_path / "state" / "queue.db").stat().st_mode & 0o777 == 0o600


def test_what_was_acknowledged_outlives_a_kill(start, path, client):
    process = start()
    wait_until_healthy(path)
    added = [client.add_task(NewTask(title=f"t{n}")).id for n in range(20)]
    process.kill()
    process.wait(60)
    start()
    wait_until_healthy(path)
    assert {task.id for task in client.tasks()} == set(added)


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_1100_half_open_connections_do_not_stop_the_queue(start, path, client, many_descriptors):
    process = start(descriptors=1024)
    wait_until_healthy(path)
    opened = Path(f"/proc/{process.pid}/fd")
    before = len(list(opened.iterdir()))
    with contextlib.ExitStack() as held:
        # All at once: none is closed while others come.
        process.send_signal(signal.SIGSTOP)
        half = [held.enter_context(half_open(path)) for _ in range(1100)]
        process.send_signal(signal.SIGCONT)
        client.add_task(NewTask(title="amid them"))
        # As many as are let in, and those that asyncio takes at once.
        assert len(list(opened.iterdir())) < before + Limits().connections + 2 * server.ACCEPTED
        half += [held.enter_context(half_open(path)) for _ in range(300)]
        assert [task.title for task in client.tasks()] == ["amid them"]
        # A time-out here is a connection that was never let go.
        assert not any(closed(one) for one in half)
    assert len(list(opened.iterdir())) <= before + 2
    process.send_signal(signal.SIGTERM)
    assert "out of system resource" not in process.communicate(timeout=60)[1]


def half_open(path):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(60)
    one.connect(str(path))
    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
    return one


def closed(half_open):
    """What comes until the other side closes: nothing."""
    try:
        return half_open.recv(1)
    except ConnectionError:
        return b""


def test_no_port_is_open(start, path):
    process = start()
    wait_until_healthy(path)
    assert listening(process) == []


def listens(tmp_path, path, port):
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nsocket = "{path}"\nlisten = "127.0.0.1:{port}"\n')


def test_the_port_for_other_hosts_takes_tokens_of_the_socket_and_shows_none(start, path, port, tmp_path):
    listens(tmp_path, path, port)
    process = start()
    wait_until_healthy(path)
    assert listening(process) == [f"127.0.0.1:{port}"]
    by_socket, url = Client(f"unix:{path}"), f"http://127.0.0.1:{port}"
    made = by_socket.make_token(AskedToken(name="worker 2", scope=Scope.AGENT))
    other = Client(url, Secret(made.text), retries=0)
    assert other.claim(ClaimRequest(host="h")) is None
    assert refusal(lambda: list(other.tasks())) == 403
    by_socket.revoke_token(made.token.id)
    assert refusal(lambda: other.claim(ClaimRequest(host="h"))) == 401
    assert made.text not in (tmp_path / "state" / "tokens.json").read_text()
    process.send_signal(signal.SIGTERM)
    assert made.text not in process.communicate(timeout=60)[1]


def refusal(call):
    with pytest.raises(RequestRefused) as refused:
        call()
    return refused.value.problem.status


def test_a_port_in_use_is_named_in_one_line(start, path, port, tmp_path):
    listens(tmp_path, path, port)
    with socket.create_server(("127.0.0.1", port)):
        error = start().communicate(timeout=60)[1]
    assert re.fullmatch(rf"dashboard: can't listen on 127\.0\.0\.1 port {port}: .*\n", error)


def test_on_the_pages_socket_there_is_no_api(start, path):
    start()
    wait_until_healthy(path)
    page = Client(f"unix:{path.with_name('page.sock')}", retries=0)
    for call in (page.health, page.tokens, lambda: page.invite("anna"), lambda: page.add_task(NewTask(title="t"))):
        assert refusal(call) == 403
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(60)
        caller.connect(str(path.with_name("page.sock")))
        caller.sendall(b"GET /sign-in HTTP/1.1\r\nHost: jada-local.localhost:8765\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 200"


def test_a_state_folder_that_is_gone_is_named(start, tmp_path):
    (tmp_path / "state").rmdir()
    assert f"No such file or directory: '{tmp_path / 'state'}'" in start().communicate(timeout=60)[1]


def test_a_queue_that_is_gone_ends_it_with_a_code_after_which_systemd_does_not_start_it_again(start, path, tmp_path):
    process = start()
    wait_until_healthy(path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    (tmp_path / "state" / "queue.db").unlink()
    process = start()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 78
    assert "fab queue.restore" in said
    assert not (tmp_path / "state" / "queue.db").exists()
    unit = Path(dashboard_room.__file__).parents[1] / "provision/release/files/units/jada-dashboard.service"
    assert "RestartPreventExitStatus=78\n" in unit.read_text()


def test_a_second_one_over_the_same_folder_is_refused(start, path):
    start()
    wait_until_healthy(path)
    second = start()
    assert second.wait(60) == 1


def test_a_socket_that_cannot_be_had_is_named(start, tmp_path):
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nsocket = "{tmp_path}/gone/queue.sock"\n')
    process = start()
    assert f"dashboard: can't listen on {tmp_path}/gone/queue.sock" in process.communicate(timeout=60)[1]
    assert process.returncode == 1


def test_an_idle_connection_outlives_the_longest_pause_of_the_notifier():
    poll = typing.get_type_hints(NotifySettings, include_extras=True)["poll_seconds"]
    longest = next(meta.le for meta in poll.__metadata__ if meta.le)
    assert server.config(Starlette()).timeout_keep_alive > longest
