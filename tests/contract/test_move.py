"""A queue is moved out of its file into a table and back: counted, proven, and never lost between the two."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from dashboard import move as program
from dashboard import opening, role_lease, rules
from dashboard.record import Key, Lost, Move, Unready, digest
from dashboard.settings import Settings
from dashboard.stores.dynamodb import export, layout
from dashboard.stores.dynamodb.items import update
from dashboard.stores.dynamodb.moving import TableSide
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.moving import FileSide, require_same
from dashboard.stores.retention import Before
from dashboard.stores.sqlite import SqliteStore
from tests import dynamo
from wire.types import AskedBudget, Event, EventKind, Exit, NewTask, Question, SessionEnd, SyncOutcome, SyncRun
from wire.values import Invalid

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
SECONDS = NOW.timestamp()


def side(table):
    return TableSide(table, DynamoStore(table))


def add(store, number, key=None, blobs=(), **fields):
    new = NewTask(**{"title": f"task {number}", **fields})
    record = rules.draft(new, f"{number:026}", NOW, f"2:{number}")
    if blobs:
        record = replace(record, description=digest(blobs[0]))
    return store.add(record, blobs, key)[0].task.id


def claim(store, task_id, session):
    who = rules.Claimant(host="h", session_id=session, ttl_s=60)
    return store.change(task_id, Move(lambda record, left: rules.claim(record, left, who, NOW), needs_budget=True))


def end(store, held, code, left=rules.Left(), blobs=(), **fields):  # noqa: B008 - a value
    sent = SessionEnd(fence=held.task.fence, exit=code, usd_micros=700, **fields)
    return store.change(
        held.task.id, Move(lambda record, _: rules.end(record, held.session.id, sent, left, NOW)), blobs
    )


def event(n, **data):
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data={"usd_micros": 5, **data})


def stock(path):
    """A queue with something of each kind."""
    with closing(SqliteStore(path, targets=("mail", "chat"))) as store:
        family = add(store, 1, Key(key="k", digest="2:d"), blobs=[b"x" * 900_000], budget=AskedBudget(usd_micros=10**6))
        child = add(store, 2, parent=family, dedupe_key="w", labels=("night",))
        for session in ("S1", "S2"):
            held = claim(store, family, session)
            store.deliver(session, held.task.fence, [event(1), event(2, of="ü")])
            store.deliver(session, held.task.fence, [event(3, text="z" * 100_000)])
            left = rules.Left(checkpoint=digest(session.encode()))
            end(store, held, Exit.TURN_LIMIT, left, [session.encode()])
        held = claim(store, child, "S3")
        end(store, held, Exit.ASKED, question=Question(tool_use_id="tu", text="which? " * 300))
        end(store, claim(store, add(store, 3, dedupe_key="v"), "S4"), Exit.FAULT, reason="no bwrap")
        done = claim(store, add(store, 4), "S5")
        store.deliver("S5", 1, [event(1)])
        end(store, done, Exit.FINISHED)
        store.prune(Before(journals=SECONDS + 1))  # what its day cost is kept
        claim(store, add(store, 5, not_before="2026-05-13T12:00:00Z"), "S6")
        for n, outcome in enumerate((SyncOutcome.CHANGED, SyncOutcome.FAILED)):
            store.alarm({}, SyncRun(started_at=str(n), finished_at=str(n), outcome=outcome))
        store.mark("recurring:season", "2026-05-13T12:00:00Z")
        store.catch_up(("mail", "chat"), SECONDS)
        store.change_role("sync", role_lease.take("sync", "box", 60, 30))
        for version in range(2):
            store.keep("sync", 1, "base", bytes(range(256)) * 3000, version)


@pytest.fixture
def wire():
    return dynamo.Wire()


@pytest.fixture
def table(wire):
    made = dynamo.client(dynamo.address())
    with dynamo.table(made) as name:
        wire.watch(made)
        yield Table(made, name, pause=lambda _: None)


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    stock(folder / "queue.db")
    shutil.copytree(folder, tmp_path / "before")
    return folder


def setting(table):
    return f"{dynamo.address()}/{table.name}"


def into_table(state, table):
    return program.into_table(state, setting(table), table, NOW)


def into_file(state, table):
    return program.into_file(state, setting(table), table)


def require_nothing_opens(state, table):
    (state / "table_key").write_text("local:local\n")
    for name in ("", setting(table)):
        with pytest.raises((Lost, Invalid, Unready)):
            opening.opened(state, Settings(table=name), {"CREDENTIALS_DIRECTORY": str(state)}).close()


def test_a_table_that_holds_half_a_queue_is_opened_from_nowhere_else(state, table, wire, tmp_path):
    wire.faults.extend([*[None] * 9, kill])
    with pytest.raises(Killed):
        into_table(state, table)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "table_key").write_text("local:local\n")
    with pytest.raises(Unready, match="is being moved into"):
        opening.opened(elsewhere, Settings(table=setting(table)), {"CREDENTIALS_DIRECTORY": str(elsewhere)})


def test_a_queue_that_went_into_a_table_and_back_is_the_same(state, table, tmp_path):
    counts = "5 tasks, 6 sessions, 6 journal records, 4 notices, 2 blobs, 2 sync runs were read back and are equal"
    assert counts in into_table(state, table)
    assert not (state / "queue.db").exists()
    assert counts in into_file(state, table)
    before, after = FileSide(tmp_path / "before" / "queue.db"), FileSide(state / "queue.db")
    require_same(before, after)
    (kept,) = after.rest().kept.values()
    assert kept.version == 2
    assert before.identity == after.identity


def test_a_queue_that_left_a_table_does_not_go_back_into_it(state, table):
    into_table(state, table)
    into_file(state, table)
    with pytest.raises(Unready, match="holds a queue, or held one: make another, by jada:table"):
        into_table(state, table)
    # The file is the queue, as before.
    with closing(opening.opened(state, Settings())) as store:
        assert store.tasks()


def test_a_table_that_was_left_is_not_said_to_hold_the_queue_where_no_file_is_either(state, table):
    """So a release before left it, which moved it there once more."""
    into_table(state, table)
    side(table).leave()
    with pytest.raises(Unready, match="holds a queue, or held one"):
        into_table(state, table)
    into_file(state, table)
    with closing(opening.opened(state, Settings())) as store:
        assert store.tasks()


def test_work_goes_on_in_the_table_where_it_was(state, table):
    into_table(state, table)
    with closing(DynamoStore(table)) as store:
        assert add(store, 9, Key(key="k", digest="2:d")) == f"{1:026}"
        assert add(store, 10, dedupe_key="w") == f"{2:026}"
        assert [run.task.id for run in store.running()] == [f"{5:026}"]
        assert store.deliver("S6", 1, [event(1)]) == 1
        assert [each.id for each in store.sessions(f"{1:026}")] == ["S1", "S2"]
        assert [each.n for each in store.events("S1", after=1)] == [2, 3]
        assert claim(store, f"{1:026}", "S7").task.fence == 3
        assert store.last_success().finished_at == "0"


def test_a_dashboard_opens_the_place_that_the_queue_is_in_and_no_other(state, table):
    into_table(state, table)
    (state / "table_key").write_text("local:local\n")
    key = {"CREDENTIALS_DIRECTORY": str(state)}
    opening.opened(state, Settings(table=setting(table)), key).close()
    with pytest.raises(Lost):
        opening.opened(state, Settings(), key)
    into_file(state, table)
    opening.opened(state, Settings(), key).close()
    with pytest.raises((Invalid, Lost)):
        opening.opened(state, Settings(table=setting(table)), key)
    with pytest.raises(Lost, match="was moved out"):
        opening.opened(state.parent, Settings(table=setting(table)), key)


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


def kill(_carry_out):
    raise Killed


@pytest.mark.parametrize("writes", [0, 1, 4, 9, 15, 19])
@pytest.mark.parametrize("then", [into_table, into_file])
def test_a_move_that_was_killed_is_finished_or_taken_back_and_meanwhile_nothing_opens(
    state, table, wire, tmp_path, writes, then
):
    wire.faults.extend([*[None] * writes, kill])
    with pytest.raises(Killed):
        into_table(state, table)
    wire.faults.clear()
    require_nothing_opens(state, table)
    then(state, table)
    before = FileSide(tmp_path / "before" / "queue.db")
    if then is into_table:
        require_same(before, side(table))
    else:
        require_same(before, FileSide(state / "queue.db"))


def test_a_way_back_that_was_killed_is_gone_once_more(state, table, wire, tmp_path):
    into_table(state, table)
    wire.faults.append(kill)
    with pytest.raises(Killed):
        into_file(state, table)
    into_file(state, table)
    require_same(FileSide(tmp_path / "before" / "queue.db"), FileSide(state / "queue.db"))


@pytest.mark.parametrize("writes", [3, 6, 12])
def test_what_the_table_did_not_keep_is_found_and_the_file_stays_the_queue(state, table, wire, writes):
    def swallow(_carry_out):
        return dynamo.answer("{}")

    wire.faults.extend([*[None] * writes, swallow])
    with pytest.raises((Unready, LookupError)):
        into_table(state, table)
    assert (state / "queue.db").exists()
    assert side(table).identity() is None
    assert "taken back" in into_file(state, table)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (f"UPDATE tasks SET record = 'x' WHERE id = '{3:026}'", f"{3:026} cannot be read"),
        ("UPDATE notices SET record = 'x' WHERE target = 'mail'", "not moved, and would be lost: notice "),
        ("UPDATE sync_runs SET record = 'x' WHERE n = 1", "not moved, and would be lost: sync run 1"),
        ("UPDATE sessions SET record = 'x' WHERE id = 'S1'", "not moved, and would be lost: session S1"),
    ],
)
def test_what_cannot_be_read_is_named_and_not_left_behind(state, table, broken, named):
    with closing(sqlite3.connect(state / "queue.db")) as db, db:
        db.execute(broken)
    with pytest.raises((LookupError, Unready), match=named):
        into_table(state, table)
    assert (state / "queue.db").exists()
    assert side(table).identity() is None


def test_a_table_that_holds_another_queue_is_refused(state, table, tmp_path):
    DynamoStore(table).identity("another")
    with pytest.raises(Unready, match="holds a queue, or held one"):
        into_table(state, table)
    assert "taken back" in into_file(state, table)
    opening.opened(state, Settings()).close()


def test_a_move_that_was_made_is_said_and_not_made_again(state, table):
    into_table(state, table)
    assert "in the table already" not in into_file(state, table)
    assert "in the file queue.db already" in into_file(state, table)


def test_the_program_says_what_it_did_and_what_it_refuses(state, table, capsys, monkeypatch):
    (state / "table_key").write_text("local:local\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(state))
    command = ["--state", str(state), "--table", setting(table), "--to"]
    assert program.main([*command, "table"]) == 0
    assert "5 tasks" in capsys.readouterr().out
    assert program.main([*command, "table"]) == 0
    assert "in the table" in capsys.readouterr().out
    assert program.main(["--state", str(state.parent), "--table", setting(table), "--to", "table"]) == 1
    assert "no queue was here yet" in capsys.readouterr().err


# A copy beside those who work.


@pytest.fixture
def at_work(state, table):
    """A table that holds a queue, and the store over it."""
    into_table(state, table)
    with closing(DynamoStore(table)) as store:
        yield store


def test_a_copy_of_a_table_is_equal_to_it_in_all(at_work, table, tmp_path):
    at_work.back_up(tmp_path / "copy.db")
    with closing(FileSide(tmp_path / "copy.db", "")) as copy:
        assert require_same(side(table), copy).tasks == 5
        assert copy.identity == side(table).identity()
    assert [file.name for file in tmp_path.iterdir() if "half" in file.name] == []


class Busily(TableSide):
    """A table at work: whenever a task was read, something becomes of its family."""

    events = ()

    def task(self, task_id):
        whole = super().task(task_id)
        if self.events:
            self.events.pop()()
        return whole


def copied(table, events, path):
    """Copy a table at work into a file; return the file's records."""
    busy = Busily(table, DynamoStore(table))
    Busily.events = events[::-1]
    try:
        export.export(busy, path)
    finally:
        assert not Busily.events
    return FileSide(path, "")


