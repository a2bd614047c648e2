"""Backups: made each night and on demand, kept for days, and put back by one command."""

import sqlite3
import subprocess
import sys

import pytest

from dashboard.application import create, utc_now
from dashboard.backup import Backups, chosen, copies
from dashboard.copy import copy
from dashboard.copy import main as copying
from dashboard.queue import Queue
from dashboard.record import NotFound, Unready
from dashboard.restore import restore as put_back
from dashboard.settings import Settings
from dashboard.stores.files import marker
from dashboard.stores.lock import held
from dashboard.stores.memory import MemoryStore
from dashboard.stores.schema import STEPS
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.types import NewTask, State


@pytest.fixture
def state(tmp_path):
    return tmp_path


@pytest.fixture
def store(state):
    made = SqliteStore(state / "queue.db")
    yield made
    made.close()


@pytest.fixture
def backups(store, state, clock):
    return Backups(store, state / "backups", Settings(backup_hour=3, backup_days=2), clock)


def names(state):
    return [path.name for path in copies(state / "backups")]


def test_two_that_are_made_in_one_second_are_two(backups, state):
    first, second = backups.make(), backups.make()
    assert names(state) == [first.name, second.name]


def test_a_copy_is_given_up_when_the_dashboard_is_to_end_and_made_by_the_next(store, backups, state, clock):
    for n in range(100):
        Queue(store, Settings(), clock).add(NewTask(title=f"t{n}"))
    backups.stop()
    backups.make_if_due()
    with pytest.raises(Unready, match="is ending"):
        backups.make()
    assert [path.name for path in (state / "backups").iterdir()] == []
    store.close()
    again = SqliteStore(state / "queue.db")
    Backups(again, state / "backups", Settings(), clock).make_if_due()
    again.close()
    assert len(names(state)) == 1


def test_a_copy_that_is_taken_away_while_they_are_listed_is_left_out(backups, state):
    made = backups.make()
    (state / "backups" / "20200101T000000Z.db").symlink_to("gone")  # listed, and not there to be looked at
    assert backups.listed() == [made]


def test_one_is_made_each_night_and_those_too_old_go(backups, state, clock):
    for _ in range(3 * 24):
        backups.make_if_due()
        clock.go_on(hours=1)
    made = ["20260513T120000Z.db", "20260514T030000Z.db", "20260515T030000Z.db", "20260516T030000Z.db"]
    assert names(state) == made[1:]


def test_none_is_made_where_none_is_wanted(store, state, clock):
    Backups(store, state / "backups", Settings(backup_days=0), clock).make_if_due()
    assert names(state) == []


def test_the_newest_stays_however_old(backups, state, clock):
    backups.make()
    clock.go_on(days=30)
    clock_back = clock.now
    backups.make()
    assert names(state) == [clock_back.strftime("%Y%m%dT%H%M%SZ.db")]
    assert chosen(state / "backups", None, clock.now).name == names(state)[-1]


def test_a_clock_that_was_ahead_for_one_look_stops_no_copy_and_its_own_is_not_the_newest(backups, state, clock):
    today = clock.now
    clock.go_on(days=365)
    backups.make_if_due()
    (ahead,) = names(state)
    assert chosen(state / "backups", None, today).name == ahead  # better than none
    clock.now = today
    for _ in range(3):
        clock.go_on(days=1)
        backups.make_if_due()
    assert names(state) == ["20260514T120000Z.db", "20260515T120000Z.db", "20260516T120000Z.db", ahead]
    assert chosen(state / "backups", None, clock.now).name == "20260516T120000Z.db"
    assert chosen(state / "backups", ahead, clock.now).name == ahead


def test_what_a_killed_copy_left_goes_with_the_next_one(backups, state):
    (state / "backups").mkdir()
    for ending in ("", "-journal"):
        (state / "backups" / f".20260512T030000Z.db.half{ending}").touch()
    made = backups.make()
    assert [path.name for path in (state / "backups").iterdir()] == [made.name]


def test_over_http_one_is_made_and_listed(store, state, clock, token):
    # No night's copy: the watch's own may come before ours or after it, and in the same second takes its name.
    settings = Settings(backup_days=0)
    with running(create(store, accepting(token), settings, clock, backups=state / "backups")) as url:
        client = Client(url, token, retries=0)
        assert client.backups() == ()
        made = client.back_up()
        assert client.backups() == (made,)
        assert made.made_at == "2026-05-13T12:00:00Z"


