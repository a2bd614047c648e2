"""The day's caps of all hosts together: never passed by claims that race, on every store."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.caps import Caps, DayUse, caps, give_back
from dashboard.caps import add as add_use
from dashboard.queue import Queue
from dashboard.settings import FleetCaps, Settings, WorkLimits
from tests import dynamo
from tests.clocks import Clock
from wire.types import AskedBudget, ClaimRequest, Exit, NewTask, SessionEnd

DAY = "2026-05-13"


@pytest.fixture
def clock():
    return Clock(datetime(2026, 5, 13, 12, tzinfo=UTC))


@pytest.fixture
def hosts(store, clock):
    """Makes dashboards over one queue, each with the same caps."""

    def begin(number=1, **fleet):
        return [Queue(store, Settings(fleet=FleetCaps(**fleet)), clock, lambda: 0.0) for _ in range(number)]

    return begin


def add(queue, number=1, usd=5_000_000):
    return [queue.add(NewTask(title="t", budget=AskedBudget(usd_micros=usd)))[0].id for _ in range(number)]


def claim(queue, **asked):
    return queue.claim(ClaimRequest(host="h", **asked))


def end(queue, claim, code=Exit.FINISHED, **fields):
    queue.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=code, **fields))


def test_what_is_used_of_a_day_is_kept_by_moves_that_race(store):
    assert store.day(DAY) is None

    def move(old):
        return add_use(old or DayUse(0, 0), DayUse(1, 10))

    with ThreadPoolExecutor(8) as pool:
        changes = [*pool.map(lambda _: store.change_day(DAY, move), range(24))]
    assert sorted(after.sessions for _, after in changes) == [*range(1, 25)]
    assert store.change_day(DAY, give_back(DayUse(4, 40))) == (DayUse(24, 240), DayUse(20, 200))
    assert store.day(DAY) == DayUse(20, 200)


def test_no_session_is_begun_over_the_cap_by_hosts_that_race(store, hosts):
    queues = hosts(8, sessions_per_day=5, usd_per_day=0)
    add(queues[0], 20)
    start = threading.Barrier(8)

    def work(queue):
        start.wait()
        return [found for _ in range(3) if (found := claim(queue))]

    with ThreadPoolExecutor(8) as pool:
        found = [each for some in pool.map(work, queues) for each in some]
    assert (len(found), len({each.session.id for each in found})) == (5, 5)
    assert len(store.running()) == 5
    assert store.day(DAY).sessions == 5


def test_a_suspended_session_goes_on_where_the_days_sessions_are_used_up(hosts, clock):
    (queue,) = hosts(sessions_per_day=1, usd_per_day=0)
    add(queue, 2)
    first = claim(queue)
    assert claim(queue) is None
    end(queue, first, Exit.DRAINED)
    again = claim(queue)
    assert (again.session.id, again.session.new) == (first.session.id, False)
    end(queue, again)
    assert claim(queue) is None
    clock.now += timedelta(days=1)
    assert claim(queue).session.new


def test_dollars_are_taken_by_a_claim_bounded_and_given_back_at_its_end(store, hosts):
    (queue,) = hosts(sessions_per_day=0, usd_per_day=8)
    add(queue, 4)
    first, second = claim(queue), claim(queue)
    assert (first.session.usd_micros, second.session.usd_micros) == (5_000_000, 3_000_000)
    assert claim(queue) is None
    end(queue, first, usd_micros=1_000_000)
    end(queue, first, usd_micros=1_000_000)
    assert store.day(DAY).usd_micros == 4_000_000
    third = claim(queue)
    assert third.session.usd_micros == 4_000_000
    end(queue, second, usd_micros=3_000_000)
    end(queue, third, usd_micros=4_000_000)
    assert claim(queue) is None
    assert store.day(DAY).usd_micros == 8_000_000


def test_no_dollar_is_given_out_over_the_cap_by_hosts_that_race(store, hosts):
    queues = hosts(8, sessions_per_day=0, usd_per_day=12)
    add(queues[0], 12)
    with ThreadPoolExecutor(8) as pool:
        found = [each for each in pool.map(claim, queues) if each]
    assert sum(each.session.usd_micros for each in found) == 12_000_000
    assert store.day(DAY) == DayUse(len(found), 12_000_000)


def test_a_cancelled_task_gives_back_what_it_did_not_spend_once_its_session_has_ended(store, hosts):
    (queue,) = hosts(sessions_per_day=0, usd_per_day=5)
    add(queue, 2)
    held = claim(queue)
    queue.cancel(held.task.id)
    assert store.day(DAY).usd_micros == 5_000_000
    end(queue, held, Exit.FENCED, usd_micros=700)
    assert store.day(DAY).usd_micros == 700


def test_a_task_that_was_lost_takes_of_the_day_once(store, clock):
    boottime = iter([*[0.0] * 4, *[1e6] * 50])
    queue = Queue(store, Settings(fleet=FleetCaps(sessions_per_day=1, usd_per_day=5)), clock, lambda: next(boottime))
    add(queue)
    first = claim(queue)
    again = None
    while again is None:
        again = claim(queue)
    assert (again.task.id, again.session.id, again.lease.fence) == (first.task.id, first.session.id, 2)
    assert store.day(DAY) == DayUse(1, 5_000_000)


def test_what_cannot_be_claimed_takes_nothing(store, hosts):
    (queue,) = hosts(sessions_per_day=3, usd_per_day=8)
    (spent,) = add(queue, usd=1_000_000)
    end(queue, claim(queue), Exit.TURN_LIMIT, usd_micros=1_000_000, checkpoint="so far")
    assert claim(queue) is None
    assert queue.get(spent).waiting.kind == "budget"
    assert store.day(DAY) == DayUse(1, 1_000_000)


def test_a_cap_that_is_new_counts_what_the_day_has_seen(store, hosts):
    (free,) = hosts(sessions_per_day=0, usd_per_day=0)
    add(free, 3)
    claim(free), claim(free)
    assert store.day(DAY) is None
    (capped,) = hosts(sessions_per_day=2)
    assert claim(capped) is None
    (more,) = hosts(sessions_per_day=3)
    assert claim(more)
    assert store.day(DAY) == DayUse(3, 15_000_000)


@pytest.mark.parametrize("fault", ["throttled", "500", "500 after", "lost after"])
def test_what_goes_wrong_on_the_way_counts_a_session_once(clock, fault):
    wire = dynamo.Wire()
    with closing(dynamo.store(wire)) as store:
        queue = Queue(store, Settings(fleet=FleetCaps(sessions_per_day=9)), clock, lambda: 0.0)
        add(queue, 2)
        wire.faults.append(fault)
        end(queue, claim(queue), usd_micros=5)
        assert store.day(DAY).sessions == 1


def test_caps_take_two_write_units_more_of_a_task(clock):
    wire = dynamo.Wire()
    with closing(dynamo.store(wire)) as store:

        def units(**fleet):
            queue = Queue(store, Settings(fleet=FleetCaps(**fleet)), clock, lambda: 0.0)
            before = wire.units["write"]
            add(queue)
            end(queue, claim(queue), usd_micros=5, turns=1)
            return wire.units["write"] - before

        assert units(sessions_per_day=9, usd_per_day=100) - units(sessions_per_day=0, usd_per_day=0) == 2


def test_a_fleets_caps_are_the_workers_where_the_settings_name_none():
    limits = WorkLimits(sessions_per_day=7, usd_per_day=2.5)
    assert caps(FleetCaps(), limits, is_shared=True) == Caps(7, 2_500_000)
    assert caps(FleetCaps(sessions_per_day=20, usd_per_day=0), limits, is_shared=True) == Caps(20, None)
    assert not caps(FleetCaps(), limits, is_shared=False).are_set
    assert caps(FleetCaps(usd_per_day=1), limits, is_shared=False) == Caps(None, 1_000_000)
