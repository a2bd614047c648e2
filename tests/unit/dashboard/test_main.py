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
import urllib3
from starlette.applications import Starlette

import dashboard as dashboard_room
from dashboard import server
from notify.settings import Settings as NotifySettings
from wire.client import Client
from wire.secret import Secret
from wire.types import NewTask

pytestmark = pytest.mark.process

TOKEN = "a-token-of-the-tests"


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def start(tmp_path, port):
    """Start the dashboard on `port`; what is started is ended."""
    (tmp_path / "jada.toml").write_text(f"[dashboard]\nport = {port}\n")
    (tmp_path / "dashboard_token").write_text(TOKEN + "\n")
    (tmp_path / "state").mkdir()
    command = [sys.executable, "-m", "dashboard", "--settings", tmp_path / "jada.toml", "--state", tmp_path / "state"]
    started = []

    def run(descriptors=None, **environment):
        env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(tmp_path), **environment}
        limited = ["prlimit", f"--nofile={descriptors}", "--", *command] if descriptors else command
        started.append(subprocess.Popen(limited, env=env, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def client(port):
    return Client(f"http://127.0.0.1:{port}", Secret(TOKEN), retries=0, timeout_s=5)


def wait_until_healthy(port):
    retry = urllib3.Retry(total=200, backoff_factor=0.05, backoff_max=0.2)
    response = urllib3.PoolManager().request("GET", f"http://127.0.0.1:{port}/healthz", retries=retry)
    assert response.json() == {"status": "ok"}


def test_systemds_watchdog_hears_of_it_while_it_lives_and_no_longer(start, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        process = start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000")
        assert systemd.recv(100) == b"READY=1"
        assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.send_signal(signal.SIGSTOP)
        systemd.settimeout(2)
        with pytest.raises(TimeoutError):
            drain(systemd)  # what it sent before it stood still
        process.send_signal(signal.SIGCONT)
        assert systemd.recv(100) == b"WATCHDOG=1"


def drain(receiver):
    while receiver.recv(100):
        pass


def test_the_watchdog_says_nothing_of_the_queue(start, port, tmp_path):
    """A queue that is gone makes it not ready, and no reason for systemd to kill it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="900000")
        assert systemd.recv(100) == b"READY=1"
        (tmp_path / "state" / "queue.db").unlink()
        assert urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", retries=False).status == 503
        for _ in range(3):
            assert systemd.recv(100) == b"WATCHDOG=1"


def test_it_tells_systemd_when_it_serves_and_ends_well(start, port, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        process = start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert systemd.recv(100) == b"READY=1"
    assert socket.create_connection(("127.0.0.1", port), 5).getpeername() == ("127.0.0.1", port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    left = sorted(file.name for file in (tmp_path / "state").glob("queue*"))
    assert left == ["queue.db", "queue.db.id", "queue.db.reserve"]
    assert (tmp_path / "state" / "queue.db").stat().st_mode & 0o777 == 0o600


def test_what_was_acknowledged_outlives_a_kill(start, port, client):
    process = start()
    wait_until_healthy(port)
    added = [client.add_task(NewTask(title=f"t{n}")).id for n in range(20)]
    process.kill()
    process.wait(10)
    start()
    wait_until_healthy(port)
    assert {task.id for task in client.tasks()} == set(added)


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_1100_half_open_connections_do_not_stop_the_queue(start, port, client, many_descriptors):
    process = start(descriptors=1024)
    wait_until_healthy(port)
    opened = Path(f"/proc/{process.pid}/fd")
    before = len(list(opened.iterdir()))
    with contextlib.ExitStack() as held:
        # All at once: none is closed while others come.
        process.send_signal(signal.SIGSTOP)
        half = [held.enter_context(half_open(port)) for _ in range(1100)]
        process.send_signal(signal.SIGCONT)
        client.add_task(NewTask(title="amid them"))
        assert len(list(opened.iterdir())) < before + 600
        half += [held.enter_context(half_open(port)) for _ in range(300)]
        assert [task.title for task in client.tasks()] == ["amid them"]
        # A time-out here is a connection that was never let go.
        assert not any(closed(one) for one in half)
    assert len(list(opened.iterdir())) <= before + 2
    process.send_signal(signal.SIGTERM)
    assert "out of system resource" not in process.communicate(timeout=15)[1]


def half_open(port):
    one = socket.create_connection(("127.0.0.1", port), 30)
    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
    return one


def closed(half_open):
    """What comes until the other side closes: nothing."""
    try:
        return half_open.recv(1)
    except ConnectionError:
        return b""


def test_the_token_never_shows(start, port, tmp_path):
    process = start()
    wait_until_healthy(port)
    urllib3.request("GET", f"http://127.0.0.1:{port}/v1/tasks", headers={"Authorization": f"Bearer {TOKEN}"})
    process.send_signal(signal.SIGTERM)
    assert TOKEN not in process.communicate(timeout=15)[1]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CREDENTIALS_DIRECTORY": ""}, "CREDENTIALS_DIRECTORY: is not set"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "/nowhere/dashboard_token"),
    ],
)
def test_without_its_token_it_says_so_and_does_not_start(start, environment, told):
    process = start(**environment)
    assert told in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def test_a_port_in_use_is_named_in_one_line(start, port):
    with socket.create_server(("127.0.0.1", port)):
        error = start().communicate(timeout=30)[1]
    assert re.fullmatch(rf"dashboard: can't listen on 127\.0\.0\.1 port {port}: .*\n", error)


def test_a_state_folder_that_is_gone_is_named(start, tmp_path):
    (tmp_path / "state").rmdir()
    assert f"No such file or directory: '{tmp_path / 'state'}'" in start().communicate(timeout=30)[1]


def test_a_queue_that_is_gone_ends_it_with_a_code_after_which_systemd_does_not_start_it_again(start, port, tmp_path):
    process = start()
    wait_until_healthy(port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    (tmp_path / "state" / "queue.db").unlink()
    process = start()
    _, said = process.communicate(timeout=15)
    assert process.returncode == 78
    assert "fab queue.restore" in said
    assert not (tmp_path / "state" / "queue.db").exists()
    unit = Path(dashboard_room.__file__).parents[1] / "provision/release/files/units/jada-dashboard.service"
    assert "RestartPreventExitStatus=78\n" in unit.read_text()


def test_a_second_one_over_the_same_folder_is_refused(start, port):
    start()
    wait_until_healthy(port)
    second = start()
    assert second.wait(15) == 1


def test_it_listens_on_its_socket_too(start, port, tmp_path):
    path = tmp_path / "queue.sock"
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nport = {port}\nsocket = "{path}"\n')
    start()
    wait_until_healthy(port)
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(20)
        caller.connect(str(path))
        caller.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 200"


def test_a_socket_that_cannot_be_had_is_named(start, port, tmp_path):
    (tmp_path / "jada.toml").write_text(f'[dashboard]\nport = {port}\nsocket = "{tmp_path}/gone/queue.sock"\n')
    process = start()
    assert f"dashboard: can't listen on {tmp_path}/gone/queue.sock" in process.communicate(timeout=30)[1]
    assert process.returncode == 1


def test_an_idle_connection_outlives_the_longest_pause_of_the_notifier():
    poll = typing.get_type_hints(NotifySettings, include_extras=True)["poll_seconds"]
    longest = next(meta.le for meta in poll.__metadata__ if meta.le)
    assert server.config(Starlette()).timeout_keep_alive > longest
