"""When the installer believes that the queue is ready: the dashboard proves it, or a release from before says so."""

import json
import os
import socket
import threading

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from local.serve import running
from provision.onhost import readiness, runs, units
from provision.onhost.health import Run


def answering(path, status, body):
    async def answer(_request):
        return Response(json.dumps(body), status, media_type="application/json")

    return running(Starlette(routes=[Route(path, answer)]))


@pytest.mark.parametrize(
    ("path", "status", "body", "problem"),
    [
        ("/readyz", 200, {"status": "ready"}, None),
        ("/readyz", 503, {"detail": "queue.db was deleted or renamed"}, "queue.db was deleted or renamed"),
        ("/readyz", 200, {"status": "odd"}, "says 'odd'"),
        ("/readyz", 500, {}, "not ready"),
        ("/v1/health", 200, {"status": "ok"}, None),
        ("/elsewhere", 200, {"status": "ok"}, "not ready"),
    ],
)
def test_a_release_is_ready_when_its_queue_says_so(path, status, body, problem):
    with answering(path, status, body) as url:
        found = readiness.queue_problem(f"{url}/readyz")
    assert (found is None) is (problem is None)
    assert (problem or "") in (found or "")


def test_a_queue_is_asked_over_its_socket(tmp_path):
    path = tmp_path / "queue.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        asked = []

        def answer():
            with listener.accept()[0] as caller:
                asked.append(caller.recv(1000).split(b"\r\n")[0])
                caller.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"status": "ready"}')

        thread = threading.Thread(target=answer)
        thread.start()
        assert readiness.queue_problem(f"unix:{path}") is None
        thread.join()
    assert asked == [b"GET /readyz HTTP/1.1"]


def test_a_socket_at_which_nothing_answers_is_named(tmp_path):
    assert f"unix:{tmp_path}/none: [Errno 2]" in readiness.queue_problem(f"unix:{tmp_path}/none")


def test_a_release_without_a_socket_is_asked_at_its_port(tmp_path):
    with answering("/readyz", 200, {"status": "ready"}) as url:
        assert readiness.queue_problem(f"unix:{tmp_path}/none", url) is None
    assert f"unix:{tmp_path}/none" in readiness.queue_problem(f"unix:{tmp_path}/none", "http://127.0.0.1:9")


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Have systemctl say a text, as systemd would, whatever it is asked."""
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return (tmp_path / "said").write_text


@pytest.mark.process
def test_units_run_as_systemd_says_and_while_it_says_nothing_that_is_not_known(systemd):
    systemd(
        "ActiveState=active\nInvocationID=one\nNRestarts=0\nJob=\n\nActiveState=failed\nInvocationID=two\nNRestarts=3\nJob=185\n"
    )
    assert units.runs(["a", "b"]) == ({"a": Run("active", "one", 0), "b": Run("failed", "two", 3, job=True)}, {})
    systemd("")  # on its error output: Transport endpoint is not connected
    assert units.runs(["a", "b"]) == (None, {})
    assert units.runs([]) == ({}, {})


@pytest.mark.process
@pytest.mark.parametrize("names", [["a"], ["a", units.WORKER], []])
def test_what_the_worker_says_of_its_poll_is_asked_by_the_same_question(systemd, names):
    block = "ActiveState=active\nInvocationID=one\nNRestarts=0\nJob=\nMainPID=0\nStatusText=the queue answered; 3\n"
    systemd("\n".join([block] * len({*names, units.WORKER})))
    seen, word = units.runs(names, worker=True)
    assert seen == dict.fromkeys(names, Run("active", "one", 0))
    assert word["StatusText"] == "the queue answered; 3"
    # Its process is of no release.
    assert units.poll_problem("r1", word) is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("said", "active"), [("active", True), ("deactivating", True), ("inactive", False), ("", True)]
)
def test_a_deploy_is_at_work_until_systemd_says_that_it_is_not(systemd, said, active):
    systemd(f"{said}\n")
    assert runs.is_active() is active


@pytest.mark.process
def test_what_a_unit_said_just_now_is_in_the_journal_before_that_is_read(tmp_path, monkeypatch):
    """journald takes what is said one after the other, and a unit that failed may have failed a moment ago."""
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\n[ "$1" = --sync ] && exec touch {tmp_path}/all\nls {tmp_path}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "    all\n" in units.journal("jada-agent.service")


@pytest.mark.process
@pytest.mark.parametrize(
    ("load", "outdated", "reloads"),
    [("loaded", "no", 0), ("loaded", "yes", 1), ("not-found", "no", 1), ("bad-setting", "no", 1), ("", "", 1)],
)
def test_all_units_are_read_again_only_where_systemd_does_not_know_a_unit_as_its_file_is(
    tmp_path, monkeypatch, load, outdated, reloads
):
    said = f"printf 'LoadState={load}\\nNeedDaemonReload={outdated}\\n'"
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\n[ "$1" = show ] && {said} || echo "$@" >>{tmp_path}/done\n')
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "done").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    units.reload_for("jada-trial-queue.service")
    assert (tmp_path / "done").read_text() == "daemon-reload\n" * reloads
