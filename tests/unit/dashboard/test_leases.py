"""Leases go by what this server has seen of a holder, on a clock that only goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores.sqlite import SqliteStore
from wire.types import ClaimRequest, Heartbeat, NewTask

ANYONE = ClaimRequest(host="h")


class Clocks:
    """The time of day, and the time since boot."""

    def __init__(self):
        self.day, self.boot = datetime(2026, 5, 13, 12, tzinfo=UTC), 1000.0

    def go_on(self, seconds):
        self.day += timedelta(seconds=seconds)
        self.boot += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def start(tmp_path, clocks):
    """Start a server over one file, as often as asked for."""
    stores = []

    def server():
        stores.append(SqliteStore(tmp_path / "queue.db"))
        return Queue(stores[-1], Settings(lease_s=60), lambda: clocks.day, lambda: clocks.boot)

    yield server
    for store in stores:
        store.close()


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_is_set_takes_no_task_away_and_keeps_none(start, clocks, days):
    queue = start()
    queue.add(NewTask(title="t"))
    held = queue.claim(ANYONE)
    clocks.day += timedelta(days=days)
    clocks.go_on(30)
    assert queue.claim(ANYONE) is None
    queue.heartbeat(held.task.id, Heartbeat(fence=1))
    clocks.go_on(45)
    assert queue.claim(ANYONE) is None
    clocks.go_on(30)
    assert queue.claim(ANYONE).lease.fence == 2


def test_a_server_that_begins_watches_anew(start, clocks):
    start().add(NewTask(title="t"))
    start().claim(ANYONE)
    clocks.go_on(3600)
    clocks.boot = 5.0  # a reboot
    queue = start()
    assert queue.claim(ANYONE) is None
    clocks.go_on(59)
    assert queue.claim(ANYONE) is None
    clocks.go_on(2)
    assert queue.claim(ANYONE).lease.fence == 2


def test_another_servers_heartbeats_count(start, clocks):
    one, other = start(), start()
    one.add(NewTask(title="t"))
    held = one.claim(ANYONE)
    for _ in range(5):
        clocks.go_on(40)
        one.heartbeat(held.task.id, Heartbeat(fence=1))
        assert other.claim(ANYONE) is None
    clocks.go_on(61)
    assert other.claim(ANYONE).lease.fence == 2


def test_of_several_lost_holders_each_is_replaced_once(start, clocks):
    queue = start()
    for number in range(3):
        queue.add(NewTask(title=f"t{number}"))
    first = [queue.claim(ANYONE).task.id for _ in range(3)]
    clocks.go_on(61)
    again = [queue.claim(ANYONE).task.id for _ in range(3)]
    assert sorted(again) == sorted(first)
    assert queue.claim(ANYONE) is None


def test_a_task_that_a_release_with_leases_by_time_of_day_gave_out_is_watched_too(start, clocks, tmp_path):
    queue = start()
    queue.add(NewTask(title="t"))
    held = queue.claim(ANYONE)
    strip = "UPDATE tasks SET record = json_set(json_remove(record, '$.ttl_s', '$.beat'), '$.lease_until', 17.5)"
    queue.store._db.execute(strip + ", ready_at = 17.5")
    fresh = start()
    assert fresh.claim(ANYONE) is None
    clocks.go_on(61)
    assert fresh.claim(ANYONE).task.id == held.task.id


@pytest.mark.timeout(30)
def test_a_lost_holders_record_that_breaks_is_set_aside_and_not_tried_for_ever(start, clocks):
    queue = start()
    broken = queue.add(NewTask(title="t"))[0].id
    queue.claim(ANYONE)
    clocks.go_on(61)
    queue.look()
    queue.store._db.execute("UPDATE tasks SET record = '[]'")
    assert queue.claim(ANYONE) is None
    assert queue.store.damaged() == [broken]