def test_a_copy_made_while_its_tasks_are_worked_on_holds_all_and_its_budgets_fit_its_records(table, tmp_path):
    with closing(DynamoStore(table)) as store:
        store.identity("q" * 32)
        family = add(store, 1, budget=AskedBudget(sessions=3, usd_micros=10**6))
        children = [add(store, n, parent=family, budget=AskedBudget(usd_micros=400_000)) for n in (2, 3)]
        held = []
        events = [
            lambda: held.append(claim(store, children[0], "S1")),
            # While it is read: it is read again.
            lambda: store.change(children[0], Move(lambda record, _: rules.heartbeat(record, 1, 60))),
            lambda: end(store, held[0], Exit.FINISHED),
            lambda: held.append(claim(store, children[1], "S2")),
        ]
        with closing(copied(table, events, tmp_path / "copy.db")) as copy:
            records = [copy.task(name).record for name in copy.ids()]
            left = copy.task(family).budget
    assert len(records) == 3
    reserved = sum(record.reserved for record in records)
    assert left.reserved == reserved
    assert left.usd_micros == 10**6 - reserved - sum(record.task.usd_micros_spent for record in records)
    assert left.sessions == 3 - sum(record.task.sessions_used for record in records)


class Unlisted(TableSide):
    """A table whose tasks are on their way from list to list at each look."""

    def ids(self):
        return iter(())


