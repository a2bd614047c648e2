"""Delivery of one session's folder, to a dashboard in memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.daemon import travel
from agent.daemon.link import DashboardAway
from agent.daemon.outbox import Outbox, Outboxes
from agent.daemon.travel import Workspaces
from agent.record.journal import Journal, JournalLocked
from wire.client import RequestRefused, Unreachable
from wire.types import EventKind, Exit

HEADER = (EventKind.HEADER, {})
WORK = Workspaces(Path("/nonexistent"))
"""No workspace is here, so none travels."""
RESERVE = (EventKind.RESERVE, {"turn": 1, "usd_micros": 50, "hand_over": False})
END = (EventKind.END, {"exit": 0, "reason": "", "turns": 1, "usd_micros": 20, "files": []})


@pytest.fixture
def outbox(host):
    outbox = host.daemon().outboxes.for_session("S1")
    outbox.open("T1", 4)
    return outbox


def write(outbox, *records):
    with Journal(outbox.folder / "journal.jsonl", lambda: 0.0) as journal:
        for kind, data in records:
            journal.append(kind, data)


def created(number, title="Child"):
    task = {"title": title, "id": f"01K0000000000000000000000{number}"}
    return EventKind.TOOL_RESULT, {"tool_use_id": f"toolu_{number}", "content": "", "is_error": False, "created": task}


def numbers(queue):
    return [event.n for event in queue.records.get("S1", ())]


def test_only_what_is_new_is_delivered_and_an_unchanged_journal_is_not_read(outbox, queue):
    write(outbox, HEADER)
    outbox.deliver()
    write(outbox, RESERVE)
    outbox.deliver()
    outbox.deliver()
    assert (numbers(queue), queue.calls) == ([1, 2], ["deliver", "deliver"])


def test_a_turn_is_sent_once_with_its_answer(outbox, queue):
    write(outbox, HEADER, RESERVE)
    assert [outbox.deliver(answers_only=True), outbox.deliver(answers_only=True)] == [False, False]
    write(outbox, SETTLE)
    assert outbox.deliver(answers_only=True)
    write(outbox, (EventKind.TOOL_RESULT, {}))
    assert not outbox.deliver(answers_only=True)
    assert (numbers(queue), queue.calls) == ([1, 2, 3], ["deliver"])
    assert outbox.deliver()
    assert numbers(queue) == [1, 2, 3, 4]


@pytest.mark.parametrize(("records", "size", "batches"), [(500, 1, 1), (501, 1, 2), (4, 400_000, 2), (1, 2_000_000, 1)])
def test_a_batch_has_its_most_records_and_bytes(outbox, queue, records, size, batches):
    lines = [
        f'{{"n":{n},"at":"2026-05-13T00:00:00Z","kind":"message","data":{{"e":"{"x" * size}"}}}}\n'
        for n in range(1, records + 1)
    ]
    (outbox.folder / "journal.jsonl").write_text("".join(lines))
    outbox.deliver()
    assert (queue.calls.count("deliver"), len(numbers(queue))) == (batches, records)


STREAM = (EventKind.STREAM, {"events": ["raw"]})
SETTLE = (EventKind.SETTLE, {"turn": 1, "usd_micros": 20, "usage": {}, "message": {}})


def held(queue):
    return [(event.n, event.kind.value, "events" in event.data) for event in queue.records["S1"]]


def test_an_answers_raw_stream_is_held_back_until_it_is_whole_and_then_sent_without_its_data(outbox, queue):
    write(outbox, RESERVE, STREAM)
    outbox.deliver()
    assert held(queue) == [(1, "reserve", False)]
    write(outbox, STREAM, SETTLE)
    outbox.deliver()
    assert held(queue)[1:] == [(2, "stream", False), (3, "stream", False), (4, "settle", False)]
    assert [event.data for event in queue.records["S1"][1:3]] == [{}, {}]
    assert '"raw"' in (outbox.folder / "journal.jsonl").read_text()


def test_the_raw_stream_of_an_answer_that_was_cut_is_sent_whole(outbox, queue):
    write(outbox, RESERVE, STREAM, (EventKind.RESERVE, {"turn": 2, "usd_micros": 50}))
    outbox.deliver()
    assert held(queue) == [(1, "reserve", False), (2, "stream", True), (3, "reserve", False)]


def test_the_raw_stream_of_a_process_that_died_in_it_is_sent_with_its_outcome(outbox, queue):
    write(outbox, HEADER, RESERVE, STREAM)
    outbox.deliver()
    assert len(held(queue)) == 2
    outbox.settle()
    assert held(queue)[2:] == [(3, "stream", True)]


def test_a_dashboard_that_was_put_back_to_an_earlier_day_gets_all_again(outbox, queue):
    write(outbox, HEADER, RESERVE)
    outbox.deliver()
    del queue.records["S1"][:]
    write(outbox, END)
    outbox.deliver()
    assert numbers(queue) == [1, 2, 3]


def test_a_refusal_that_means_a_stale_fence_is_not_swallowed(outbox, queue, host):
    write(outbox, HEADER, RESERVE)
    queue.errors["deliver"] = host.refused(409)
    with pytest.raises(RequestRefused):
        outbox.deliver()  # nothing is acknowledged: there is no gap to fill
    assert queue.calls == ["deliver"]
    with pytest.raises(RequestRefused):
        outbox.settle()
    assert queue.ends == {}


def test_a_created_task_is_queued_before_its_record_is_acknowledged(outbox, queue):
    write(outbox, HEADER, created(1))
    queue.errors["deliver"] = Unreachable("gone")
    with pytest.raises(DashboardAway):
        outbox.deliver()
    assert queue.created == [("Child", "toolu_1")]


def test_a_created_task_is_queued_with_its_files(outbox, queue):
    kind, record = created(1)
    folder = outbox.folder / "created" / record["created"]["id"]
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"1")
    write(outbox, HEADER, (kind, {**record, "created_files": ["a.csv"]}))
    outbox.deliver()
    assert queue.files == {"Child": [("a.csv", b"1")]}


def test_a_created_task_whose_files_are_gone_is_reported_with_the_outcome(outbox, queue):
    kind, record = created(1)
    write(outbox, HEADER, (kind, {**record, "created_files": ["a.csv"]}), END)
    outbox.settle()
    assert "A task of its own was refused: [Errno 2]" in queue.ends["S1"].reason


def test_a_created_task_that_is_refused_is_reported_with_the_outcome(outbox, queue, host):
    write(outbox, HEADER, created(1), created(2, title=""), END)
    queue.errors["add_task"] = host.refused(422)
    outbox.settle()
    assert queue.ends["S1"].exit is Exit.FINISHED
    assert queue.ends["S1"].reason.count("A task of its own was refused") == 2


def test_an_outcome_that_is_refused_fails_visibly_and_only_once(outbox, queue, host):
    write(outbox, HEADER, END)
    refusals = [host.refused(413)]

    def end(session, outcome):
        if refusals:
            raise refusals.pop()
        queue.ends[session] = outcome

    queue.end = end
    assert outbox.settle().exit is Exit.FAULT
    assert "its outcome was refused: 413" in queue.ends["S1"].reason


def test_files_go_with_the_outcome_and_a_missing_one_is_a_fault(outbox, queue):
    write(outbox, HEADER, (EventKind.END, {**END[1], "files": ["a.csv"]}))
    assert outbox.settle().exit is Exit.FAULT
    # As when its host was lost with it: another one has the journal, and no file.
    assert "its file a.csv is gone" in queue.ends["S1"].reason
    assert "`fab task.retry ID --afresh` makes it anew" in queue.ends["S1"].reason
    (outbox.folder / "files").mkdir()
    (outbox.folder / "files" / "a.csv").write_bytes(b"1\n")
    assert [(file.name, file.content) for file in outbox.settle().files] == [("a.csv", b"1\n")]


def test_a_damaged_journal_fails_visibly(outbox, queue):
    write(outbox, HEADER, RESERVE, END)
    path = outbox.folder / "journal.jsonl"
    first, _, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"rubbish\n" + last)
    assert outbox.settle().exit is Exit.FAULT
    assert "whole records follow" in queue.ends["S1"].reason


def test_a_session_that_still_lives_is_not_settled(outbox, queue):
    with Journal(outbox.folder / "journal.jsonl", lambda: 0.0), pytest.raises(JournalLocked):
        outbox.settle()
    assert queue.ends == {}


def test_crashes_are_counted_over_claims_until_one_came_further(outbox, queue):
    write(outbox, HEADER)
    for _ in range(2):
        outbox.note(stopped="exit status 1")
        outbox.settle()
        outbox.open("T1", 5)
    assert (outbox.progress.crashes, outbox.progress.crashed_at) == (2, 1)
    write(outbox, END)
    outbox.settle()
    assert outbox.progress.crashes == 0


def test_a_claim_begins_at_what_the_journal_has(outbox):
    write(outbox, HEADER, RESERVE)
    outbox.open("T1", 5)
    progress = outbox.progress
    assert (progress.fence, progress.began_at, progress.usd_micros_before, progress.settled) == (5, 2, 50, False)


def test_only_what_is_not_settled_is_left_oldest_first(host, queue):
    outboxes = host.daemon().outboxes
    for name in ("S2", "S1", "S3"):
        outboxes.for_session(name).open("T", 1)
    outboxes.for_session("S3").settle()
    assert [left.id for left in outboxes.unsettled()] == ["S1", "S2"]
    outboxes.for_session("S3").open("T", 2)
    assert [left.id for left in outboxes.unsettled()] == ["S1", "S2", "S3"]


def test_what_was_set_aside_is_not_looked_at_again(outbox, host):
    assert outbox.set_aside().name == "S1.lost-4"
    assert list(Outboxes(host.state / "sessions", outbox._link, WORK).unsettled()) == []


def test_progress_outlives_the_daemon(outbox, queue):
    write(outbox, HEADER, RESERVE)
    outbox.deliver()
    again = Outbox(outbox.folder, outbox._link, WORK)
    assert again.progress == outbox.progress
    assert again.progress.acknowledged == 2


@pytest.mark.parametrize("killed_at", range(1, 9))
def test_what_is_left_of_a_task_that_is_over_goes_also_after_a_kill(host, queue, monkeypatch, killed_at):
    """Two sessions of a task, of which the later one finished it; a step is the removal of one thing."""
    outboxes, workspace = host.daemon().outboxes, host.state / "workspaces" / "T1"
    for name in ("S1", "S2"):
        outbox = outboxes.for_session(name)
        outbox.open("T1", 1)
        write(outbox, HEADER, *([END] if name == "S2" else []))
        outbox.settle()
    workspace.mkdir(parents=True)
    (workspace / "big").touch()
    (workspace.parent / ".T1.known").touch()
    steps = []

    def killed(do):
        def step(*given, **how):
            steps.append(do)
            if len(steps) == killed_at:
                raise KeyboardInterrupt
            return do(*given, **how)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(travel, "remove_tree", killed(travel.remove_tree))
        for name in ("unlink", "rmdir"):
            patched.setattr(Path, name, killed(getattr(Path, name)))
        with pytest.raises(KeyboardInterrupt):
            outboxes.clear("T1")
    list(host.daemon().outboxes.unsettled())
    assert [*workspace.parent.iterdir(), *(host.state / "sessions").iterdir()] == []


RESTORE = """
import os, pathlib, sys
from agent.daemon.outbox import Outbox
from agent.daemon.travel import Workspaces
from wire.types import Event, EventKind
synced = []
def sync(fd):
    synced.append(fd)
    if len(synced) == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
os.fsync = sync
link = lambda _: (Event(n=1, at="", kind=EventKind.HEADER),)
Outbox(pathlib.Path(sys.argv[1]), link, Workspaces(pathlib.Path('/nonexistent'))).restore(1)
"""


@pytest.mark.process
@pytest.mark.parametrize(("killed_at", "is_there"), [(1, False), (2, True)])
def test_a_restored_journal_is_on_disk_before_it_has_its_name_and_its_folder_after(tmp_path, killed_at, is_there):
    done = subprocess.run([sys.executable, "-c", RESTORE, str(tmp_path), str(killed_at)], check=False)
    assert done.returncode == -9
    assert (tmp_path / "journal.jsonl").exists() == is_there
