import logging
from datetime import timedelta

import pytest

from dashboard.record import Busy
from dashboard.retention import FREED, Deleted, Retention, before, latest
from dashboard.settings import Settings
from dashboard.stores.memory import MemoryStore
from dashboard.stores.retention import Before
from wire.times import stamp
from wire.types import NewTask


@pytest.fixture
def retention(store, clock):
    return Retention(store, Settings(keep_tasks_days=30), clock)


def test_days_become_the_moment_until_when_things_go_and_none_keep_for_ever(clock):
    now = clock.seconds()
    some = Settings(keep_tasks_days=2, keep_journals_days=0, keep_files_days=3, keep_sync_runs_days=1)
    assert before(some, clock()) == Before(
        tasks=now - 2 * 86_400, journals=None, files=now - 3 * 86_400, sync_runs=now - 86_400
    )


def test_files_are_kept_as_long_as_their_tasks_unless_a_setting_says_otherwise(clock):
    assert before(Settings(), clock()).files is None


def test_what_is_too_old_goes_once_a_day_and_the_log_says_what(queue, retention, clock, caplog):
    caplog.set_level(logging.INFO)
    task, _ = queue.add(NewTask(title="t", description="x" * 5_000))
    queue.cancel(task.id)
    retention.prune_if_due()
    assert caplog.messages == []
    clock.go_on(days=30, seconds=1)
    retention.prune_if_due()
    (said,) = caplog.messages
    assert said == (
        "deleted as too old: 1 tasks, 0 journals and 0 files of others, 0 sync runs; with them 1 blobs of 5000 bytes"
    )
    assert queue.tasks() == []


def test_what_was_freed_last_is_kept_and_a_day_that_freed_nothing_does_not_hide_it(store, queue, retention, clock):
    assert latest(store) is None
    task, _ = queue.add(NewTask(title="t", description="x" * 5_000))
    queue.cancel(task.id)
    clock.go_on(days=31)
    retention.prune_if_due()
    at = stamp(clock())
    clock.go_on(days=1)
    Retention(store, Settings(keep_tasks_days=30), clock).prune_if_due()
    assert latest(store) == Deleted(at=at, tasks=1, blobs=1, blob_bytes=5_000)


def test_words_on_what_was_freed_that_cannot_be_read_are_none(store):
    store.mark(FREED, "{")
    assert latest(store) is None


def test_it_is_done_once_a_day_and_a_failure_is_tried_again(clock):
    class Locked(MemoryStore):
        """A store whose file is locked at first."""

        calls = 0

        def prune(self, before):
            self.calls += 1
            if self.calls == 1:
                raise Busy("locked")
            return super().prune(before)

    store = Locked()
    retention = Retention(store, Settings(), clock)
    with pytest.raises(Busy):
        retention.prune_if_due()
    for wait, calls in ((timedelta(), 2), (timedelta(hours=23), 2), (timedelta(hours=1), 3), (timedelta(days=-2), 4)):
        clock.now += wait
        retention.prune_if_due()
        assert store.calls == calls
