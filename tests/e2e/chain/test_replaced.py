"""A box is replaced in the middle of a queue, by the commands that operating.md names, and nothing is lost."""

import contextlib
import json
import re
import subprocess

import pytest
import urllib3

from local import environment
from local.process import wait_until
from local.site import BOOKINGS, CLAUDE
from wire.types import Budget, EventKind, File, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
LONG, ASKED = "Check every booking", "Ask about the group booking"
FAR = "2090-01-01T00:00:00Z"


class Document:
    """The commands of operating.md that replace a box, run one after the other; between them a test looks."""

    def __init__(self, chain):
        text = (environment.ROOT / "docs/operating.md").read_text(encoding="utf-8")
        self.chain, self.lines = chain, text.split("## Another box in its place")[1].split("```")[1].splitlines()[1:]
        self.key = next(line for line in text.splitlines() if line.startswith("fab backup-key"))

    def run(self, line):
        env = {**self.chain.env, "PULUMI_SKIP_CONFIRMATIONS": "true"}
        command = ["sh", "-eu", "-c", re.sub(r"\bprod\b", "local", line)]
        done = subprocess.run(command, env=env, cwd=self.chain.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    def next(self, words, more=""):
        """Run the next command, which begins so; `more` is what only the test has to say."""
        line = self.lines.pop(0)
        assert line.startswith(words)
        return self.run(f"{line} {more}")


@pytest.fixture
def document(chain):
    """After the test the box works again."""
    files = [chain.folder / name for name in ("jada-backup.key", "jada-backup.pub", "before.age")]
    for file in files:
        file.unlink(missing_ok=True)
    document = Document(chain)
    document.run(document.key)
    yield document
    for file in files:
        file.unlink(missing_ok=True)
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
def test_a_box_is_replaced_in_the_middle_of_a_queue_and_nothing_is_lost(chain, document):
    document.next("fab verify")
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
    assert "jada-dashboard.service" in document.next("fab pause --whole")

    document.next("fab backup before.age")
    assert "is available" in document.next("fab snapshot")
    chain.log_out()
    document.next("pulumi config")
    document.next("pulumi state")
    document.next("pulumi up")
    document.next("fab pause")
    document.next("fab secrets", f"--from {chain.site.state / 'secrets'}")
    assert "but for what is paused and did not run: jada-agent.service" in document.next("fab deploy")
    assert "is proven" in chain.fab("attach").stdout
    with chain.dashboard() as client:
        assert list(client.tasks()) == []

    dry = document.run(f"{document.lines[0]} --dry-run")
    assert "nothing worked on it any more" in dry
    assert "nothing was changed" in dry
    assert "is in place; the host is paused" in document.next("fab restore")
    with chain.dashboard() as client:
        assert everything(client) == before
    assert chain.host("cd /var/lib/jada-agent/sessions && sha256sum */journal.jsonl") == journals
    assert memory(chain) == base
    paused = json.loads(chain.fab("status", "--json").stdout)["paused"]
    assert {"jada-agent.service", "jada-notify.service", "port-sheet-sync.service"} <= set(paused)
    assert "paused by" in document.next("fab verify")

    assert "works again: jada-agent.service, " in document.next("fab resume")
    assert document.lines == []
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
