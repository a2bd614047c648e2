"""What SQLite alone has to prove: processes that race, a kill, and files of other releases."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from dashboard import rules
from dashboard.queue import Queue
from dashboard.record import Move, digest
from dashboard.settings import Settings
from dashboard.stores import retention
from dashboard.stores.journal import Unreadable, Used
from dashboard.stores.retention import Before, Freed
from dashboard.stores.schema import STEPS
from dashboard.stores.sqlite import SqliteStore
from wire.types import Batch, ClaimRequest, Event, EventKind, NewTask, State

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)


def queue(path):
    return Queue(SqliteStore(path), Settings(), lambda: NOW)


def claim_all(path, out):
    mine = queue(path)
    try:
        while claim := mine.claim(ClaimRequest(host=str(os.getpid()))):
            out.put((claim.task.id, claim.lease.fence))
    finally:
        out.put(None)


@pytest.mark.process
def test_four_processes_claim_200_tasks_each_exactly_once(tmp_path):
    path = tmp_path / "queue.db"
    ours = queue(path)
    added = {ours.add(NewTask(title=f"task {n}"))[0].id for n in range(200)}
    spawn = multiprocessing.get_context("fork")
    out = spawn.Queue()
    workers = [spawn.Process(target=claim_all, args=(path, out)) for _ in range(4)]
    for worker in workers:
        worker.start()
    won = [claim for _ in workers for claim in iter(out.get, None)]
    for worker in workers:
        worker.join(60)
    assert len(won) == 200
    assert {task_id for task_id, _ in won} == added
    assert {fence for _, fence in won} == {1}


WRITER = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from dashboard import rules
from dashboard.queue import Queue
from dashboard.record import Move, digest
from dashboard.settings import Settings
from dashboard.stores.sqlite import SqliteStore
from wire.types import ClaimRequest, NewTask
queue = Queue(SqliteStore(Path(sys.argv[1])), Settings(), lambda: datetime.now(UTC))
for n in itertools.count():
    queue.add(NewTask(title=f"task {n}"))
    print(queue.claim(ClaimRequest(host="h")).task.id, flush=True)
"""


@pytest.mark.process
def test_a_kill_in_the_middle_keeps_every_acknowledged_write(tmp_path):
    path = tmp_path / "queue.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    acknowledged = [writer.stdout.readline().strip() for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait(60)
    store = SqliteStore(path)
    assert {store.get(task_id).task.state for task_id in acknowledged if len(task_id) == 26} == {State.RUNNING}
    assert [row[0] for row in sqlite3.connect(path).execute("PRAGMA integrity_check")] == ["ok"]


