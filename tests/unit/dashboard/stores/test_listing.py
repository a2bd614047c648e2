"""How SQLite lists: which index leads, and what becomes of tasks that a release before wrote."""

import sqlite3
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dashboard import rules
from dashboard.record import Move, digest
from dashboard.stores import Sort, TaskFilter, listing
from dashboard.stores.listing import Bounds, Lead
from dashboard.stores.retention import Before
from dashboard.stores.schema import STEPS
from dashboard.stores.sqlite import SqliteStore
from wire.types import Exit, NewTask, SessionEnd, State
from wire.values import dump

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
BEFORE_LISTS = 8
"""Steps of the schema that the release before lists had."""


def record(number, title="harbour", spent=0):
    made = rules.draft(NewTask(title=f"{title} {number}"), f"{number:026}", NOW)
    return replace(made, task=replace(made.task, usd_micros_spent=spent))


def insert(db, made):
    sql = "INSERT INTO tasks (id, record, root, state, rank, suspended, fence) VALUES (?, ?, ?, ?, ?, 0, 0)"
    db.execute(sql, (made.task.id, dump(made).decode(), made.root, made.task.state.value, 4))


@pytest.fixture
def earlier(tmp_path):
    """A queue of 450 tasks that the release before lists wrote, the last one with a long description."""
    path = tmp_path / "queue.db"
    with sqlite3.connect(path) as db:
        for step in STEPS[:BEFORE_LISTS]:
            step(db)
        for number in range(1, 450):
            insert(db, record(number, spent=number % 2 * 100))
        text = b"a lighthouse"
        db.execute("INSERT INTO blobs VALUES (?, ?)", (digest(text), text))
        insert(db, replace(record(450), description=digest(text)))
        db.execute(f"PRAGMA user_version = {BEFORE_LISTS}")
    return path


def found(store, which, sort=Sort.NEWEST):
    return [int(r.task.id) for r in store.listing(which, sort=sort, limit=1000).records]


HARBOUR = TaskFilter(words="harbour")


def test_an_earlier_releases_tasks_are_indexed_a_few_at_a_time_and_the_listing_says_how_far(earlier):
    store = SqliteStore(earlier)
    assert (found(store, HARBOUR), store.listing(HARBOUR).indexed_from) == ([], "~")
    assert store.index_earlier()
    assert (found(store, HARBOUR), store.listing(HARBOUR).indexed_from) == ([*range(450, 250, -1)], f"{251:026}")
    while store.index_earlier():
        pass
    assert (found(store, HARBOUR), store.listing(HARBOUR).indexed_from) == ([*range(450, 0, -1)], None)
    assert found(store, TaskFilter(words="lighthouse")) == [450]
    assert found(store, TaskFilter(), Sort.COST) == [*range(449, 0, -2)]
    assert not SqliteStore(earlier).index_earlier()


def test_what_comes_while_earlier_tasks_are_indexed_is_found_once_and_in_its_place(earlier):
    store = SqliteStore(earlier)
    store.add(record(999))
    store.add(record(0))
    store.index_earlier()
    store.close()
    store = SqliteStore(earlier)
    while store.index_earlier():
        pass
    assert found(store, HARBOUR) == [0, 999, *range(450, 0, -1)]


def test_a_task_that_is_deleted_before_it_was_indexed_leaves_nothing_broken(earlier):
    store = SqliteStore(earlier)
    for number in (1, 450):
        store.change(f"{number:026}", Move(lambda r, _: rules.cancel(r, NOW)))
    assert store.prune(Before(tasks=9e9)).tasks == 2
    while store.index_earlier():
        pass
    assert found(store, HARBOUR) == [*range(449, 1, -1)]
    store.check()
    store.prove()


BEFORE_RETOLD = 13
"""Steps of the schema under which a title that changed was not indexed anew."""


def retitled(store_or_db, number):
    """An update as it is written for an alarm whose title changes, and its end."""
    made = record(number)
    changed = replace(made, task=replace(made.task, title="one long title of many words that nobody indexed"))
    cancelled = rules.cancel(changed, NOW)
    for each in (changed, cancelled):
        sql = "UPDATE tasks SET record = ?, state = ? WHERE id = ?"
        store_or_db.execute(sql, (dump(each).decode(), each.task.state.value, each.task.id))


