import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from agent.daemon.link import DashboardAway, Link
from agent.daemon.outbox import BROKEN_OFF, Outbox, Outboxes
from agent.daemon.travel import Workspaces
from agent.record.journal import Journal
from dashboard.application import create
from dashboard.settings import Settings
from dashboard.stores.memory import MemoryStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.secret import Secret
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, NewTask, Reply, State

TOKEN = Secret("a-token")
WORK = Workspaces(Path("/nonexistent"))
"""No workspace is here, so none travels."""


def connect(url):
    return Client(url, TOKEN, retries=0)


@pytest.fixture
def site(tmp_path):
    """A dashboard with one claimed task, and the folder of its session."""
    store = MemoryStore()
    with running(create(store, accepting(TOKEN), Settings(lease_s=60))) as url:
        client = connect(url)
        task = client.add_task(NewTask(title="Work"))
        claim = client.claim(ClaimRequest(host="here"))
        folder = tmp_path / "sessions" / claim.session.id
        folder.mkdir(parents=True)
        yield SimpleNamespace(client=client, task=task, claim=claim, folder=folder, store=store, url=url)


@pytest.fixture
def outbox(site):
    outbox = Outbox(site.folder, Link(site.client), WORK)
    outbox.open(site.task.id, site.claim.lease.fence)
    return outbox


def write(site, *records):
    with Journal(site.folder / "journal.jsonl", lambda: 0.0) as journal:
        for kind, data in records:
            journal.append(kind, data)


def end(exit_=0, reason="", **more):
    empty = {"result": None, "question": None, "checkpoint": None, "not_before": None, "files": []}
    return EventKind.END, {"exit": exit_, "reason": reason, "turns": 1, "usd_micros": 20, **empty, **more}


HEADER = (EventKind.HEADER, {"task": "t"})
RESERVE = (EventKind.RESERVE, {"turn": 1, "usd_micros": 50, "hand_over": False})
SUSPEND = (EventKind.SUSPEND, {"exit": 143, "reason": "drained"})
SETTLE = (EventKind.SETTLE, {"turn": 1, "usd_micros": 20, "usage": {}, "message": {}})


def test_new_records_are_delivered_once_and_in_order(site, outbox):
    write(site, HEADER, RESERVE)
    outbox.deliver()
    write(site, SETTLE)
    outbox.deliver()
    assert [event.n for event in site.client.events(outbox.id)] == [1, 2, 3]
    assert Outbox(site.folder, Link(site.client), WORK).progress.acknowledged == 3


def test_a_batch_that_was_sent_before_is_no_harm(site, outbox):
    write(site, HEADER, RESERVE)
    outbox.deliver()
    (site.folder / "progress.json").unlink()
    again = Outbox(site.folder, Link(site.client), WORK)
    again.open(site.task.id, site.claim.lease.fence)
    again.deliver()
    assert len(site.client.events(outbox.id)) == 2


def test_a_finished_session_is_settled_with_its_files(site, outbox):
    (site.folder / "files").mkdir()
    (site.folder / "files" / "report.csv").write_bytes(b"a,b\n")
    write(site, HEADER, RESERVE, SETTLE, end(result="It is done.", files=["report.csv"]))
    assert outbox.settle().exit is Exit.FINISHED
    task = site.client.task(site.task.id)
    assert (task.state, task.result, task.usd_micros_spent) == (State.DONE, "It is done.", 20)
    assert site.client.result_file(task.id, "report.csv") == b"a,b\n"
    assert list(Outboxes(site.folder.parent, Link(site.client), WORK).unsettled()) == []


def test_a_question_waits_for_a_person(site, outbox):
    write(site, HEADER, end(2, question={"tool_use_id": "toolu_1", "text": "Keep or release?"}))
    outbox.settle()
    waiting = site.client.task(site.task.id).waiting
    assert (waiting.text, waiting.tool_use_id) == ("Keep or release?", "toolu_1")


def test_a_crash_keeps_the_worst_price_and_goes_on_later(site, outbox):
    write(site, HEADER, RESERVE)
    outbox.note(stopped="signal SIGKILL")
    settled = outbox.settle()
    assert (settled.exit, settled.turns, settled.usd_micros) == (Exit.DRAINED, 1, 50)
    assert settled.reason.startswith("crashed: signal SIGKILL")
    assert site.client.task(site.task.id).state is State.QUEUED