def test_a_queue_in_memory_says_that_it_has_none(clock, token):
    with running(create(MemoryStore(), accepting(token), Settings(), clock)) as url:
        with pytest.raises(RequestRefused, match="memory only") as refused:
            Client(url, token, retries=0).back_up()
        assert refused.value.problem.status == 503


def test_a_night_without_a_backup_raises_an_alarm_that_closes_with_the_next(store, state, clock, token):
    (state / "backups").write_text("in the way")
    queue = Queue(store, Settings(), clock)
    copies_ = Backups(store, state / "backups", Settings(), clock)
    with pytest.raises(OSError, match="backups"):
        copies_.make_if_due()
    queue.look("the disk is full")
    (alarm,) = queue.tasks()
    assert (alarm.state, "the disk is full" in alarm.waiting.text) == (State.NEEDS_YOU, True)
    queue.look()
    assert queue.get(alarm.id).state is State.DONE


def restore(state, *words):
    command = [sys.executable, "-m", "dashboard.restore", "--state", state, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.process
def test_a_backup_is_put_back_by_one_command_and_what_was_there_is_kept(state, clock):
    store = SqliteStore(state / "queue.db")
    queue = Queue(store, Settings(), clock)
    before = queue.add(NewTask(title="before"))[0].id
    Backups(store, state / "backups", Settings(), clock).make()
    after = queue.add(NewTask(title="after"))[0].id
    store.close()
    done = restore(state)
    assert done.returncode == 0, done.stderr
    again = Queue(SqliteStore(state / "queue.db"), Settings(), clock)
    assert [task.id for task in again.tasks()] == [before]
    again.store.close()
    (kept,) = state.glob("queue.db.before-*")
    assert {row[0] for row in sqlite3.connect(kept).execute("SELECT id FROM tasks")} == {before, after}


@pytest.mark.process
def test_a_queue_that_was_lost_comes_back_with_its_marker(state, clock):
    store = SqliteStore(state / "queue.db")
    kept = Queue(store, Settings(), clock).add(NewTask(title="kept"))[0].id
    Backups(store, state / "backups", Settings(), clock).make()
    store.close()
    (state / "queue.db").unlink()
    marker(state / "queue.db").unlink()
    assert restore(state).returncode == 0
    again = SqliteStore(state / "queue.db")
    assert (again.id, again.get(kept).task.id) == (store.id, kept)
    again.close()


@pytest.mark.process
def test_a_restore_is_refused_while_the_queue_is_used_and_for_what_is_no_backup(state, store, backups):
    backups.make()
    with held(state):
        assert "stop jada-dashboard first" in restore(state).stderr
    assert "there are: 2026" in restore(state, "--backup", "nosuch.db").stderr
    (state / "backups" / f"{utc_now():%Y%m%dT%H%M%SZ}.db").write_bytes(b"no database" * 1000)
    refused = restore(state)
    assert (refused.returncode, "is broken" in refused.stderr) == (1, True)
    assert store.tasks() == []


def test_an_unknown_backup_is_named(state):
    (state / "backups").mkdir()
    with pytest.raises(NotFound, match="there are: none"):
        chosen(state / "backups", None, utc_now())


def test_a_store_in_memory_cannot_be_copied(tmp_path):
    with pytest.raises(Unready):
        MemoryStore().back_up(tmp_path / "x")


def test_a_queue_at_rest_is_copied_by_its_own_program_and_nothing_older_goes(store, state):
    store.close()
    (state / "backups").mkdir()
    (state / "backups" / "20010101T000000Z.db").write_bytes(b"old")
    name = copy(state)
    assert names(state) == ["20010101T000000Z.db", name]


def test_a_queue_that_is_open_or_not_there_is_not_copied(state, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert copying(["--state", str(tmp_path / "none")]) == 1
    assert "no queue was here yet" in capsys.readouterr().err
    SqliteStore(state / "queue.db").close()
    with held(state):
        assert copying(["--state", str(state)]) == 1
    assert "in use" in capsys.readouterr().err


def test_a_copy_of_a_newer_release_is_refused_before_anything_is_touched(store, state, backups):
    backups.make()
    store.close()
    before = (state / "queue.db").read_bytes()
    (path,) = copies(state / "backups")
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    db.close()
    with pytest.raises(Unready, match="made by a newer release"):
        put_back(state, path, utc_now())
    assert (state / "queue.db").read_bytes() == before