@pytest.mark.parametrize("known", [BEFORE_RETOLD, len(STEPS)])
def test_a_queue_whose_titles_changed_is_sound_when_they_are_deleted(tmp_path, known):
    """Also where they changed under a release before."""
    with sqlite3.connect(tmp_path / "queue.db") as db:
        for step in STEPS[:known]:
            step(db)
        for number in range(1, 40):
            insert(db, record(number))
        for number in range(1, 39):
            retitled(db, number)
        db.execute(f"PRAGMA user_version = {known}")
    store = SqliteStore(tmp_path / "queue.db")
    while store.index_earlier():
        pass
    assert found(store, HARBOUR) == [39]
    assert found(store, TaskFilter(words="nobody")) == [*range(38, 0, -1)]
    assert store.prune(Before(tasks=9e9)).tasks == 38
    store.add(record(40))
    assert found(store, HARBOUR) == [40, 39]
    store.check()
    store.prove()


def test_the_release_before_writes_on_and_its_tasks_are_found(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    with sqlite3.connect(tmp_path / "queue.db") as before:
        insert(before, record(1))
        insert(before, record(2))
        before.execute("DELETE FROM tasks WHERE id = ?", (f"{2:026}",))
        ended = replace(record(1, spent=700), root=f"{1:026}")
        before.execute("UPDATE tasks SET record = ?, state = 'failed'", (dump(ended).decode(),))
    assert found(store, HARBOUR) == found(store, TaskFilter(), Sort.COST) == found(store, TaskFilter(least=700)) == [1]


def test_a_damaged_record_is_set_aside_by_a_listing_and_the_others_are_shown(tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    for number in (1, 2, 3):
        store.add(record(number))
    with store._writing() as db:
        db.execute("UPDATE tasks SET record = '{' WHERE id = ?", (f"{2:026}",))
    assert found(store, HARBOUR) == found(store, TaskFilter(least=0, words="harbour")) == [3, 1]
    assert store.damaged() == [f"{2:026}"]


def test_a_damaged_record_that_was_never_indexed_stops_no_other(earlier):
    with sqlite3.connect(earlier) as db:
        db.execute("UPDATE tasks SET record = '{' WHERE id = ?", (f"{300:026}",))
    store = SqliteStore(earlier)
    while store.index_earlier():
        pass
    assert found(store, HARBOUR) == [*range(450, 300, -1), *range(299, 0, -1)]


def test_a_claim_and_a_heartbeat_write_no_index(tmp_path):
    """They are the queue's most frequent writes. An end writes one row, when it cost anything."""
    store = SqliteStore(tmp_path / "queue.db")
    store.add(record(1))
    by = rules.Claimant(host="h", session_id="S1", ttl_s=60)
    end = SessionEnd(fence=1, exit=Exit.FAULT, usd_micros=5)
    written = []
    for move in (
        Move(lambda r, b: rules.claim(r, b, by, NOW), needs_budget=True),
        Move(lambda r, _: rules.heartbeat(r, 1, 60)),
        Move(lambda r, _: rules.end(r, "S1", end, rules.Left(), NOW)),
    ):
        before = store._db.total_changes
        store.change(f"{1:026}", move)
        written.append(store._db.total_changes - before)
    # Task, budget and session; the task; task, budget and cost.
    assert written == [3, 1, 3]


@pytest.mark.parametrize(
    ("which", "sort", "lead"),
    [
        (TaskFilter(), Sort.NEWEST, Lead.TIME),
        (TaskFilter(words="a"), Sort.NEWEST, Lead.WORDS),
        (TaskFilter(state=State.RUNNING, words="a"), Sort.NEWEST, Lead.STATE),
        (TaskFilter(state=State.DONE, label="x"), Sort.COST, Lead.COST),
        (TaskFilter(state=State.DONE, label="x"), Sort.NEWEST, None),
        (TaskFilter(least=1), Sort.NEWEST, None),
    ],
)
def test_an_index_leads_by_itself_or_is_counted_beside_others(which, sort, lead):
    assert listing.only_lead(which, sort) is lead


def test_the_index_that_leaves_fewest_leads_and_where_none_leaves_few_the_one_that_keeps_the_order():
    bounds = Bounds(looked=100, checked=10)
    which = TaskFilter(state=State.DONE, label="x", least=1)
    counts = {Lead.STATE: 90, Lead.LABEL: 100, Lead.COST: 3}
    assert listing.narrowest(which, counts, bounds) is Lead.COST
    assert listing.narrowest(which, {**counts, Lead.STATE: 100, Lead.COST: 100}, bounds) is Lead.LABEL
    searched = TaskFilter(state=State.DONE, words="a")
    assert listing.narrowest(searched, {Lead.WORDS: 100, Lead.STATE: 20}, bounds) is Lead.WORDS
    assert listing.narrowest(searched, {Lead.WORDS: 100, Lead.STATE: 9}, bounds) is Lead.STATE
    assert listing.narrowest(TaskFilter(least=1), {Lead.COST: 100}, bounds) is Lead.TIME


@pytest.mark.parametrize(
    ("which", "parts"),
    [(TaskFilter(words="harbour", most=4), [0, 0, 0, 1]), (TaskFilter(words="harbour", least=1, most=4), [1])],
)
def test_a_listing_that_finds_little_says_where_to_look_on_and_one_whose_index_leaves_few_need_not(
    tmp_path, which, parts
):
    store = SqliteStore(tmp_path / "queue.db", bounds=Bounds(looked=10, checked=10))
    for number in range(1, 41):
        store.add(record(number, spent=3 if number == 3 else 5))
    cursor, found = None, []
    while not found or cursor:
        part = store.listing(which, cursor=cursor, limit=2)
        found.append(len(part.records))
        cursor = part.cursor
    assert found == parts


@pytest.mark.parametrize("which", [TaskFilter(), TaskFilter(label="x"), TaskFilter(state=State.QUEUED)])
@pytest.mark.parametrize("sort", [Sort.NEWEST, Sort.OLDEST])
def test_a_walk_begins_at_its_cursor_and_not_at_the_end_of_its_index(which, sort, tmp_path):
    """With two bounds on one side, SQLite began at the further one: a second for a page deep in a million tasks."""
    lead = listing.only_lead(which, sort)
    walk = listing.walk(which, sort, lead, f"{5:026}", 10)
    with SqliteStore(tmp_path / "queue.db")._reading() as db:
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {walk.sql}", walk.values)]
    assert any(">? AND" in step and "<?" in step for step in steps)
    assert walk.values["first" if sort is Sort.OLDEST else "end"].strip() == f"{5:026}"


def test_words_that_are_never_together_are_looked_for_no_longer_than_a_moment(tmp_path):
    """Each is in half of all tasks: nothing is found, after all of the index was read."""
    times = iter(n / 100 for n in range(1000))
    bounds = Bounds(window=10, seconds=0.025)
    store = SqliteStore(tmp_path / "queue.db", bounds=bounds, monotonic=lambda: next(times))
    for number in range(1, 101):
        store.add(record(number, title="even" if number % 2 else "odd"))
    cursor, looks = None, 0
    while looks == 0 or cursor:
        part = store.listing(TaskFilter(words="even odd"), cursor=cursor)
        assert part.records == []
        cursor, looks = part.cursor, looks + 1
    # Ten windows, three of them in a look.
    assert looks == 4


@pytest.mark.parametrize(
    ("sort", "number", "seen"),
    [
        (Sort.NEWEST, None, [(6, 9), (2, 5), (-2, 1), (-3, -3)]),
        (Sort.OLDEST, None, [(-3, 0), (1, 4), (5, 8), (9, 9)]),
        (Sort.NEWEST, 2, [(-2, 1), (-3, -3)]),
        (Sort.OLDEST, 8, [(9, 9)]),
        (Sort.NEWEST, -3, []),
        (Sort.OLDEST, 9, []),
    ],
)
def test_windows_cover_all_that_is_left_and_each_number_once(sort, number, seen):
    assert [*listing.windows(sort, number, listing.Window(-3, 9), 4)] == seen


@pytest.mark.parametrize(
    "which", [TaskFilter(words="harbour"), TaskFilter(words="x"), TaskFilter(label="x"), TaskFilter()]
)
def test_no_listing_reads_a_table_from_end_to_end(tmp_path, which):
    """Of the least and the greatest number together SQLite read the whole table: 50 ms of a million tasks."""
    store = SqliteStore(tmp_path / "queue.db")
    for number in range(1, 4):
        store.add(record(number))
    with store._reading() as db:
        asked = []
        db.set_trace_callback(asked.append)
        store._readers.append(db)
        store.listing(which, cursor=f"{3:026}")
        db.set_trace_callback(None)
        plans = [row[3] for sql in asked if sql.startswith("SELECT") for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        store._readers.remove(db)
    assert len(asked) > 1
    assert not [plan for plan in plans if plan == "SCAN listed"]
