"""The program as its units run it: a process with its credentials, a dashboard and a receiver."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.application import create
from dashboard.settings import Notify, Settings
from dashboard.stores.sqlite import SqliteStore
from local.process import wait_until
from local.serve import running
from provision.system.notify import took_test
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
TOKEN = Secret("a-token-of-the-tests")


@pytest.fixture
def command(tmp_path, receiver):
    """Start the program; `targets` is the secret's text."""
    (tmp_path / "dashboard_token").write_text(TOKEN.reveal() + "\n")

    def start(*words, targets=None, url="http://127.0.0.1:9", **options):
        (tmp_path / "notify_targets").write_text(targets or f"hook = {receiver.url.reveal()}\n")
        (tmp_path / "heartbeat_url").write_text("\n")
        (tmp_path / "jada.toml").write_text(f'[notify]\ndashboard_url = "{url}"\npoll_seconds = 1\n')
        program = [sys.executable, "-m", "notify", "--settings", str(tmp_path / "jada.toml"), *words]
        env = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}
        return subprocess.Popen(program, cwd=ROOT, env=env, text=True, stdin=-1, stdout=-1, stderr=-1, **options)

    return start


def said(process, text=None):
    out, errors = process.communicate(text, timeout=120)
    return process.returncode, [json.loads(line) for line in out.splitlines()], errors


def test_a_test_goes_to_every_target_and_says_each_ones_answer(command, receiver, tmp_path):
    targets = f"hook = {receiver.url.reveal()}\nwrong = json://127.0.0.1:9/\n"
    code, results, _ = said(command("test", "--state", str(tmp_path), targets=targets))
    assert (code, results) == (
        0,
        [
            {"target": "hook", "delivered": True, "answer": "accepted"},
            {"target": "wrong", "delivered": False, "answer": "no connection, or no answer in time"},
        ],
    )
    assert receiver.got[0][2]["title"].startswith("[jada] Test (test.")
    assert "pass-word" not in (tmp_path / "tested.json").read_text()


def test_what_was_tested_is_not_tested_again_until_its_url_changes(command, receiver, tmp_path):
    words = ("test", "--state", str(tmp_path), "--unless-tested")
    assert said(command(*words))[0] == said(command(*words))[0] == 0
    assert len(receiver.got) == 1
    said(command(*words, targets=f"hook = {receiver.url.reveal()}/other\n"))
    assert len(receiver.got) == 2


def test_fab_verify_knows_which_targets_took_their_test_at_the_address_they_have_now(command, receiver, tmp_path):
    def took():
        seen = subprocess.run(took_test(str(tmp_path), str(tmp_path)), capture_output=True, text=True, check=False)
        return seen.stdout.split()

    assert took() == []
    hook = f"# mine\n\n hook = {receiver.url.reveal()} \n"
    said(command("test", "--state", str(tmp_path), targets=f"{hook}wrong = json://127.0.0.1:9/\n"))
    assert took() == ["hook"]
    (tmp_path / "notify_targets").write_text(f"hook = {receiver.url.reveal()}/other\n")
    assert took() == []


@pytest.mark.parametrize("targets", ["\n", "hook = json://127.0.0.1:9/\n"])
def test_a_test_that_reaches_no_target_fails_each_time(command, tmp_path, targets):
    for _ in range(2):
        assert said(command("test", "--state", str(tmp_path), "--unless-tested", targets=targets))[0] == 1


def test_a_text_can_be_reported_past_the_outbox(command, receiver):
    code, _, _ = said(command("tell", "--id", "away.1", "--subject", "The dashboard is away"), "no answer\n")
    ((_, headers, body),) = receiver.got
    assert (code, headers["Idempotency-Key"], body["message"].strip()) == (0, "away.1", "no answer")


MONITORED = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "243", "MONITOR_INVOCATION_ID": "ab12"}


def test_a_unit_that_failed_is_reported_past_the_dashboard_and_not_again_within_ten_minutes(
    command, receiver, tmp_path, monkeypatch
):
    for name, value in MONITORED.items():
        monkeypatch.setenv(name, value)
    words = ("failed", "port-sheet-sync.service", "--state", str(tmp_path))
    assert said(command(*words))[0] == said(command(*words))[0] == 0
    ((_, headers, body),) = receiver.got
    assert headers["Idempotency-Key"] == "failed.port-sheet-sync.service.ab12"
    assert "exit status 243" in body["message"]
    assert said(command("failed", "jada-agent.service", "--state", str(tmp_path)))[0] == 0
    assert len(receiver.got) == 2


def test_a_report_that_reached_no_target_is_tried_at_the_next_failure(command, receiver, tmp_path):
    words = ("failed", "jada-agent.service", "--state", str(tmp_path))
    assert said(command(*words, targets="hook = json://127.0.0.1:9/\n"))[0] == 1
    assert said(command(*words))[0] == 0
    assert len(receiver.got) == 1


def test_wrong_targets_end_it_by_the_line_without_showing_it(command):
    code, _, errors = said(command(targets="hook = mailto://u:pass-word@example.com\n"))
    assert (code, "notify_targets, line 1" in errors, "pass-word" in errors) == (1, True, False)


def test_a_kill_repeats_at_most_the_message_under_way_and_a_restart_sends_what_is_left(command, receiver, tmp_path):
    store = SqliteStore(tmp_path / "queue.db", targets=("hook",))
    settings = Settings(notify=Notify(targets=("hook",)))
    with running(create(store, accepting(TOKEN), settings)) as url:
        client = Client(url, TOKEN)
        receiver.drips = "head"
        task = client.add_task(NewTask(title="t"))
        end = SessionEnd(fence=1, exit=Exit.FAULT, reason="no bwrap")
        version = client.end(client.claim(ClaimRequest(host="h")).session.id, end).version
        # A group of its own, as a unit has a control group: the kill takes the child too.
        first = command(url=url, start_new_session=True)
        assert receiver.asked.wait(120)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        receiver.drips = False
        receiver.release.set()
        second = command(url=url)
        assert wait_until(lambda: client.notifications().unsent == 0, 120)
        second.terminate()
        second.communicate()
    store.close()
    assert [headers["Idempotency-Key"] for _, headers, _ in receiver.got] == [f"{task.id}.failed.{version}"] * 2
