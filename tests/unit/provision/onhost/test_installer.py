"""What a deploy's last word rests on. systemd is played by a program, the queue answers over a real socket; both are
real on the hosts of tests/e2e/provision.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import UnixStreamServer

import pytest

from provision.onhost import durable
from provision.onhost.errors import DeployRefused, Stopped
from provision.onhost.events import Events
from provision.onhost.installer import Deploy, ended, require_notified
from provision.onhost.runs import UNDO
from tests.unit.provision.onhost.releases import host

pytestmark = pytest.mark.process


def test_a_test_that_no_target_took_refuses_the_deploy_with_each_answer():
    command = [sys.executable, "-c", "print('mail: refused with status 403'); raise SystemExit(1)"]
    with pytest.raises(DeployRefused, match=r"(?s)nothing was switched.*mail: refused with status 403"):
        require_notified(command)


def test_a_test_that_was_taken_lets_it_go_on():
    require_notified([sys.executable, "-c", ""])


@pytest.mark.parametrize(
    ("said", "last"),
    [({"finished": True}, "finished"), ({"proven": "r1"}, "proven"), ({"deployed": "r1"}, "superseded")],
)
def test_an_installer_that_is_ended_right_after_its_word_takes_nothing_back(tmp_path, said, last):
    deploy = Deploy({}, tmp_path)
    deploy.events.emit(**said)
    assert deploy.stop(Stopped("it was asked to stop")) == 0
    assert deploy.events.last().keys() - {"at"} == {last}


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ready"}')

    def log_message(self, *_words):
        pass


SYSTEMCTL = """#!/bin/sh
[ "$1" = show ] && printf 'ActiveState=%s\nInvocationID=1\nNRestarts=0\nJob=\nMainPID=0\n' $(cat {folder}/state)
exit 0
"""


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """The deploy of `bad` over the proven `good`, switched to already; `ended` is what systemd has of it then."""
    url, orders = f"unix:{tmp_path}/q.sock", {"id": "bad", "seen": "good"}
    pending = {
        "restart": ["a.service"],
        "healthy": ["a.service"],
        "health": {"url": url, "seconds": 1, "steady_s": 0, "proven_s": 0},
    }
    record = host(tmp_path / "home", "good", "bad")
    record.begin("bad", "run", pending)
    folder = record.run("run")
    folder.mkdir(parents=True)
    nothing = dict.fromkeys(("wheels", "archive"))
    (folder / "orders.json").write_text(json.dumps({**orders, **pending, **nothing, "keep": []}))
    (tmp_path / "state").write_text("active")
    for name in ("systemctl", "journalctl"):
        (tmp_path / name).write_text(SYSTEMCTL.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = signal.getsignal(signal.SIGTERM)
    with UnixStreamServer(str(tmp_path / "q.sock"), Ready) as server:
        serving = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        serving.start()
        yield Deploy(json.loads((folder / "orders.json").read_text()), folder, record)
        server.shutdown()
        serving.join()
    signal.signal(signal.SIGTERM, before)


def last_of_one_that_was_killed(deploy):
    ended(deploy.folder, "killed", deploy.record)
    (word,) = [event for event in deploy.events.read() if event.keys() & {"failed", "reverted", "proven"}]
    return word


def test_one_that_was_killed_while_it_watched_is_watched_to_its_end(deploy):
    deploy.events.emit(deployed="bad")
    assert last_of_one_that_was_killed(deploy)["proven"] == "bad"
    assert deploy.record.proven() == ["bad", "good"]


@pytest.mark.parametrize("kind", ["reverted", "failed"])
@pytest.mark.parametrize("ends", ["before it switched", "before nothing was pending", "while it waited"])
def test_one_that_was_killed_while_it_went_back_goes_back_and_proves_nothing(deploy, kind, ends):
    if kind == "reverted":
        deploy.events.emit(deployed="bad")
    pending = {key: value for key, value in deploy.record.pending().items() if key != "run"}
    deploy.events.emit(note="…", going_back={"kind": kind, "why": "it fell", "pending": pending, "leave": False})
    if ends != "before it switched":
        durable.link(deploy.record.home / "current", "releases/good")
    if ends == "while it waited":
        deploy.record.end()
    assert last_of_one_that_was_killed(deploy)[kind] == "it fell\nThe last proven release, good, is back and healthy."
    assert (deploy.record.current(), deploy.record.pending(), deploy.record.proven()) == ("good", None, ["good"])


def test_what_it_goes_back_from_is_on_disk_before_it_goes_back(deploy, tmp_path):
    deploy.events.emit(deployed="bad")
    (tmp_path / "state").write_text("failed")
    copied = f"#!/bin/sh\n[ $1 = daemon-reload ] && cp {deploy.events.path} {tmp_path}/then\n"
    (tmp_path / "systemctl").write_text(copied + SYSTEMCTL.format(folder=tmp_path).removeprefix("#!/bin/sh\n"))
    assert deploy.watch() == 1
    assert Events(tmp_path / "then").says("going_back")


def test_one_that_was_killed_after_an_operator_asked_to_undo_it_is_undone(deploy):
    deploy.events.emit(deployed="bad")
    (deploy.folder / UNDO).touch()
    assert "good, is back and healthy" in last_of_one_that_was_killed(deploy)["reverted"]
    assert (deploy.record.current(), deploy.record.proven()) == ("good", ["good"])


def test_a_release_that_is_no_longer_current_is_not_proven(deploy):
    durable.link(deploy.record.home / "current", "releases/good")
    deploy.events.emit(deployed="bad")
    assert deploy.watch() == 1
    assert "`current` leads to good" in deploy.events.last()["reverted"]
    assert deploy.record.proven() == ["good"]


@pytest.fixture
def later(deploy):
    """A deploy of `bad` again, after the other one, which changed nothing yet."""
    folder = deploy.record.run("later")
    folder.mkdir()
    return Deploy(deploy.orders, folder, deploy.record)


def test_a_deploy_that_changed_nothing_calls_no_release_proven_that_is_not(deploy, later):
    deploy.events.emit(failed="it fell, and was stopped")
    later.fail(DeployRefused("no room"))
    word = "no room\nNothing was switched. Release bad is current and not proven: its worker takes no task yet."
    assert later.events.last()["failed"] == word
    later.record.prove("bad")
    later.record.end()
    later.fail(DeployRefused("no room"))
    assert "Release bad is proven and stays current" in later.events.last()["failed"]


def test_a_watch_that_was_ended_for_a_deploy_that_failed_is_gone_on_with(deploy, later):
    deploy.events.emit(deployed="bad")
    assert deploy.stop(Stopped("it was asked to stop")) == 0
    later.fail(DeployRefused("no room"))
    assert later.events.last()["failed"].endswith("Release bad, whose watch was ended for this deploy, is proven.")
    assert (later.record.proven(), later.record.pending()) == (["bad", "good"], None)


def test_what_falls_in_such_a_watch_is_taken_back(deploy, later, tmp_path):
    deploy.events.emit(deployed="bad")
    deploy.stop(Stopped("it was asked to stop"))
    (tmp_path / "state").write_text("failed")
    later.fail(DeployRefused("no room"))
    said = later.events.last()["failed"]
    assert said.startswith("no room\nRelease bad, whose watch was ended for this deploy: a.service is failed")
    assert "Going back to release good" in said
    assert (later.record.current(), later.record.proven(), later.record.pending()) == ("good", ["good"], None)


def test_a_deploy_that_is_stopped_goes_on_with_no_watch(deploy, later):
    deploy.events.emit(deployed="bad")
    deploy.stop(Stopped("it was asked to stop"))
    later.fail(Stopped("the host shuts down"))
    assert "Release bad is current and not proven" in later.events.last()["failed"]
    assert (later.record.proven(), later.record.pending()["release"]) == (["good"], "bad")
