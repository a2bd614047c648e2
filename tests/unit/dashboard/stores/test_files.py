"""A queue's files change under it: it stops saying that it is ready, and never begins anew over one that was."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from dashboard.application import create, utc_now
from dashboard.queue import Queue
from dashboard.record import Busy, Damaged, Full, Lost, Unready, moment
from dashboard.settings import Notify, Settings
from dashboard.stores.files import marker
from dashboard.stores.retention import Before
from dashboard.stores.schema import STEPS
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.browser import Browser
from tests.tokens import accepting
from wire.secret import Secret
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd, SyncOutcome, SyncRun

TOKEN = Secret("a-token-of-the-tests")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "queue.db"


@pytest.fixture
def store(path):
    path.parent.mkdir()
    made = SqliteStore(path)
    yield made
    made.close()


@pytest.fixture
def ready(store):
    """What /readyz answers over the store: its status, and its detail."""
    with running(create(store, accepting(TOKEN))) as url:

        def ask():
            answer = urllib3.request("GET", f"{url}/readyz", retries=False)
            return answer.status, answer.json().get("detail", "")

        assert ask() == (200, "")
        yield ask


def beside(path, ending):
    return path.with_name(path.name + ending)


CHANGES = {"deleted": "rm $0", "renamed": "mv $0 $0.away", "replaced": "cp $0 $0.copy && mv $0.copy $0"}


# By processes of their own: to close a file here would drop SQLite's locks on it.
@pytest.mark.process
@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_is_not_the_one_opened_is_not_ready(ready, path, ending, change):
    subprocess.run(["sh", "-c", CHANGES[change], beside(path, ending)], check=True)
    status, detail = ready()
    assert status == 503
    assert f"{path.name}{ending} was {'replaced' if change == 'replaced' else 'deleted or renamed'}" in detail


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_file_that_was_cut_is_not_ready(ready, path, ending):
    os.truncate(beside(path, ending), 100)
    status, detail = ready()
    assert status == 503
    assert path.name in detail


@pytest.mark.process
@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ("DROP TABLE sessions", (503, "sessions")),
        ("DROP INDEX by_state", (503, "by_state is gone")),
        ("ALTER TABLE notices RENAME TO told", (503, "notices is gone")),
        ("CREATE TABLE tomorrow (id)", (200, "")),
    ],
)
def test_a_queue_that_lacks_a_part_of_its_schema_is_not_ready_and_one_with_more_is(ready, path, change, answer):
    by_another = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])"
    subprocess.run([sys.executable, "-c", by_another, path, change], check=True)
    status, detail = ready()
    assert (status, answer[1] in detail) == (answer[0], True), detail


@pytest.mark.process
def test_broken_pages_that_a_check_finds_are_not_ready(store, ready, path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint")
    damage(path)
    store.check()
    status, detail = ready()
    assert status == 503
    assert "damaged" in detail
    assert "restore the latest backup" in detail


def damage(path):
    """Overwrite the pages after the first; by a process of its own."""
    code = "import os, sys; fd = os.open(sys.argv[1], os.O_WRONLY); os.pwrite(fd, b'x' * 40000, 4096)"
    subprocess.run([sys.executable, "-c", code, path], check=True)


@pytest.mark.process
def test_after_an_unclean_stop_the_pages_are_checked_beside_the_first_requests(path):
    path.parent.mkdir()
    code = "import os, sys; from pathlib import Path; from dashboard.stores.sqlite import SqliteStore"
    code += "; SqliteStore(Path(sys.argv[1])); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    store = SqliteStore(path)
    assert store.unclean
    store.close()
    again = SqliteStore(path)
    assert not again.unclean
    again.close()


def test_too_little_room_is_not_ready(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", room=2**62)
    with pytest.raises(Unready, match="make room"):
        store.prove()
    store.close()


def test_a_locked_file_is_busy_and_changes_nothing(store, path):
    store._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with running(create(store, accepting(TOKEN))) as url:
        post = {"Authorization": f"Bearer {TOKEN.reveal()}"}
        answer = urllib3.request("POST", f"{url}/v1/tasks", json={"title": "t"}, headers=post, retries=False)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    other.execute("ROLLBACK")
    other.close()
    assert store.tasks() == []
    with pytest.raises(Busy):
        hold_and_prove(store, path)


def hold_and_prove(store, path):
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            store.prove()
        finally:
            other.execute("ROLLBACK")


def test_a_full_disk_is_507_and_what_was_acknowledged_stays(store):
    queue = Queue(store, Settings(), utc_now)
    kept = queue.add(NewTask(title="kept"))[0].id
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with running(create(store, accepting(TOKEN))) as url:
        post = {"Authorization": f"Bearer {TOKEN.reveal()}"}
        large = [{"title": "large", "description": str(n) * 8000} for n in range(5)]
        refused = [urllib3.request("POST", f"{url}/v1/tasks", json=body, headers=post).status for body in large]
        assert refused[-1] == 507
        with pytest.raises(Full):
            queue.add(NewTask(title="large", description="e" * 8000))
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert store.get(kept).task.title == "kept"
    assert queue.add(NewTask(title="again"))[1]
    store.prove()


def emptied(path):
    os.truncate(path, 0)


def another(path):
    path.unlink()
    marker(path).unlink()
    SqliteStore(path).close()
    marker(path).write_text("the-one-that-was-here\n")


def without_tables(path):
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close()


@pytest.mark.parametrize("change", [Path.unlink, emptied, another, without_tables])
def test_a_queue_that_is_gone_is_refused_and_not_begun_anew(store, path, change):
    store.close()
    change(path)
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(Lost):
        SqliteStore(path)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_queue_of_the_release_before_gets_its_id_and_its_marker(tmp_path):
    path = tmp_path / "queue.db"
    with sqlite3.connect(path, isolation_level=None) as db:
        for step in STEPS[:2]:
            step(db)
        db.execute("PRAGMA user_version = 2")
    store = SqliteStore(path)
    assert marker(path).read_text().strip() == store.id
    store.close()
    again = SqliteStore(path)
    assert again.id == store.id
    again.close()


def test_one_damaged_record_stops_neither_claims_nor_lists(store, path, clock):
    queue = Queue(store, Settings(), clock)
    broken, whole = (queue.add(NewTask(title=title, priority=p))[0].id for title, p in (("broken", 9), ("whole", 1)))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE tasks SET record = '{\"task\": 5' WHERE id = ?", (broken,))
    assert [task.id for task in queue.tasks()] == [whole]
    assert queue.claim(ClaimRequest(host="h")).task.id == whole
    with pytest.raises(Damaged, match=broken):
        queue.get(broken)
    queue.look()
    alarm = next(task for task in queue.tasks() if task.waiting)
    assert broken in alarm.waiting.text
    (kept,) = sqlite3.connect(path).execute("SELECT record FROM tasks WHERE id = ?", (broken,)).fetchone()
    assert kept == '{"task": 5'


def test_a_damaged_record_is_passed_over_by_the_claim_that_meets_it(store, path, clock):
    queue = Queue(store, Settings(), clock)
    broken, whole = (queue.add(NewTask(title=title, priority=p))[0].id for title, p in (("broken", 9), ("whole", 1)))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE tasks SET record = '[]' WHERE id = ?", (broken,))
    assert queue.claim(ClaimRequest(host="h")).task.id == whole
    assert store.damaged() == [broken]


def test_a_check_that_is_cut_off_by_the_end_finds_no_damage(store, clock):
    queue = Queue(store, Settings(), clock)
    for n in range(100):
        queue.add(NewTask(title=f"t{n}"))
    store.stop_long_reads()
    with pytest.raises(Unready, match="is ending"):
        store.check()
    store.prove()


def test_a_backup_is_whole_and_checked_and_leaves_no_half(store, tmp_path, clock):
    queue = Queue(store, Settings(), clock)
    added = {queue.add(NewTask(title=f"t{n}"))[0].id for n in range(50)}
    store.back_up(tmp_path / "copy.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert {row[0] for row in copy.execute("SELECT id FROM tasks")} == added
    assert copy.execute("SELECT value FROM meta WHERE key = 'store'").fetchone() == (store.id,)
    assert [file.name for file in tmp_path.glob("*.half")] == []


@pytest.mark.process
def test_a_backup_holds_what_the_lost_files_no_longer_do(store, path, tmp_path, clock):
    queue = Queue(store, Settings(), clock)
    kept = queue.add(NewTask(title="kept"))[0].id
    for ending in ("", "-wal", "-shm"):
        subprocess.run(["rm", beside(path, ending)], check=True)
    store.back_up(tmp_path / "copy.db")
    assert sqlite3.connect(tmp_path / "copy.db").execute("SELECT id FROM tasks").fetchall() == [(kept,)]


@pytest.mark.process
def test_a_copy_that_is_broken_gets_no_name(store, path, tmp_path):
    queue = Queue(store, Settings(), utc_now)
    for n in range(200):
        queue.add(NewTask(title=f"t{n}", description="d" * 3000))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint")
    damage(path)
    with pytest.raises(Unready):
        store.back_up(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def run(outcome=SyncOutcome.UNCHANGED, at="2026-05-13T12:00:00Z", **fields):
    return SyncRun(started_at=at, finished_at=at, outcome=outcome, **fields)


def break_row(path, sql, *values):
    with sqlite3.connect(path) as db:
        db.execute(sql, values)


def alarm_text(queue):
    queue.look()
    return next(task.waiting.text for task in queue.tasks() if task.dedupe_key == "alarm:damaged")


def test_a_damaged_sync_run_is_passed_over_and_named(store, path, clock):
    queue = Queue(store, Settings(), clock)
    for read in (1, 2, 3):
        queue.report(run(rows_read=read))
    break_row(path, "UPDATE sync_runs SET record = '[]' WHERE n = 3")
    assert [run.rows_read for run in store.sync_runs(limit=1)] == [2]
    assert store.last_success().rows_read == 2
    assert "sync run 3" in alarm_text(queue)


def test_a_damaged_sync_run_goes_with_what_was_reported_after_it(store, path, clock):
    queue = Queue(store, Settings(freshness_minutes=0), clock)
    for day in (1, 2, 3, 13):
        queue.report(run(at=f"2026-05-{day:02}T12:00:00Z"))
    break_row(path, "UPDATE sync_runs SET record = '{' WHERE n IN (2, 3)")
    assert len(store.sync_runs()) == 2
    store.prune(Before(sync_runs=moment("2026-05-02T13:00:00Z", "at").timestamp()))
    assert store.damaged() == ["sync run 2", "sync run 3"]
    queue.report(run())
    break_row(path, "UPDATE sync_runs SET record = replace(record, '-13T', '-04T') WHERE n = 4")
    store.prune(Before(sync_runs=moment("2026-05-05T13:00:00Z", "at").timestamp()))
    assert store.damaged() == []


def test_a_damaged_session_is_passed_over_and_named_and_its_page_is_shown(store, path, clock):
    queue = Queue(store, Settings(), clock)
    task = queue.add(NewTask(title="t"))[0].id
    first, second = (end_by_handing_over(queue, clock) for _ in range(2))
    break_row(path, "UPDATE sessions SET record = '{\"id\": 5}' WHERE id = ?", first)
    with running(create(store, accepting(TOKEN), Settings(), clock)) as url:
        see = Browser(url, TOKEN)
        for page, status in ((f"/tasks/{task}", 200), (f"/sessions/{first}", 404), ("/", 200)):
            assert see("GET", page).status == status, page
    assert [session.id for session in store.sessions(task)] == [second]
    assert f"session {first}" in alarm_text(queue)


def end_by_handing_over(queue, clock):
    claim = queue.claim(ClaimRequest(host="h"))
    end = SessionEnd(fence=claim.lease.fence, exit=Exit.TURN_LIMIT, checkpoint="so far")
    queue.end(claim.session.id, end)
    clock.go_on(seconds=1)
    return claim.session.id


def test_a_task_that_broke_among_recent_sessions_costs_the_front_page_nothing(store, path, clock):
    queue = Queue(store, Settings(), clock)
    task = queue.add(NewTask(title="t"))[0].id
    end_by_handing_over(queue, clock)
    break_row(path, "UPDATE tasks SET record = '{' WHERE id = ?", task)
    assert store.recent_sessions("", limit=5) == []
    assert store.damaged() == [task]


def test_a_damaged_notice_holds_no_other_up_and_is_named(path, clock):
    path.parent.mkdir()
    store = SqliteStore(path, targets=("mail",))
    queue = Queue(store, Settings(notify=Notify(targets=("mail",)), freshness_minutes=0), clock)
    queue.report(run(SyncOutcome.FAILED, token_dies_at="2026-05-13T13:00:00Z"))
    break_row(path, "UPDATE notices SET record = '{' WHERE record LIKE '%out of step%'")
    assert any("about to die" in message.subject for message in queue.due_messages())
    assert "notice " in alarm_text(queue)
    store.close()
