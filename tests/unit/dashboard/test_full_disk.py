"""A disk that is full, for real: it is told within the watch's look, sent, and closed, on a small file system."""

import contextlib
import io
import os
import signal

import pytest

from dashboard.__main__ import main
from dashboard.application import create
from dashboard.queue import Queue
from dashboard.record import Full
from dashboard.settings import Notify, Settings
from dashboard.stores.sqlite import SqliteStore
from dashboard.watch import DISK
from local.process import wait_until
from local.serve import running
from tests.tokens import accepting
from tests.unit.dashboard.small_disk import on_small_disk
from wire.client import Client, RequestRefused
from wire.secret import Secret
from wire.types import Delivery, File, NewTask, State, SyncOutcome, SyncRun

pytestmark = pytest.mark.process
MB = 1024 * 1024
SETTINGS = Settings(notify=Notify(targets=("mail",)), least_free_mb=64)
AT = "2026-05-13T12:00:00Z"


def opened(disk):
    return SqliteStore(disk.folder / "queue.db", targets=("mail",), room=MB)


def begun(disk, clock):
    """A queue on the disk, which was looked at once."""
    queue = Queue(opened(disk), SETTINGS, clock, clock.seconds)
    queue.look()
    return queue


def alarms(queue, state=State.NEEDS_YOU):
    return [task for task in queue.tasks() if task.dedupe_key == DISK and task.state is state]


def settle(queue, *, delivered=True):
    due = queue.due_messages()
    for message in due:
        queue.settle_message(Delivery(id=message.id, target=message.target, delivered=delivered, answer="said"))
    return due


def add_large(queue):
    queue.add(NewTask(title="large", context=(File(name="a", content=os.urandom(MB)),)))


@on_small_disk
def test_little_room_is_reported_before_writes_fail_and_closed_when_it_is_over(disk, clock):
    queue = begun(disk, clock)
    disk.fill(leave=40 * MB)
    queue.look()
    (alarm,) = alarms(queue)
    assert alarm.title == "The queue's disk is nearly full"
    assert "less than 64 MB" in alarm.waiting.text
    assert "Cure: make room" in alarm.waiting.text
    (told,) = settle(queue)
    disk.empty()
    queue.look()
    (closed,) = alarms(queue, State.DONE)
    assert closed.result == "There is room on the disk again."
    (over,) = settle(queue)
    assert (over.id, "There is room" in over.text) == (f"{told.id}.over", True)


@on_small_disk
def test_a_little_more_room_than_what_raised_it_does_not_close_it(disk, clock):
    queue = begun(disk, clock)
    disk.fill(leave=40 * MB)
    queue.look()
    disk.empty()
    disk.fill(leave=66 * MB)
    queue.look()
    assert alarms(queue)