def crash(site, outbox, stopped="exit status 1"):
    """Claim again, crash at once, settle."""
    claim = site.client.claim(ClaimRequest(host="here"))
    assert claim.session.id == outbox.id
    outbox.open(site.task.id, claim.lease.fence)
    outbox.note(stopped=stopped)
    return outbox.settle().exit


def test_the_third_crash_at_the_same_record_gives_the_session_up(site, outbox):
    write(site, HEADER)
    outbox.note(stopped="exit status 1")
    outbox.settle()
    assert [crash(site, outbox), crash(site, outbox)] == [Exit.DRAINED, Exit.FAULT]
    assert site.client.task(site.task.id).state is State.FAILED


def test_the_suspension_before_a_crash_is_not_taken_for_its_outcome(site, outbox):
    write(site, HEADER, (EventKind.SUSPEND, end(143)[1]))
    outbox.settle()
    outbox.open(site.task.id, site.client.claim(ClaimRequest(host="here")).lease.fence)
    assert outbox.settle().reason.startswith("crashed")


def created(number, **change):
    task_id = f"01K0000000000000000000000{number}"
    task = {"title": f"Child {number}", "id": task_id, **change}
    return EventKind.TOOL_RESULT, {
        "tool_use_id": f"toolu_{number}",
        "content": "ok",
        "is_error": False,
        "created": task,
    }


def test_tasks_that_the_session_created_are_queued_once(site, outbox):
    write(site, HEADER, created(1, parent=site.task.id))
    outbox.deliver()
    outbox._deliver(0)
    children = [task for task in site.client.tasks() if task.parent == site.task.id]
    assert [child.title for child in children] == ["Child 1"]


def test_a_created_task_that_is_refused_is_reported_with_the_outcome(site, outbox):
    write(site, HEADER, created(1, parent="01K00000000000000000000009"), end(result="done"))
    settled = outbox.settle()
    assert settled.exit is Exit.FINISHED
    assert "A task of its own was refused" in site.client.sessions(site.task.id)[0].reason


def test_a_stale_fence_is_reported_and_the_folder_set_aside(site, outbox):
    write(site, HEADER)
    outbox.open(site.task.id, site.claim.lease.fence - 1)
    with pytest.raises(RequestRefused) as caught:
        outbox.settle()
    assert caught.value.problem.status == 409
    aside = outbox.set_aside()
    assert (aside.name, site.folder.exists()) == (f"{outbox.id}.lost-0", False)
    assert list(Outboxes(aside.parent, Link(site.client), WORK).unsettled()) == []


def test_a_dashboard_that_lost_records_gets_them_all_again(site, outbox):
    write(site, HEADER, RESERVE, SETTLE)
    outbox.progress = replace(outbox.progress, acknowledged=2)  # more than this dashboard ever got
    outbox.deliver()
    assert [event.n for event in site.client.events(outbox.id)] == [1, 2, 3]


def test_an_outage_is_away_and_the_next_try_delivers(site, outbox):
    write(site, HEADER)
    gone = Outbox(site.folder, Link(connect("http://127.0.0.1:9")), WORK)
    with pytest.raises(DashboardAway):
        gone.deliver()
    outbox.deliver()
    assert len(site.client.events(outbox.id)) == 1


def test_a_wrong_token_is_no_reason_to_give_work_up(site, outbox):
    write(site, HEADER)
    with pytest.raises(DashboardAway):
        Outbox(site.folder, Link(Client(site.url, Secret("wrong"), retries=0)), WORK).settle()


def test_a_session_from_another_host_goes_on_from_the_acknowledged_records(site, outbox):
    write(site, HEADER, RESERVE, SUSPEND)
    outbox.deliver()
    before = (site.folder / "journal.jsonl").read_text()
    (site.folder / "journal.jsonl").unlink()
    outbox.restore(2)
    restored = (site.folder / "journal.jsonl").read_text()
    assert [json.loads(line) for line in restored.splitlines()] == [json.loads(line) for line in before.splitlines()]
    with Journal(site.folder / "journal.jsonl", lambda: 0.0) as journal:
        assert journal.append(*SETTLE).n == 4


