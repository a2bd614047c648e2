"""A cancelled task whose session still runs: its reservation stays until that has ended or its lease is past, so that
its relatives cannot spend the same dollars; on every store.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from dashboard.caps import DayUse
from dashboard.queue import Queue
from dashboard.settings import FleetCaps, Settings
from tests.contract.stores import made
from wire.types import AskedBudget, Batch, ClaimRequest, Event, EventKind, Exit, Heartbeat, NewTask, SessionEnd, State

DAY = "2026-05-13"
LEASE_S = 60
NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
ANYONE = ClaimRequest(host="h")


class Time:
    """The seconds since boot, as a test has them."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def boot():
    return Time()


@pytest.fixture
def queue(store, boot):
    settings = Settings(lease_s=LEASE_S, fleet=FleetCaps(sessions_per_day=0, usd_per_day=9))
    return Queue(store, settings, lambda: NOON, boot)


def family(queue):
    """A task of $3 that has ended its session, and of its two subtasks one that runs and has reserved all three; return
    the root, that claim, and the other's id.
    """
    root = queue.add(NewTask(title="root", priority=9, budget=AskedBudget(usd_micros=3_000_000)))[0].id
    claim = queue.claim(ANYONE)
    first, second = (queue.add(NewTask(title="t", parent=root, priority=each))[0].id for each in (8, 7))
    end(queue, claim, Exit.FINISHED)
    held = queue.claim(ANYONE)
    assert (held.task.id, held.session.usd_micros) == (first, 3_000_000)
    return root, held, second


def end(queue, claim, code=Exit.FENCED, **fields):
    return queue.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=code, **fields))


def deliver(queue, claim, *events):
    made = [Event(n=n, at=f"{DAY}T12:00:00Z", kind=kind, data=data) for n, (kind, data) in enumerate(events, 1)]
    queue.deliver(claim.session.id, Batch(fence=claim.lease.fence, events=tuple(made)))


def test_no_relative_gets_dollars_that_a_cancelled_session_may_still_spend(queue, store):
    root, held, other = family(queue)
    queue.cancel(held.task.id)
    assert queue.claim(ANYONE) is None
    assert queue.get(other).state is State.QUEUED  # it waits for what is left, and for no user
    end(queue, held, usd_micros=2_000_000)
    granted = queue.claim(ANYONE)
    assert (granted.task.id, granted.session.usd_micros) == (other, 1_000_000)
    left = store.budget(root)
    assert (left.usd_micros, left.reserved) == (0, 1_000_000)


def test_what_a_host_that_is_lost_had_reserved_is_free_once_its_lease_is_past_but_for_what_its_journal_spent(
    queue, store, boot
):
    root, held, other = family(queue)
    settled = {"turn": 1, "usd_micros": 400_000}
    begun = {"turn": 2, "usd_micros": 500_000}
    deliver(
        queue,
        held,
        (EventKind.RESERVE, {"turn": 1, "usd_micros": 900_000}), (EventKind.SETTLE, settled),
        (EventKind.RESERVE, begun),
    )  # fmt: skip
    queue.cancel(held.task.id)
    boot.seconds += LEASE_S
    assert queue.claim(ANYONE) is None
    boot.seconds += LEASE_S
    granted = queue.claim(ANYONE)
    # A request without a known end counts at its worst, as its worker counts it.
    assert (granted.task.id, granted.session.usd_micros) == (other, 2_100_000)
    assert store.get(held.task.id).task.usd_micros_spent == 900_000
    assert store.leased() == [store.get(other)]
    # Its host comes back: what it knows more of is booked, once.
    for _ in range(2):
        end(queue, held, usd_micros=950_000)
    assert store.get(held.task.id).task.usd_micros_spent == 950_000
    assert store.budget(root).usd_micros + store.budget(root).reserved == 2_050_000


def test_a_holder_that_gives_signs_of_life_keeps_its_reservation(queue, store, boot):
    _, held, _ = family(queue)
    queue.cancel(held.task.id)
    for _ in range(5):
        boot.seconds += LEASE_S - 1
        assert queue.heartbeat(held.task.id, Heartbeat(fence=held.lease.fence)).cancelled
        assert queue.claim(ANYONE) is None
    assert store.get(held.task.id).reserved == 3_000_000


def test_a_server_that_begins_watches_what_was_cancelled_anew(queue, store, boot):
    _, held, other = family(queue)
    queue.cancel(held.task.id)
    later = Queue(store, Settings(lease_s=LEASE_S), lambda: NOON, boot)
    boot.seconds += LEASE_S - 1
    assert later.claim(ANYONE) is None
    boot.seconds += LEASE_S + 1
    assert later.claim(ANYONE).task.id == other


def test_the_watch_frees_it_without_a_claim(queue, store, boot):
    _, held, _ = family(queue)
    queue.cancel(held.task.id)
    queue.look()
    boot.seconds += LEASE_S + 1
    queue.look()
    assert (store.get(held.task.id).reserved, store.leased()) == (0, [])


def test_what_it_holds_of_the_days_caps_stays_as_long(queue, store, boot):
    _, held, _ = family(queue)
    queue.cancel(held.task.id)
    assert store.day(DAY) == DayUse(2, 3_000_000)
    queue.look()
    deliver(queue, held, (EventKind.SETTLE, {"turn": 1, "usd_micros": 700}))
    boot.seconds += LEASE_S + 1
    queue.look()
    assert store.day(DAY) == DayUse(2, 700)
    end(queue, held, usd_micros=900)
    assert store.day(DAY) == DayUse(2, 900)


def test_a_journal_that_is_damaged_keeps_nobody_from_letting_go(tmp_path, boot):
    with closing(made("sqlite", tmp_path)) as store:
        queue = Queue(store, Settings(lease_s=LEASE_S), lambda: NOON, boot)
        _, held, other = family(queue)
        deliver(queue, held, (EventKind.SETTLE, {"turn": 1, "usd_micros": 400_000}))
        queue.deliver(held.session.id, Batch(fence=1, events=(Event(n=2, at="x", kind=EventKind.MESSAGE),)))
        with sqlite3.connect(tmp_path / "queue.db") as db:
            which = "SELECT sha256 FROM deliveries WHERE session = ? AND first = 2"
            db.execute(f"UPDATE blobs SET content = x'ff' WHERE sha256 IN ({which})", (held.session.id,))
        queue.cancel(held.task.id)
        assert queue.claim(ANYONE) is None
        boot.seconds += LEASE_S + 1
        granted = queue.claim(ANYONE)
        assert (granted.task.id, granted.session.usd_micros) == (other, 2_600_000)


def test_a_task_that_waits_holds_nothing_when_it_is_cancelled(queue, store):
    queue.add(NewTask(title="t"))
    held = queue.claim(ANYONE)
    end(queue, held, Exit.STUCK)
    queue.cancel(held.task.id)
    assert (store.get(held.task.id).reserved, store.leased()) == (0, [])