@on_small_disk
def test_a_disk_without_a_free_byte_is_told_from_the_reserve(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    with pytest.raises(Full):
        add_large(queue)
    queue.look()
    (alarm,) = alarms(queue)
    assert (alarm.title, "less than 1 MB" in alarm.waiting.text) == ("The queue's disk is full", True)
    (told,) = settle(queue)
    assert "full" in told.subject
    assert queue.due_messages() == []  # its delivery was kept too: it is not sent again


@on_small_disk
def test_what_is_left_of_the_reserve_is_not_for_tasks(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    with pytest.raises(Full):
        add_large(queue)
    queue.look()
    with pytest.raises(Full, match="kept for alarms"):
        queue.add(NewTask(title="small"))


@on_small_disk
def test_a_sync_that_fails_on_a_full_disk_is_kept_and_reported(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    for _ in range(40):  # until the log's own room is used up
        queue.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED, cause="c" * 20_000))
    assert len(queue.store.sync_runs(limit=100)) == 40
    assert any("out of step" in message.subject for message in queue.due_messages())


def killed_on_a_full_disk(disk, clock):
    """Fill the disk below a queue that is then killed; return the ids of the tasks that it acknowledged."""
    said, says = os.pipe()
    pid = os.fork()
    if not pid:
        queue = begun(disk, clock)
        ids = [queue.add(NewTask(title=f"kept {number}"))[0].id for number in range(20)]
        disk.fill()
        with contextlib.suppress(Full):
            add_large(queue)
        os.write(says, ",".join(ids).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return os.read(said, 10_000).decode().split(",")


@on_small_disk
def test_a_queue_that_was_killed_on_a_full_disk_opens_with_all_that_it_acknowledged_and_reports_the_disk(disk, clock):
    ids = killed_on_a_full_disk(disk, clock)
    queue = begun(disk, clock)
    assert [queue.get(task_id).id for task_id in ids] == ids
    (alarm,) = alarms(queue)
    assert "less than 1 MB" in alarm.waiting.text
    assert any("disk" in message.subject for message in queue.due_messages())


@on_small_disk
def test_what_opening_must_write_on_a_full_disk_takes_the_reserve(disk, clock):
    ids = killed_on_a_full_disk(disk, clock)
    (disk.folder / "queue.db-shm").unlink()  # as after a reboot of some file systems: SQLite makes it anew
    disk.fill()
    queue = begun(disk, clock)
    assert [queue.get(task_id).id for task_id in ids] == ids
    assert "full" in alarms(queue)[0].title


@on_small_disk
def test_a_queue_that_no_reserve_can_open_says_that_the_disk_is_full(disk, clock):
    settings = disk.folder / "jada.toml"
    settings.write_text(f'[dashboard]\nsocket = "{disk.folder}/queue.sock"\n')
    killed_on_a_full_disk(disk, clock)
    for name in ("queue.db-shm", "queue.db.reserve"):
        (disk.folder / name).unlink()
    disk.fill()
    with contextlib.redirect_stderr(io.StringIO()) as said:
        assert main(["--settings", str(settings), "--state", str(disk.folder)]) == 1
    assert "is full: disk I/O error; make room there" in said.getvalue()


@on_small_disk
def test_once_there_is_room_tasks_are_taken_the_reserve_is_too_and_the_alarm_closes(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    with pytest.raises(Full):
        add_large(queue)
    queue.look()
    disk.empty()
    add_large(queue)
    assert (disk.folder / "queue.db.reserve").stat().st_size > 0
    queue.look()
    assert alarms(queue)  # a write was refused a moment ago
    clock.go_on(minutes=11)
    queue.look()
    assert alarms(queue) == []


@on_small_disk
def test_what_the_reserve_cannot_hold_is_reported_from_memory_once_and_closed(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    with pytest.raises(Full):
        add_large(queue)
    (disk.folder / "queue.db.reserve").unlink()  # and another program was faster
    disk.fill()
    exhaust(queue)
    with pytest.raises(Full):
        queue.look()
    (told,) = settle(queue)
    assert told.id.startswith("unwritten.")
    assert "is full" in told.text
    with pytest.raises(Full):
        queue.look()
    assert [message for message in queue.due_messages() if message.id == told.id] == []
    disk.empty()
    queue.look()
    over = settle(queue)
    assert [message.id for message in over if message.id == f"{told.id}.over"]


def exhaust(queue):
    """Use up the room that the log has of its own."""
    for number in range(10_000):
        try:
            queue.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED, cause=f"{number}" * 4000))
        except Full:
            return
    raise AssertionError("the disk is not full")


@on_small_disk
def test_a_target_that_refuses_is_tried_again_from_memory(disk, clock):
    queue = begun(disk, clock)
    disk.fill()
    (disk.folder / "queue.db.reserve").unlink()
    disk.fill()
    exhaust(queue)
    with pytest.raises(Full):
        queue.look()
    (first,) = settle(queue, delivered=False)
    assert queue.due_messages() == []
    clock.go_on(seconds=31)
    assert [message.id for message in queue.due_messages()] == [first.id]


@on_small_disk
def test_a_write_that_finds_no_room_wakes_the_watch(disk, clock):
    """The watch's own pause is an hour here: only the refused write can have made it look."""
    slow = Settings(notify=Notify(targets=("mail",)), least_free_mb=64, watch_s=3600)
    token = Secret("a-token-of-the-tests")
    with running(create(opened(disk), accepting(token), slow, clock)) as url:
        client = Client(url, token, retries=0)
        wait_for(lambda: client.notifications().targets == ("mail",))
        disk.fill()
        with pytest.raises(RequestRefused, match="507"):
            client.add_task(NewTask(title="large", context=(File(name="a", content=os.urandom(MB)),)))
        wait_for(lambda: any("disk is full" in message.subject for message in client.due_messages()))


def wait_for(condition):
    assert wait_until(condition, 30)