def test_a_session_that_broke_off_at_another_host_is_told_so_once_and_the_queue_has_that_too(site, outbox):
    write(site, HEADER, RESERVE)
    outbox.deliver()
    (site.folder / "journal.jsonl").unlink()
    outbox.restore(2)
    outbox.restore(2)
    outbox.deliver()
    told = [event.data for event in site.client.events(outbox.id) if event.data.get("away")]
    assert [each["content"][0]["text"] for each in told] == [BROKEN_OFF]


def test_a_session_that_comes_back_from_another_host_goes_on_from_what_that_one_did(site, outbox):
    write(site, HEADER, RESERVE, SUSPEND)
    outbox.deliver()
    own = (site.folder / "journal.jsonl").read_text()
    outbox.restore(2)
    assert (site.folder / "journal.jsonl").read_text() == own
    # Under the second fence another host worked on, and broke off; the third is this one's again.
    further = (Event(n=4, at="2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data=SETTLE[1]),)
    site.client.deliver(outbox.id, Batch(fence=1, events=further))
    outbox.restore(3)
    with Journal(site.folder / "journal.jsonl", lambda: 0.0) as journal:
        assert [event.kind for event in journal.events] == ["header", "reserve", "suspend", "settle", "message"]
        assert journal.events[-1].data["away"]
        journal.append(*RESERVE)
    outbox.deliver()
    queue = site.client.events(outbox.id)
    assert [event.n for event in queue] == [1, 2, 3, 4, 5, 6]
    assert [event.kind for event in queue][3:] == ["settle", "message", "reserve"]


def test_a_session_whose_raw_streams_were_left_out_goes_on_from_the_acknowledged_records(site, outbox):
    stream = (EventKind.STREAM, {"events": ["raw"]})
    write(site, HEADER, RESERVE, stream, SETTLE, (EventKind.RESERVE, {"turn": 2, "usd_micros": 50}), stream)
    outbox.deliver()
    assert outbox.progress.acknowledged == 5
    before = outbox.spent()
    (site.folder / "journal.jsonl").unlink()
    outbox.restore(2)
    assert outbox.spent() == before == 70
    with Journal(site.folder / "journal.jsonl", lambda: 0.0) as journal:
        assert [event.n for event in journal.events] == [1, 2, 3, 4, 5, 6]
        journal.append(*stream)
        journal.append(*SETTLE)
    outbox.deliver()
    # The sixth says that it broke off.
    assert [(e.n, e.data) for e in site.client.events(outbox.id, after=6)] == [(7, {}), (8, SETTLE[1])]


@pytest.fixture
def waiting(site, outbox, tmp_path):
    """The task waits for a person, and what it left is here: returns a sweep that says what is left."""
    write(site, HEADER, end(4, "it waits"))
    workspace = tmp_path / "workspaces" / site.task.id
    workspace.mkdir(parents=True)
    (workspace / "large.bin").touch()

    def sweep():
        Outboxes(site.folder.parent, Link(site.client), Workspaces(workspace.parent)).sweep()
        return workspace.exists(), site.folder.exists()

    return sweep


def test_nothing_goes_of_a_cancelled_task_whose_end_is_not_delivered(site, waiting):
    site.client.cancel(site.task.id)
    assert waiting() == (True, True)


def test_what_is_left_of_a_task_goes_once_it_was_cancelled_while_it_waited(site, outbox, waiting):
    outbox.settle()
    assert waiting() == (True, True)
    site.client.cancel(site.task.id)
    assert waiting() == (False, False)


def test_what_a_task_left_that_went_on_elsewhere_stays_until_the_queue_keeps_it_no_more(site, outbox, waiting):
    outbox.settle()
    site.client.reply(site.task.id, Reply(text="Go on."), version=site.client.task(site.task.id).version)
    assert site.client.claim(ClaimRequest(host="there")).task.id == site.task.id
    os.utime(site.folder / "progress.json", (0, 0))
    assert waiting() == (True, True)
    progress = json.loads((site.folder / "progress.json").read_text())
    (site.folder / "progress.json").write_text(json.dumps({**progress, "task": "01JD3Q00000000000000000000"}))
    assert waiting() == (True, True)
    os.utime(site.folder / "progress.json", (0, 0))
    assert not waiting()[1]
