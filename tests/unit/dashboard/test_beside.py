"""What the host keeps beside the queue: told as it was observed, and never taken for good news where it was not."""

import json

import pytest

from dashboard import watch
from dashboard.beside import BACKUP, SYNC, WORKER, Beside, lines
from dashboard.queue import Queue
from dashboard.settings import OffBox, Settings
from dashboard.stores.memory import MemoryStore
from wire.times import stamp
from wire.types import NightlyBackup, Presence, State, SyncOutcome, SyncRun
from wire.values import dump

WORD = {"by": "anna", "since": "2026-05-13T12:00:00Z", "why": "it is replaced"}


@pytest.fixture
def host(tmp_path):
    (tmp_path / "paused").mkdir()
    return tmp_path


@pytest.fixture
def started(host, clock):
    """Start a dashboard over a store, as after a restart."""
    beside = Beside(host / "paused", host / "nightly.json", OffBox(target="sftp://x@y/z", alarm_hours=36))
    return lambda store: Queue(store, Settings(), clock, around=beside)


@pytest.fixture
def queue(started):
    return started(MemoryStore())


def pause(host, *units):
    for unit in units:
        (host / "paused" / unit).write_text(json.dumps(WORD))


def night(host, **word):
    (host / "nightly.json").write_bytes(dump(NightlyBackup(**word)))


def well(queue, clock):
    at = stamp(clock())
    queue.report(SyncRun(started_at=at, finished_at=at, outcome=SyncOutcome.UNCHANGED))
    queue.present(Presence(host="box"))


def alarms(queue, key):
    queue.look()
    return [r.task for r in queue.store.tasks() if r.task.dedupe_key == key and r.task.state is State.NEEDS_YOU]


def test_a_pause_withholds_all_is_well_and_says_by_whom_and_since_when(queue, host, clock):
    well(queue, clock)
    assert (queue.standing(0).line, queue.wellness().well) == ("All is well", True)
    pause(host, WORKER, SYNC)
    standing = queue.standing(0)
    assert (standing.kind, standing.line) == ("waits", "Paused: nothing is begun")
    assert standing.reasons == (f"{WORKER}, {SYNC}: paused by anna since 2026-05-13T12:00:00Z (it is replaced)",)
    assert not queue.wellness().well
    assert not queue.is_known_well()


def test_what_is_resumed_while_it_is_looked_at_is_not_paused(host):
    # As good as one that goes after it was listed: it is listed, and is not there.
    (host / "paused" / WORKER).symlink_to("nowhere")
    pause(host, SYNC)
    assert set(Beside(host / "paused").paused()) == {SYNC}


def test_what_is_paused_is_not_complained_of_and_has_its_time_after(queue, host, clock):
    well(queue, clock)
    pause(host, WORKER, SYNC)
    clock.go_on(hours=5)
    assert len(queue.wellness().complaints) == 1
    assert alarms(queue, watch.SYNC) == []
    for unit in (WORKER, SYNC):
        (host / "paused" / unit).unlink()
    queue.present(Presence(host="box"))
    assert alarms(queue, watch.SYNC) == []
    clock.go_on(minutes=66)
    assert len(alarms(queue, watch.SYNC)) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_a_pause_that_cannot_be_read_is_one_all_the_same(queue, host, content):
    (host / "paused" / WORKER).write_bytes(content)
    assert queue.standing(0).reasons == (f"{WORKER}: paused; by whom and since when can't be read",)


def test_units_of_one_word_are_said_together():
    assert lines({"a": "x", "b": "y", "c": "x"}) == ("a, c: x", "b: y")


def test_a_failed_night_is_an_alarm_at_once_and_closes_when_one_arrives(queue, host, clock):
    assert alarms(queue, watch.OFF_BOX) == []
    night(host, tried_at=stamp(clock()), failed="the target did not take it: Permission denied")
    (alarm,) = alarms(queue, watch.OFF_BOX)
    assert "Permission denied" in alarm.waiting.text
    assert "None has arrived yet" in alarm.waiting.text
    night(host, tried_at=stamp(clock()), sent_at=stamp(clock()), name="a.age", size=7)
    assert alarms(queue, watch.OFF_BOX) == []


def test_nights_without_a_word_are_an_alarm_too(queue, host, clock):
    night(host, tried_at=stamp(clock()), sent_at=stamp(clock()), name="a.age", size=7)
    clock.go_on(hours=36)
    assert alarms(queue, watch.OFF_BOX) == []
    clock.go_on(minutes=1)
    (alarm,) = alarms(queue, watch.OFF_BOX)
    assert "none was reported to fail" in alarm.waiting.text


def test_a_restart_closes_no_alarm_of_nights_without_a_word_and_a_backup_does(queue, started, host, clock):
    night(host, tried_at=stamp(clock()), sent_at=stamp(clock()), name="a.age", size=7)
    clock.go_on(hours=37)
    (before,) = alarms(queue, watch.OFF_BOX)
    (after,) = alarms(again := started(queue.store), watch.OFF_BOX)
    assert (after.id, after.waiting) == (before.id, before.waiting)
    night(host, tried_at=stamp(clock()), sent_at=stamp(clock()), name="b.age", size=7)
    assert alarms(again, watch.OFF_BOX) == []
    assert again.store.get(before.id).task.result == "A backup is at the target."


def test_a_dashboard_that_is_restarted_each_day_misses_them_in_time(queue, started, host, clock):
    night(host, tried_at=stamp(clock()), sent_at=stamp(clock()), name="a.age", size=7)
    clock.go_on(hours=24)
    assert alarms(queue := started(queue.store), watch.OFF_BOX) == []
    clock.go_on(hours=13)
    assert len(alarms(started(queue.store), watch.OFF_BOX)) == 1


def test_a_first_target_and_a_queue_that_moved_have_their_time(queue, started, clock):
    clock.go_on(hours=30)
    assert alarms(queue := started(queue.store), watch.OFF_BOX) == []
    clock.go_on(hours=36)
    assert alarms(queue, watch.OFF_BOX) == []
    clock.go_on(minutes=1)
    assert len(alarms(queue, watch.OFF_BOX)) == 1


def test_a_restored_box_says_nothing_of_backups_that_it_does_not_send(queue, host, clock):
    pause(host, BACKUP)
    clock.go_on(hours=40)
    assert alarms(queue, watch.OFF_BOX) == []


def test_without_a_target_nothing_is_missed(host, clock):
    queue = Queue(MemoryStore(), Settings(), clock, around=Beside(host / "paused", host / "nightly.json"))
    night(host, tried_at="2026-05-13T04:00:00Z", failed="x")
    clock.go_on(hours=100)
    assert alarms(queue, watch.OFF_BOX) == []


def test_what_another_release_wrote_is_read_and_what_is_none_is_nothing(queue, host):
    (host / "nightly.json").write_text('{"tried_at": "2026-05-13T04:00:00Z", "colour": 1}')
    assert queue.off_box()[1].tried_at == "2026-05-13T04:00:00Z"
    (host / "nightly.json").write_text("{")
    assert queue.off_box() == (True, None)