def test_the_file_is_durable_and_knows_its_schema(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    assert store._rows("PRAGMA journal_mode") == [("wal",)]
    assert store._rows("PRAGMA synchronous") == [(2,)]
    assert store._rows("PRAGMA user_version") == [(len(STEPS),)]


def test_opening_again_changes_nothing_and_loses_nothing(tmp_path):
    task, _ = queue(tmp_path / "queue.db").add(NewTask(title="t"))
    assert SqliteStore(tmp_path / "queue.db").get(task.id).task == task


@pytest.mark.parametrize(("suspended_only", "index"), [(False, "ready"), (True, "resumable")])
def test_claims_walk_an_index_and_sort_nothing_however_deep_the_queue(tmp_path, suspended_only, index):
    store, asked = SqliteStore(tmp_path / "queue.db"), []
    store.candidates(0)
    store._db.set_trace_callback(asked.append)
    store.candidates(0, suspended_only=suspended_only)
    store._db.set_trace_callback(None)
    plan = [row[3] for row in store._rows(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert [step.split("INDEX ")[1].split()[0] for step in plan if "INDEX" in step] == [index, "timed"]
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_long_read_holds_no_writer_up(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    reader = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM tasks").fetchone()
    ours = Queue(store, Settings(), lambda: NOW)
    task, _ = ours.add(NewTask(title="t"))
    with store._writing():
        assert store.get(task.id).task.title == "t"


def journal_of(path, records=0, size=0):
    """A queue with a running session, and so many delivered records of so many characters."""
    ours = queue(path)
    ours.add(NewTask(title="t"))
    held = ours.claim(ClaimRequest(host="h"))
    events = tuple(
        Event(n=n, at="x", kind=EventKind.MESSAGE, data={"content": "x" * size}) for n in range(1, records + 1)
    )
    ours.deliver(held.session.id, Batch(fence=1, events=events))
    return ours.store, held.session.id


def test_a_part_of_a_long_journal_is_read_without_the_rest(tmp_path):
    store, session = journal_of(tmp_path / "queue.db", records=1000, size=10_000)
    before = bytes_read()
    part = store.passage(session, size=100_000)
    assert [event.n for event in part] == [*range(991, 1001)]
    assert bytes_read() - before < 300_000
    before = bytes_read()
    assert len(store.events(session)) == 1000
    assert bytes_read() - before > 10_000_000


def bytes_read():
    """What this thread has read from files so far."""
    return int(Path("/proc/thread-self/io").read_text().split()[1])


def test_what_is_damaged_in_a_journal_is_named_and_the_rest_is_read(tmp_path):
    store, session = journal_of(tmp_path / "queue.db", records=21, size=10_000)
    with sqlite3.connect(tmp_path / "queue.db") as db:
        names = [name for (name,) in db.execute("SELECT sha256 FROM deliveries ORDER BY first")]
        db.execute("UPDATE blobs SET content = x'ff' WHERE sha256 = ?", names[:1])
        db.execute("DELETE FROM blobs WHERE sha256 = ?", names[1:2])
        text = "replace(CAST(content AS TEXT), '\"n\":15,', '\"n\":null,')"
        db.execute(f"UPDATE blobs SET content = CAST({text} AS BLOB) WHERE sha256 = ?", names[2:3])
        db.execute("UPDATE blobs SET content = zeroblob(9000000) WHERE sha256 = ?", names[3:4])
    found = store.passage(session, size=10**8)
    assert [(r.n, r.last) for r in found if isinstance(r, Unreadable)] == [(1, 6), (7, 12), (15, 15), (19, 21)]
    assert [r.n for r in found if isinstance(r, Event)] == [13, 14, 16, 17, 18]


def test_what_running_sessions_used_is_counted_when_an_earlier_releases_file_is_opened(tmp_path):
    path = tmp_path / "queue.db"
    store, session = journal_of(path)
    settled = [Event(n=n, at="x", kind=EventKind.SETTLE, data={"usd_micros": 5}) for n in (1, 2)]
    store.deliver(session, 1, [*settled, Event(n=3, at="x", kind=EventKind.MESSAGE)])
    store.close()
    with sqlite3.connect(path) as db:
        for statement in (
            "DROP INDEX members",
            "DROP INDEX keys_of",
            "DROP INDEX cancelled_leased",
            "DROP TABLE unnamed",
            "DROP TABLE spent",
            "DROP TABLE aside",
            "DROP TABLE roles",
            "DROP TABLE kept",
            "DROP TABLE days",
        ):
            db.execute(statement)
        for trigger in ("added", "changed", "deleted", "retold"):
            db.execute(f"DROP TRIGGER listed_{trigger}")
        for table in ("listed", "words", "labels", "costs"):
            db.execute(f"DROP TABLE {table}")
        db.execute("ALTER TABLE deliveries DROP COLUMN tokens")
        db.execute("ALTER TABLE deliveries DROP COLUMN turns")
        db.execute("ALTER TABLE deliveries DROP COLUMN usd_micros")
        db.execute("INSERT INTO deliveries VALUES (?, 4, 4, 'gone'), (?, 5, 5, 'broken')", (session, session))
        db.execute("INSERT INTO blobs VALUES ('broken', x'ff')")
        db.execute("PRAGMA user_version = 5")
    assert SqliteStore(path).used(session) == Used(2, 10)


def test_what_is_put_again_while_unnamed_blobs_are_deleted_stays(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    add(store, 1, b"named anew")
    store.change(f"{1:026}", Move(lambda record, _: replace(record, result=None)))
    store.close()
    seen = []

    class Busy(SqliteStore):
        """A store that is given a task between its two looks at what nothing names."""

        def _writing(self):
            if not seen:
                seen.append(True)
                add(other, 2, b"named anew")
            return super()._writing()

    other, store = SqliteStore(tmp_path / "queue.db"), Busy(tmp_path / "queue.db")
    assert store.prune(Before()) == Freed()
    assert (seen, store.blobs([digest(b"named anew")])) == ([True], {digest(b"named anew"): b"named anew"})


def test_what_is_put_on_the_list_of_what_will_be_deleted_leaves_it(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    name = digest(b"put again")
    with store._writing() as db:
        db.execute("INSERT INTO unnamed VALUES (?), ('other')", (name,))
    add(store, 1, b"put again")
    with store._writing() as db:
        assert retention.delete_unnamed(db, [name]) == []
    assert store._rows("SELECT sha256 FROM unnamed") == [("other",)]


def add(store, number, result):
    """Add a task that names a blob."""
    record = rules.draft(NewTask(title="t"), f"{number:026}", NOW, "d")
    store.add(replace(record, result=digest(result)), [result])


def test_names_in_records_that_are_damaged_or_of_a_newer_release_keep_their_blobs(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    for number in (1, 2, 3):
        add(store, number, str(number).encode())
    with store._writing() as db:
        db.execute("UPDATE tasks SET record = substr(record, 2) WHERE id = ?", (f"{1:026}",))
        moved = (
            "json_set(record, '$.result', NULL, '$.of_tomorrow', json_object('x', json_extract(record, '$.result')))"
        )
        db.execute(f"UPDATE tasks SET record = {moved} WHERE id = ?", (f"{2:026}",))
        db.execute("UPDATE tasks SET record = json_set(record, '$.result', NULL) WHERE id = ?", (f"{3:026}",))
    assert store.prune(Before(tasks=9e9, journals=9e9)) == Freed(blobs=1, blob_bytes=1)
    assert len(store.blobs([digest(b"1"), digest(b"2")])) == 2


def test_one_record_that_is_broken_keeps_no_other(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    for number in (1, 2):
        add(store, number, b"x")
        store.change(f"{number:026}", Move(lambda record, _: rules.cancel(record, NOW)))
    with store._writing() as db:
        db.execute("UPDATE tasks SET record = '{' WHERE id = ?", (f"{1:026}",))
    assert store.prune(Before(tasks=9e9)).tasks == 1
    assert store._rows("SELECT id FROM tasks") == [(f"{1:026}",)]


def test_a_prune_is_made_of_small_writes(tmp_path):
    store, asked = SqliteStore(tmp_path / "queue.db"), []
    for number in range(1, 131):
        add(store, number, str(number).encode())
        store.change(f"{number:026}", Move(lambda record, _: rules.cancel(record, NOW)))
    store._db.set_trace_callback(asked.append)
    assert (freed := store.prune(Before(tasks=9e9))).tasks == 130
    assert freed.blobs == 130
    # Three of 50 families, the list, two of 100 blobs, the list again.
    assert asked.count("COMMIT") == 7


def test_the_queue_says_how_large_it_is_and_what_of_it_is_free(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    before = store.room()
    add(store, 1, b"x" * 1_000_000)
    full = store.room()
    assert full.size - before.size > 900_000 > full.unused
    store.change(f"{1:026}", Move(lambda record, _: rules.cancel(record, NOW)))
    store.prune(Before(tasks=9e9))
    assert store.room().unused > 900_000
    assert 0 < full.disk < 2**60


LANDED = """
    INSERT INTO tasks VALUES ('01TASK', '01TASK', 'queued', 4, 1, NULL, NULL, 'w', 5, 5000000, 1, 700, 0,
        '{"task": {"id": "01TASK", "title": "t", "description": "what is to be done", "state": "queued",
          "priority": 5, "budget": {"sessions": 5, "usd_micros": 5000000}, "version": 3, "created_at": "x",
          "updated_at": "y", "fence": 1, "sessions_used": 1, "usd_micros_spent": 700, "dedupe_key": "w",
          "context": [{"name": "a.csv", "size": 3}]}, "root": "01TASK",
          "pool": {"sessions": 5, "usd_micros": 5000000}, "reserved": 0, "lease_until": null,
          "session": {"id": "S1", "task": "01TASK", "host": "h", "started_at": "x", "updated_at": "y", "exit": 143,
          "suspended": true, "reason": "", "turns": 2, "usd_micros": 700}, "ended_fence": 1, "answers": [],
          "notes": [], "digest": "abc"}');
    INSERT INTO keys VALUES ('k', 'abc', '01TASK');
    INSERT INTO files VALUES ('01TASK', 'context', 0, 'a.csv', x'312C32');
    INSERT INTO checkpoints VALUES ('01TASK', 'so far');
    INSERT INTO sessions VALUES ('S1', '01TASK', '{"id": "S1", "task": "01TASK", "host": "h", "started_at": "x",
        "updated_at": "y", "exit": 143, "suspended": true, "reason": "", "turns": 2, "usd_micros": 700}');
    INSERT INTO events VALUES ('S1', 1, 'x', 'header', '{"model": "m"}'), ('S1', 2, 'x', 'suspend', '{}')
"""


def test_what_the_first_schema_held_is_all_there_after_the_step(tmp_path):
    path = tmp_path / "queue.db"
    with sqlite3.connect(path) as landed:
        STEPS[0](landed)
        for statement in LANDED.split(";"):
            landed.execute(statement)
        landed.execute("PRAGMA user_version = 1")
    ours = queue(path)
    claim = ours.claim(ClaimRequest(host="h", suspended_only=True))
    assert (claim.task.description, claim.checkpoint, claim.session.id) == ("what is to be done", "so far", "S1")
    assert [(file.name, file.content) for file in claim.context] == [("a.csv", b"1,2")]
    assert claim.session.usd_micros == 5_000_000
    assert [event.kind for event in ours.store.events("S1")] == ["header", "suspend"]
    assert ours.deliver("S1", Batch(fence=2, events=(Event(n=3, at="x", kind=EventKind.END),))).n == 3
    digest = ours.store._rows("SELECT digest FROM keys")
    assert digest == [("1:abc",)]
    assert ours.store.get("01TASK").digest == "1:abc"


def test_a_newer_releases_file_is_read_and_its_keys_survive_our_writes(tmp_path):
    path = tmp_path / "queue.db"
    ours = queue(path)
    task, _ = ours.add(NewTask(title="t"))
    with sqlite3.connect(path) as newer:
        newer.execute("ALTER TABLE tasks ADD COLUMN colour TEXT DEFAULT 'red'")
        newer.execute("UPDATE tasks SET record = json_set(record, '$.mood', 'good', '$.task.budget.patience', 3)")
        newer.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    assert queue(path).claim(ClaimRequest(host="h")).task.id == task.id
    with sqlite3.connect(path) as newer:
        kept = newer.execute("SELECT json_extract(record, '$.mood', '$.task.budget.patience'), colour FROM tasks")
        assert kept.fetchone() == ('["good",3]', "red")
        assert newer.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        SqliteStore(tmp_path / "gone" / "queue.db")
