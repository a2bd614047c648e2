"""All is well only while the worker is heard of and the sheet is known to be in step."""

import pytest

from dashboard.queue import Queue
from dashboard.record import stamp
from dashboard.settings import Settings
from wire.types import ClaimRequest, Heartbeat, NewTask, SyncOutcome, SyncRun


@pytest.fixture
def queue(store, clock):
    return Queue(store, Settings(worker_minutes=10, freshness_minutes=60), clock)


def sync(queue, outcome=SyncOutcome.UNCHANGED):
    at = stamp(queue.clock())
    queue.report(SyncRun(started_at=at, finished_at=at, outcome=outcome))


def ask(queue):
    queue.claim(ClaimRequest(host="h"))


def test_all_is_well_from_the_start_until_the_worker_is_silent_too_long(queue, clock):
    assert queue.wellness().well
    clock.go_on(minutes=10)
    assert queue.wellness().well
    clock.go_on(seconds=1)
    assert queue.wellness().complaints == ("the worker was last heard of at 2026-05-13T12:00:00Z",)


@pytest.mark.parametrize("sign", [ask, Queue.hear_worker])
def test_a_claim_or_its_presence_is_a_sign_of_the_worker(queue, clock, sign):
    clock.go_on(minutes=11)
    sign(queue)
    assert queue.wellness().well


def test_a_heartbeat_is_a_sign_of_the_worker(queue, clock):
    task, _ = queue.add(NewTask(title="t"))
    ask(queue)
    clock.go_on(minutes=11)
    queue.heartbeat(task.id, Heartbeat(fence=1))
    assert queue.wellness().well


def test_a_failed_run_is_not_well_until_one_succeeds(queue):
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
