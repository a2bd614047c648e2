import io
import os
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from dashboard import rules
from trial import work
from trial.transcript import Transcript
from wire.types import Need, State, SyncOutcome, SyncRun, Waiting

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)


class Queue:
    """A queue whose one task goes through the given states, one at each look."""

    def __init__(self, *states, **fields):
        self._states, self._fields = iter(states), fields

    def add_task(self, new):
        self._task = rules.draft(new, f"{1:026}", NOW, "2:digest").task
        return self._task

    def task(self, _id):
        return replace(self._task, state=next(self._states), usd_micros_spent=30_000, **self._fields)


@pytest.fixture
def transcript(tmp_path):
    return Transcript(tmp_path / "t.txt", io.StringIO(), lambda: NOW)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(work, "LOOK_EVERY_S", 0)


def test_a_task_that_is_done_says_for_how_much(transcript):
    spent = work.Spent()
    work.one_task(Queue(State.RUNNING, State.DONE, result="42"), 0.5, spent, transcript)
    assert spent.model_usd == 0.03
    assert "done for $0.0300: 42" in transcript.file.read_text()


@pytest.mark.parametrize(
    ("state", "fields", "why"),
    [
        (State.FAILED, {"reason": "our fault"}, "the task came to failed: our fault"),
        (
            State.NEEDS_YOU,
            {"waiting": Waiting(kind=Need.STUCK, text="refused", since="2026-05-13T12:00:00Z")},
            "the task came to needs_you: refused",
        ),
    ],
)
def test_any_other_end_is_no_proof_and_its_cost_counts(transcript, state, fields, why):
    spent = work.Spent()
    with pytest.raises(work.NotProven, match=why):
        work.one_task(Queue(state, **fields), 0.5, spent, transcript)
    assert spent.model_usd == 0.03


class Synced:
    """A queue and a box in one: each start of the sync there reports the next of these outcomes, or nothing."""

    def __init__(self, *outcomes):
        self._outcomes, self._runs = iter(outcomes), ()

    def sync_runs(self):
        return self._runs

    def fab(self, _transcript, *_command):
        if outcome := next(self._outcomes):
            at = f"2026-05-13T12:00:{len(self._runs):02}Z"
            self._runs = (SyncRun(started_at=at, finished_at=at, outcome=outcome), *self._runs)


CHANGED, UNCHANGED = SyncOutcome.CHANGED, SyncOutcome.UNCHANGED


@pytest.mark.parametrize("outcomes", [(CHANGED, UNCHANGED), (UNCHANGED, UNCHANGED)])
def test_a_sheet_is_in_step_when_a_second_run_finds_nothing_to_do(transcript, outcomes):
    box = Synced(*outcomes)
    work.one_sheet(box, box, transcript)
    assert transcript.file.read_text().count("bookings read") == 2


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ((UNCHANGED, None), "did not report a run"),
        ((None,), "did not report a run"),
        ((CHANGED, CHANGED), "the sync came to changed"),
        ((SyncOutcome.FAILED,), "the sync came to failed"),
    ],
)
def test_a_run_that_reports_nothing_is_not_proven_by_the_one_before(transcript, outcomes, why):
    box = Synced(*outcomes)
    with pytest.raises(work.NotProven, match=why):
        work.one_sheet(box, box, transcript)


FAB = f"""#!{sys.executable}
import socket, sys
with socket.socket() as stranger, socket.socket() as ssh:
    port = int(sys.argv[sys.argv.index("--port") + 1])
    print(stranger.connect_ex(("127.0.0.1", port)) != 0)
    try:
        stranger.bind(("127.0.0.1", port))
    except OSError:
        print("not a stranger's")
    ssh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ssh.bind(("127.0.0.1", port))
    ssh.listen()
    print("ssh's")
"""


@pytest.mark.process
def test_the_tunnels_port_is_kept_for_it_until_it_listens(tmp_path):
    (tmp_path / "fab").write_text(FAB)
    (tmp_path / "fab").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    box = SimpleNamespace(stack="made-up", folder=tmp_path, env={**os.environ, "PATH": path})
    with pytest.raises(work.NotProven), work.queue(box):
        raise AssertionError
    assert (tmp_path / "tunnel.log").read_text().split("\n")[:3] == ["True", "not a stranger's", "ssh's"]
