"""A box is replaced in the middle of a queue, by the commands that operating.md names, and nothing is lost."""

import contextlib
import json

import pytest
import urllib3

from local.process import wait_until
from local.site import BOOKINGS, CLAUDE
from wire.types import Budget, EventKind, File, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
LONG, ASKED = "Check every booking", "Ask about the group booking"
FAR = "2090-01-01T00:00:00Z"


@pytest.fixture
def folder(tmp_path, chain):
    """A folder of the operator's, with the pair of keys; after the test the box works again."""
    tmp_path.chmod(0o700)
    (tmp_path / "public").write_text(chain.fab("backup-key", str(tmp_path / "key")).stdout.strip())
    yield tmp_path
    chain.log_out()
    chain.fab("resume", check=False)


@contextlib.contextmanager
def held_in_its_sixth_turn(chain):
    """In the block the model answers the sixth turn of a long task not at all."""
    faults = f"{chain.site.url(CLAUDE)}/_local/faults"
    held = {"hold": True, "times": 1, "match": LONG, "turn": 6}
    assert urllib3.request("POST", faults, json=held).status == 200
    try:
        yield lambda: wait_until(lambda: urllib3.request("GET", faults).json()["held"] == 1, 60)
    finally:
        urllib3.request("DELETE", faults)


def bookings(chain):
    token = (chain.site.state / "secrets" / "bookings_token").read_text()
    url = f"{chain.site.url(BOOKINGS)}/v1/bookings.csv"
    return urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"}).data


def everything(client):
    """All that a user could miss: tasks with their answers and results, sessions, transcripts, files, sync runs."""
    tasks = {task.id: task for task in client.tasks()}
    sessions = {task: client.sessions(task) for task in tasks}
    events = {session.id: client.events(session.id) for held in sessions.values() for session in held}
    files = {
        (task.id, file.name): client.result_file(task.id, file.name) for task in tasks.values() for file in task.files
    }
    return {"tasks": tasks, "sessions": sessions, "events": events, "files": files, "sync": client.sync_runs()}


def memory(chain, what="SELECT id, cells FROM base ORDER BY id"):
    program = (
        f"import sqlite3; print(sqlite3.connect('/var/lib/jada-sync/history.sqlite').execute('{what}').fetchall())"
    )
    return chain.host(f'python3 -c "{program}"')


# One story of fifteen commands: each step is the next one of operating.md. A machine under load takes minutes for it.
@pytest.mark.timeout(900, func_only=True)
def test_a_box_is_replaced_in_the_middle_of_a_queue_and_nothing_is_lost(chain, folder):  # noqa: PLR0915 - as above
    assert chain.fab("verify").returncode == 0
    with chain.dashboard() as client:
        far = client.add_task(NewTask(title="not before long", not_before=FAR))
        asked = client.add_task(NewTask(title=ASKED))
        assert wait_until(lambda: client.task(asked.id).state is State.NEEDS_YOU, 120, 0.3)
        with held_in_its_sixth_turn(chain) as reached:
            book = File(name="bookings.csv", content=bookings(chain))
            running = client.add_task(NewTask(title=LONG, context=(book,), budget=Budget(sessions=5)))
            assert reached()
            chain.fab("pause", "--why", "it is replaced")
        assert client.task(running.id).state is State.QUEUED
        before = everything(client)
    journals, base = chain.host("cd /var/lib/jada-agent/sessions && sha256sum */journal.jsonl"), memory(chain)
    said = chain.fab("pause", "--whole", "--why", "it is replaced").stdout
    assert "jada-dashboard.service" in said

    saved = folder / "saved.age"
    chain.fab("backup", str(saved), "--recipient", (folder / "public").read_text())
    chain.log_out()
    chain.run("pulumi", "config", "set", "jada:bundle", "small_3_0", "--stack", "local")
    chain.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "local")
    chain.fab("pause", "--why", "it is to be restored")
    chain.fab("secrets", "--from", str(chain.site.state / "secrets"))
    deployed = chain.fab("deploy").stdout
    assert "but for what is paused and did not run: jada-agent.service" in deployed
    assert wait_until(lambda: "proven" in chain.fab("history").stdout, 60)
    with chain.dashboard() as client:
        assert list(client.tasks()) == []

    identity = ("--identity", str(folder / "key"))
    dry = chain.fab("restore", str(saved), *identity, "--dry-run").stdout
    assert "nothing worked on it any more" in dry
    assert "nothing was changed" in dry
    restored = chain.fab("restore", str(saved), *identity).stdout
    assert "is in place; the host is paused" in restored
    with chain.dashboard() as client:
        assert everything(client) == before
    assert chain.host("cd /var/lib/jada-agent/sessions && sha256sum */journal.jsonl") == journals
    assert memory(chain) == base
    paused = json.loads(chain.fab("status", "--json").stdout)["paused"]
    assert {"jada-agent.service", "jada-notify.service", "port-sheet-sync.service"} <= set(paused)
    assert "skipped" in chain.fab("verify").stdout

    chain.fab("resume")
    with chain.dashboard() as client:
        chain.fab("task.answer", asked.id, "--text", "Keep them until Friday")
        assert wait_until(lambda: client.task(asked.id).state is State.DONE, 120, 0.3), client.task(asked.id)
        assert wait_until(lambda: client.task(running.id).state is State.DONE, 180, 0.3), client.task(running.id)
        require_each_call_once(client, running)
        assert client.task(far.id).state is State.QUEUED
        client.cancel(far.id)
    chain.host("systemctl start port-sheet-sync")
    with chain.dashboard() as client:
        assert client.sync_runs()[0].outcome.value == "unchanged"
    assert chain.fab("verify").returncode == 0


def require_each_call_once(client, task):
    """No finished call began twice: the session went on where it was, on another box."""
    events = [event for session in client.sessions(task.id) for event in client.events(session.id)]
    began = [event.data["tool_use_id"] for event in events if event.kind is EventKind.TOOL_STARTED]
    assert len(began) == len(set(began))
