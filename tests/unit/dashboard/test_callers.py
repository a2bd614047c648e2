"""Over the Unix socket the caller's user decides: the kernel says it, and no token is asked for."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import urllib3

from dashboard import callers, server
from dashboard.application import create
from dashboard.callers import Callers
from dashboard.settings import Settings
from tests.tokens import accepting
from wire.routes import ROUTES, Right
from wire.types import NewTask

AGENT, SYNC, OPERATOR, STRANGER, SENDER = 61_001, 61_002, 61_003, 61_004, 61_005
KNOWN = Callers(AGENT, SYNC, SENDER, frozenset({0, OPERATOR}))
ASK = """
import os, socket, sys
path, uid, request = sys.argv[1:]
os.setgroups([])
os.setgid(GROUP)
os.setuid(int(uid))
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(20)
    client.connect(path)
    client.sendall(request.encode())
    print(client.recv(12).decode())
"""


@pytest.mark.parametrize(
    ("uid", "rights"),
    [
        (AGENT, {Right.PUBLIC, Right.AGENT}),
        (SYNC, {Right.PUBLIC, Right.SYNC}),
        (SENDER, {Right.PUBLIC, Right.TELL}),
        (OPERATOR, set(Right)),
        (0, set(Right)),
        (STRANGER, {Right.PUBLIC}),
    ],
)
def test_what_each_may(uid, rights):
    assert KNOWN.rights(uid) == rights


def test_the_sync_can_report_runs_and_hold_what_is_its_own_and_nothing_else():
    rights = KNOWN.rights(SYNC)
    own = {"report", "take_lease", "renew_lease", "release_lease", "kept", "keep"}
    assert {route.name for route in ROUTES if route.right in rights} == {*own, "health", "ready"}


def test_the_agent_is_no_operator_whatever_groups_it_is_in():
    assert Right.OPERATOR not in Callers(agent=1, sync=2, operators=frozenset({0, 1, 2})).rights(1)


def test_no_user_is_an_agent_where_the_machine_has_no_such_user():
    assert Callers().rights(STRANGER) == {Right.PUBLIC}
    assert 0 in callers.known().operators


@pytest.fixture
def path():
    """A socket's path in a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "queue.sock"


@pytest.fixture
def status(store, token, clock, path):
    """The status that a user's request over the socket is answered with."""
    listener = server.listen_locally(path)
    listener.listen()
    running = server.Server(server.config(create(store, accepting(token), Settings(), clock, callers=KNOWN)))
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()

    def ask(uid, method, target, sent=None, header="X-None: 1"):
        sent = sent if sent is not None else "" if method == "GET" else "{}"
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: {len(sent)}"
        request = f"{head}\r\n\r\n{sent}"
        command = [sys.executable, "-c", ASK.replace("GROUP", str(os.getgid())), str(path), str(uid), request]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1])

    yield ask
    running.should_exit = True
    thread.join()


@pytest.mark.root
@pytest.mark.parametrize(
    ("uid", "method", "target", "expected"),
    [
        (AGENT, "POST", "/v1/claims", 422),
        (AGENT, "POST", "/v1/tokens", 403),
        (AGENT, "POST", "/v1/sign-ins", 403),
        (AGENT, "GET", "/v1/tasks", 403),
        (AGENT, "POST", "/v1/sync-runs", 403),
        (AGENT, "GET", "/", 403),
        (AGENT, "POST", "/tasks", 403),
        (SYNC, "POST", "/v1/sync-runs", 422),
        (SYNC, "POST", "/v1/claims", 403),
        (SYNC, "GET", "/", 403),
        (OPERATOR, "GET", "/v1/tasks", 200),
        (OPERATOR, "GET", "/", 401),
        (OPERATOR, "GET", "/sign-in", 200),
        (OPERATOR, "POST", "/v1/sign-ins", 422),
        (0, "GET", "/v1/backups", 200),
        (STRANGER, "GET", "/readyz", 200),
        (STRANGER, "GET", "/v1/tasks", 403),
        (STRANGER, "GET", "/", 403),
        (STRANGER, "GET", "/assets/style.css", 403),
        (STRANGER, "GET", "/no-such-page", 403),
        (AGENT, "GET", "//", 403),
    ],
)
def test_the_callers_user_decides_and_no_token_is_asked_for(status, uid, method, target, expected):
    assert status(uid, method, target) == expected


def test_the_socket_is_our_groups_and_one_left_behind_is_replaced(path):
    for _ in range(2):
        with server.listen_locally(path):
            found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, os.getgid())


def test_a_folder_that_is_not_there_is_named(path):
    with pytest.raises(OSError, match=r"can't listen on .*/gone/queue\.sock: No such file"):
        server.listen_locally(path.parent / "gone" / path.name)


def test_a_file_in_its_place_stays(path):
    path.write_text("not ours")
    with pytest.raises(OSError, match=r"queue\.sock: Address already in use"):
        server.listen_locally(path)
    assert path.read_text() == "not ours"


def test_who_is_put_into_the_operators_group_is_one_at_once():
    members = set()
    known = Callers(operators=frozenset({0}), joined=lambda: members)
    assert Right.OPERATOR not in known.rights(OPERATOR)
    members.add(OPERATOR)
    assert Right.OPERATOR in known.rights(OPERATOR)


@pytest.mark.root
@pytest.mark.parametrize(
    "header", ["Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"]
)
def test_what_another_page_makes_an_operators_browser_send_is_refused(status, store, header):
    assert status(OPERATOR, "POST", "/v1/tasks", '{"title": "t"}', header) == 403
    assert not store.tasks()
    assert status(OPERATOR, "POST", "/v1/tasks", '{"title": "t"}') == 201


@pytest.mark.root
def test_the_agent_adds_subtasks_and_no_task_of_its_own(status, queue):
    parent = queue.add(NewTask(title="parent"))[0]
    assert status(AGENT, "POST", "/v1/tasks", '{"title": "t"}') == 403
    assert status(AGENT, "POST", "/v1/tasks", f'{{"title": "child", "parent": "{parent.id}"}}') == 201
    assert status(SYNC, "POST", "/v1/tasks", f'{{"title": "child", "parent": "{parent.id}"}}') == 403
    assert [task.title for task in queue.tasks()] == ["child", "parent"]


@pytest.mark.parametrize("target", ["/v1/tasks", "/v1/claims"])
def test_over_tcp_it_stays_the_token(url, target):
    assert urllib3.request("GET" if target == "/v1/tasks" else "POST", url + target).status == 401
