"""A claim's key, on every store: it names one claim for as long as that is held, and nothing after that."""

from datetime import UTC, datetime

import pytest

from dashboard.queue import Queue
from dashboard.record import Busy, Conflict
from dashboard.settings import Settings
from wire.routes import ClaimWord
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, NewTask, SessionEnd

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
HERE, THERE = ClaimRequest(host="here"), ClaimRequest(host="there")
AGAIN = [ClaimWord.AGAIN]


@pytest.fixture
def time():
    """Seconds that only go on."""
    return [0.0]


@pytest.fixture
def begin(store, time):
    """Begins a dashboard's process over the store."""
    return lambda: Queue(store, Settings(lease_s=60), lambda: NOON, lambda: time[0])


@pytest.fixture
def queue(begin):
    queue = begin()
    for title in ("first", "second"):
        queue.add(NewTask(title=title))
    return queue


def end(queue, claim, code=Exit.DRAINED, **fields):
    queue.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=code, **fields))


def test_a_key_whose_claim_has_ended_is_used_up(queue):
    first = queue.claim(HERE, "k")
    end(queue, first)
    with pytest.raises(Conflict, match="claim under a new one"):
        queue.claim(HERE, "k")
    again = queue.claim(HERE, "l")
    assert (again.session.id, again.session.new, again.lease.fence) == (first.session.id, False, 2)


def test_a_key_whose_lease_is_past_is_used_up_also_before_another_has_the_task(queue, time):
    first = queue.claim(HERE, "k")
    time[0] = 61
    with pytest.raises(Conflict, match="claim under a new one"):
        queue.claim(HERE, "k", AGAIN)
    taken = queue.claim(THERE, "l")
    assert (taken.session.id, taken.lease.fence) == (first.session.id, 2)
    with pytest.raises(Conflict, match="claim under a new one"):
        queue.claim(HERE, "k", AGAIN)


def test_a_claim_that_is_asked_for_again_has_its_whole_lease(queue, time):
    first = queue.claim(HERE, "k")
    time[0] = 50
    assert queue.claim(HERE, "k", AGAIN) == first
    time[0] = 100  # more than a lease after the first answer, less after the second
    assert queue.claim(THERE, "l").task.title == "second"
    assert queue.claim(HERE, "k", AGAIN) == first


def test_after_a_restart_a_key_that_was_sent_is_found_and_never_begins_anything(queue, begin, time):
    first = queue.claim(HERE, "k")
    later = begin()
    time[0] = 10_000
    later._leases.saw(later.store.get(first.task.id))  # its holder is alive
    assert later.claim(HERE, "k", AGAIN) == first
    end(later, first)
    for key in ("k", "was never heard of"):
        with pytest.raises(Conflict, match="none ever was"):
            begin().claim(HERE, key, AGAIN)
    assert later.claim(HERE, "new").lease.fence == 2


def test_a_key_under_which_there_was_no_work_is_as_good_as_new(queue):
    held = [queue.claim(HERE, key) for key in ("k", "l")]
    assert queue.claim(HERE, "m") is None
    end(queue, held[0])
    assert queue.claim(HERE, "m").task.title == "first"


def test_a_key_that_is_being_answered_waits_for_that_answer(queue):
    with queue._only_one("k"), pytest.raises(Busy, match="being answered"):
        queue.claim(HERE, "k")
    assert queue.claim(HERE, "k").task.title == "first"


def test_a_claim_carries_what_its_host_used_of_the_day_before_it(queue):
    first = queue.claim(HERE, "k")
    assert first.day is None
    settled = Event(n=1, at="2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data={"usd_micros": 700})
    queue.deliver(first.session.id, Batch(fence=1, events=(settled,)))
    end(queue, first, Exit.FINISHED, turns=1, usd_micros=700)
    second = queue.claim(HERE, "l", [ClaimWord.DAY])
    assert (second.task.title, second.day.day) == ("second", "2026-05-13")
    assert second.day.usd_micros == {first.session.id: 700}
