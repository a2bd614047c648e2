"""All is well only while the worker is heard of and the sheet is known to be in step."""

import pytest

from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores.sqlite import SqliteStore
from dashboard.wellness import standing
from wire.times import stamp
from wire.types import ClaimRequest, Heartbeat, NewTask, Presence, SyncOutcome, SyncRun, Wellness


@pytest.fixture
def queue(store, clock):
    return Queue(store, Settings(worker_minutes=10, freshness_minutes=60), clock)


def sync(queue, outcome=SyncOutcome.UNCHANGED):
    at = stamp(queue.clock())
    queue.report(SyncRun(started_at=at, finished_at=at, outcome=outcome))


def ask(queue):
    queue.claim(ClaimRequest(host="h"))


def test_a_start_is_neither_well_nor_a_complaint_until_worker_and_sync_were_heard_of(queue):
    """A host that starts again and again, and whose worker never does, would look well otherwise."""
    unheard = "the worker has not been heard of since the dashboard began"
    assert queue.wellness() == Wellness(well=False, unproven=(unheard, "no sync run has succeeded yet"))
    ask(queue)
    assert queue.wellness() == Wellness(well=False, unproven=("no sync run has succeeded yet",))
    sync(queue)
    assert queue.wellness() == Wellness(well=True)
    assert Queue(queue.store, Settings(), queue.clock).wellness() == Wellness(well=False, unproven=(unheard,))


def test_a_worker_that_is_silent_too_long_is_a_complaint(queue, clock):
    sync(queue)
    ask(queue)
    clock.go_on(minutes=10)
    assert queue.wellness().well
    clock.go_on(seconds=1)
    assert queue.wellness().complaints == ("the worker was last heard of at 2026-05-13T12:00:00Z",)


@pytest.mark.parametrize("sign", [ask, Queue.hear_worker])
def test_a_claim_or_its_presence_is_a_sign_of_the_worker(queue, clock, sign):
    sync(queue)
    clock.go_on(minutes=11)
    sign(queue)
    assert queue.wellness().well


def test_a_worker_that_says_that_it_cannot_work_is_a_complaint(queue):
    sync(queue)
    queue.present(Presence(host="box", trouble="no credit"))
    assert queue.wellness().complaints == ("the worker on box can't work: no credit",)
    queue.present(Presence(host="box"))
    assert queue.wellness().well


def test_a_sync_that_says_that_it_is_not_set_up_is_nothing_to_wait_for(queue):
    ask(queue)
    sync(queue, SyncOutcome.OFF)
    assert queue.wellness().well
    assert queue.standing(0).reasons[2] == "the sync is not set up, as it said at 12:00 UTC"
    sync(queue, SyncOutcome.FAILED)
    assert not queue.wellness().well


def test_a_heartbeat_is_a_sign_of_the_worker(queue, clock):
    task, _ = queue.add(NewTask(title="t"))
    sync(queue)
    ask(queue)
    clock.go_on(minutes=11)
    queue.heartbeat(task.id, Heartbeat(fence=1))
    assert queue.wellness().well


def test_a_failed_run_is_not_well_until_one_succeeds(queue):
    ask(queue)
    sync(queue, SyncOutcome.FAILED)
    assert queue.wellness().complaints == ("the sync's run of 2026-05-13T12:00:00Z failed",)
    sync(queue)
    assert queue.wellness().well


def test_a_silent_sync_is_not_well(queue, clock):
    sync(queue)
    clock.go_on(minutes=60)
    ask(queue)
    assert queue.wellness().well
    clock.go_on(seconds=1)
    assert queue.wellness().complaints == ("no sync run succeeded since 2026-05-13T12:00:00Z",)


def test_freshness_that_is_turned_off_is_not_asked_for(store, clock):
    queue = Queue(store, Settings(freshness_minutes=0), clock)
    clock.go_on(days=3)
    ask(queue)
    assert queue.wellness().well


@pytest.mark.parametrize(
    ("wrong", "missing", "waiting", "kind", "line"),
    [
        ([], [], 0, "good", "All is well"),
        ([], ["unseen"], 0, "unproven", "Nothing is known to be wrong"),
        ([], [], 1, "waits", "1 thing waits for you"),
        ([], ["unseen"], 2, "waits", "2 things wait for you"),
        (["broken"], ["unseen"], 2, "bad", "Something is wrong"),
    ],
)
def test_how_all_stands_says_the_worst_first(wrong, missing, waiting, kind, line):
    found = standing(wrong, missing, ["seen"], waiting)
    assert (found.kind, found.line) == (kind, line)
    assert found.reasons == tuple(wrong or missing or (() if waiting else ["seen"]))


def test_all_is_well_only_once_worker_and_sync_were_heard_of(queue, clock):
    assert queue.standing(0).reasons == (
        "the worker has not been heard of since the dashboard began", "no sync run has succeeded yet",
    )  # fmt: skip
    queue.claim(ClaimRequest(host="h"))
    assert queue.standing(0).kind == "unproven"
    queue.report(SyncRun(started_at=stamp(clock()), finished_at=stamp(clock()), outcome=SyncOutcome.UNCHANGED))
    assert queue.standing(0).reasons == (
        "the queue was written and read back at 12:00:00 UTC", "the worker was heard of at 12:00 UTC",
        "the sheet was in step at 12:00 UTC",
    )  # fmt: skip
    assert queue.standing(0).kind == "good"
    clock.go_on(hours=2)
    assert queue.standing(0).kind == "bad"


def test_a_queue_that_is_not_ready_is_never_well(tmp_path, clock):
    store = SqliteStore(tmp_path / "queue.db", room=2**62)
    queue = Queue(store, Settings(), clock, clock.seconds)
    queue.claim(ClaimRequest(host="h"))
    queue.report(SyncRun(started_at=stamp(clock()), finished_at=stamp(clock()), outcome=SyncOutcome.UNCHANGED))
    found = queue.standing(0)
    store.close()
    assert (found.kind, "make room there" in found.reasons[0]) == ("bad", True)