def test_a_task_that_no_list_of_states_shows_while_it_goes_on_is_copied_too(table, tmp_path):
    with closing(DynamoStore(table)) as store:
        store.identity("q" * 32)
        claim(store, add(store, 1), "S1")
        export.export(Unlisted(table, store), tmp_path / "copy.db")
    with closing(FileSide(tmp_path / "copy.db", "")) as copy:
        assert len([*copy.ids()]) == 1


def test_a_copy_without_what_cannot_be_read_is_none(at_work, table, tmp_path):
    table.write(update(layout.task_key(f"{3:026}"), {"rec": b"no record"}))
    with pytest.raises(Unready, match=f"task {3:026}"):
        at_work.back_up(tmp_path / "copy.db")
    assert not [*tmp_path.glob("*copy.db*")]


def test_a_copy_is_given_up_when_the_dashboard_is_to_end(at_work, tmp_path):
    at_work.stop_long_reads()
    with pytest.raises(Unready, match="is ending"):
        at_work.back_up(tmp_path / "copy.db")
    assert not [*tmp_path.glob("*copy.db*")]


def test_a_table_without_a_queue_has_no_copy(table, tmp_path):
    with closing(DynamoStore(table)) as store, pytest.raises(Unready, match="holds no queue"):
        store.back_up(tmp_path / "copy.db")
