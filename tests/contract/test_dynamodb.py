"""The store over DynamoDB beyond what all stores have in common: what it costs, and what goes wrong below it."""

import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from math import ceil

import pytest
from msgspec.structs import replace

from bench import scale, table
from dashboard import rules
from dashboard.caps import DayUse
from dashboard.queue import Queue
from dashboard.record import Busy, Conflict, FamilyBusy, Key, Move, NotClaimable, NotFound, Unready, digest
from dashboard.settings import FleetCaps, Settings
from dashboard.stores import NoticeFilter
from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.items import Key as Place
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.retention import Before
from local import dynamodb, tools
from local.steps import Steps
from tests import dynamo
from wire.types import (
    AskedBudget,
    Batch,
    ClaimRequest,
    Event,
    EventKind,
    Exit,
    FileInfo,
    NewTask,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
    Wait,
)
from wire.values import Invalid, dump

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
SECONDS = NOW.timestamp()


@pytest.fixture
def wire():
    return dynamo.Wire()


@pytest.fixture
def store(wire):
    with closing(dynamo.store(wire, targets=("mail",))) as made:
        yield made


def task(number, **fields):
    new = NewTask(**{"title": f"Count the rooms of house {number}, and say which are free in May", **fields})
    return rules.draft(new, f"{number:026}", NOW, f"2:{digest(str(number).encode())}")


def add(store, number, key=None, **fields):
    return store.add(task(number, **fields), key=key)[0].task.id


def claim(store, task_id, session="01JV4Z0000000000000000000S", **by):
    who = rules.Claimant(host="jada-orchestrator-1", session_id=session, ttl_s=120, **by)
    return store.change(task_id, Move(lambda record, budget: rules.claim(record, budget, who, NOW), needs_budget=True))


def beat(store, held):
    return store.change(held.task.id, Move(lambda record, _: rules.heartbeat(record, held.task.fence, 120)))


def end(store, held, code=Exit.FINISHED, left=rules.Left(), blobs=(), **fields):  # noqa: B008 - a value
    sent = SessionEnd(fence=held.task.fence, exit=code, turns=30, **{"usd_micros": 812_345, **fields})
    move = Move(lambda record, _: rules.end(record, held.session.id, sent, left, NOW))
    return store.change_by_session(held.session.id, move, blobs)


def take_over(store, held, session="S9"):
    """Claim what another holds, as a server does that has seen its lease end."""
    return claim(store, held.task.id, session, past={held.holder: held})


def event(n, **data):
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.STREAM, data=data)


# What it costs.


def units(wire, do):
    """The write units that something takes."""
    before = wire.units["write"]
    do()
    return wire.units["write"] - before


def test_a_task_takes_twenty_write_units_at_the_most_besides_heartbeats(store, wire):
    result = b"All 212 rooms were counted; 14 are free. " * 20

    def work():
        key = Key(key="0b7e6f2e-6a5c-4f0e-9d2b-2f1f0c9a7a11", digest="2:" + "a" * 64)
        held = claim(store, add(store, 1, key, dedupe_key="count-the-rooms", labels=("night", "rooms")))
        left = rules.Left(short_result=result.decode()[:800])
        assert end(store, held, left=left).task.state is State.DONE

    assert units(wire, work) <= 20


def test_a_plain_task_and_a_long_one_cost_this_much(store, wire):
    def plain():
        end(store, claim(store, add(store, 1)))

    def long():
        text = random.Random(1).randbytes(4096)
        store.add(replace(task(2), description=digest(text)), [text])
        held = claim(store, task(2).task.id, "01JV4Z0000000000000000000T")
        end(store, held, left=rules.Left(result=digest(text[::-1])), blobs=[text[::-1]])

    # The figures of docs/scale.md.
    assert units(wire, plain) <= 12
    assert units(wire, long) <= 12 + 2 * (5 + 1)


@pytest.mark.parametrize(("cap", "most"), [(0, 17), (60, 19)], ids=["without a cap of the day", "with one"])
def test_a_subtask_takes_no_more_than_twenty_write_units_as_the_worker_makes_and_ends_it(store, wire, cap, most):
    given = Settings(table="eu-west-1/queue", fleet=FleetCaps(sessions_per_day=cap, usd_per_day=cap))
    queue = Queue(store, given, lambda: NOW)
    parent = queue.add(NewTask(title="Count both", budget=AskedBudget(sessions=5, usd_micros=5_000_000)), "k")[0]
    held = queue.claim(ClaimRequest(host="h"), "0")
    sub = NewTask(title="Count the beds of house 3", description="All floors.", parent=parent.id, id=f"{2:026}")
    taken = units(wire, lambda: queue.add(sub, "toolu_01"))
    # Another one keeps the parent waiting: what wakes it is its own.
    queue.add(replace(sub, id=f"{3:026}"), "toolu_02")
    asked = Wait(tool_use_id="tu_1", tasks=(sub.id, f"{3:026}"))
    queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.SUBTASKS, turns=2, usd_micros=9, wait=asked))
    claims = []
    taken += units(wire, lambda: claims.append(queue.claim(ClaimRequest(host="h"), "1")))
    queue.deliver(claims[0].session.id, Batch(fence=1, events=turn(1)))
    sent = SessionEnd(fence=1, exit=Exit.FINISHED, turns=30, usd_micros=27_000, result="7 beds")
    taken += units(wire, lambda: queue.end(claims[0].session.id, sent))
    assert queue.get(sub.id).state is State.DONE
    # Its parent hears that one less is waited for.
    assert taken <= most + 1
    assert store.budget(parent.id).reserved == 0


def test_the_simulation_goes_by_what_operations_really_take():
    taken = table.measured(dynamo.client(dynamo.address()))
    added = taken["add with an Idempotency-Key"]
    assert (added.writes, taken["claim"].writes, taken["end"].writes) == (scale.ADD, scale.CLAIM, scale.END)
    assert (taken["heartbeat"].writes, taken["a batch of the journal"].writes) == (scale.BEAT, scale.BATCH)
    assert taken["claim"].reads <= scale.ASK_READS + scale.CLAIM_READS
    assert taken["end"].reads <= scale.END_READS
    assert taken["a batch of the journal"].reads <= scale.BATCH_READS
    assert taken["claim"].calls <= scale.CLAIM_CALLS


def test_a_heartbeat_takes_one_unit_because_no_index_hears_of_it(store, wire):
    held = claim(store, add(store, 1))
    assert units(wire, lambda: beat(store, held)) == 1


def test_a_record_keeps_below_a_kilobyte_however_long_its_texts_are(store):
    held = claim(store, add(store, 1, description="x" + "".join(map(str, range(250)))))
    note = "".join(map(str, range(1000)))
    waits = end(store, held, Exit.STUCK, reason=note)
    item = store._table.get(layout.task_key(waits.task.id))
    assert sum(len(name) + len(str(value)) for name, value in item.items() if name != "rec") + len(item["rec"]) <= 1024
    assert store.get(waits.task.id) == waits


def test_a_familys_root_keeps_below_a_kilobyte_while_a_subtask_of_it_changes_its_budget(store):
    key = Key(key="0b7e6f2e-6a5c-4f0e-9d2b-2f1f0c9a7a11", digest=task(1).digest)
    parent = add(store, 1, key, budget=AskedBudget(sessions=50, usd_micros=900_000_000))
    for n in range(5):
        end(store, claim(store, parent, f"01JV4Z00000000000000000{n:03}"), Exit.TURN_LIMIT, usd_micros=1)
    child = add(store, 2, parent=parent, budget=AskedBudget(usd_micros=500_000_000))
    claim(store, child, "01JV4Z00000000000000000100")
    item = store._table.get(layout.task_key(parent))
    assert "pb" in item
    assert size(item) <= 1024


def size(item):
    """Bytes of an item, as DynamoDB reckons them; of a number about half its digits, of a list three and its items."""

    def of(value):
        if isinstance(value, list):
            return 3 + sum(1 + of(each) for each in value)
        return len(value) if isinstance(value, (str, bytes)) else 2 + len(str(value)) // 2

    return sum(len(name) + of(value) for name, value in item.items())


def turn(n):
    """The records of a turn: an answer of some hundred words, and a call with its result."""
    words = " ".join(
        random.Random(n).choice(["room", "free", "May", "house", "counted", str(n * i)]) for i in range(300)
    )
    settle = {"usd_micros": 27_000, "usage": {"input_tokens": 31_000 + n, "output_tokens": 400}, "text": words}
    return [
        replace(event(3 * n - 2), kind=EventKind.SETTLE, data=settle),
        event(3 * n - 1, command=f"grep -c free rooms-{n}.csv"),
        event(3 * n, output=words[::-1]),
    ]


def test_a_journal_takes_one_unit_for_each_compressed_kilobyte_of_a_batch(store, wire):
    held = claim(store, add(store, 1))
    turns = [turn(n) for n in range(1, 31)]
    taken = units(wire, lambda: [store.deliver(held.session.id, 1, events) for events in turns])
    texts = [b"[" + b",".join(dump(each) for each in events) + b"]" for events in turns]
    # With its key and what it used, which are a part of each item: some ninety bytes.
    assert taken <= sum(ceil((len(zlib.compress(text, 9)) + 90) / 1024) for text in texts)


def test_what_is_used_of_a_day_says_when_it_is_needed_no_more(store):
    store.change_day("2026-05-13", lambda _: DayUse(1, 500))
    store.change_day("2026-05-13", lambda old: DayUse(old.sessions + 1, old.usd_micros))
    gone = store._table.get(Place("DAYS", "2026-05-13"))[layout.GONE_AT]
    assert datetime.fromtimestamp(gone, UTC).isoformat() == "2026-06-22T00:00:00+00:00"
    assert store.day("2026-05-13") == DayUse(2, 500)


def test_nothing_ever_reads_the_whole_table(store, wire, tmp_path):
    store.identity("q" * 32)
    held = claim(store, add(store, 1, dedupe_key="k"))
    store.deliver(held.session.id, 1, [event(1)])
    end(store, held, Exit.FAULT)
    store.alarm({"alarm:x": lambda old: old}, SyncRun(started_at="x", finished_at="y", outcome=SyncOutcome.FAILED))
    looks = (
        lambda: store.candidates(SECONDS),
        lambda: store.census(SECONDS),
        store.listing,
        lambda: store.recent_sessions("0", limit=5),
        lambda: store.spent(""),
        lambda: store.notices(NoticeFilter(due=SECONDS)),
        lambda: store.catch_up(["mail", "chat"], SECONDS),
        lambda: store.prune(Before(tasks=SECONDS + 1, journals=SECONDS + 1, sync_runs=SECONDS)),
        store.running,
        store.leased,
        store.damaged,
        lambda: store.back_up(tmp_path / "copy.db"),
        store.prove,
        store.check,
    )
    for look in looks:
        look()
    assert not set(wire.calls) & {"Scan", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"}
    assert wire.calls["Query"]


def test_a_claim_asks_for_no_more_when_the_queue_is_long(store, wire):
    def calls():
        before = wire.calls.total()
        claim(store, store.candidates(SECONDS, limit=4)[0].id, f"S{before}")
        return wire.calls.total() - before

    for number in range(1, 6):
        add(store, number)
    short = calls()
    for number in range(6, 100):
        add(store, number)
    assert calls() == short


# What goes wrong below it.


@pytest.mark.parametrize("fault", ["throttled", "500", "500 after", "lost after"])
@pytest.mark.parametrize("twice", [1, 2])
def test_a_write_that_is_sent_again_is_done_once(store, wire, fault, twice):
    parent = add(store, 1, budget=AskedBudget(sessions=3, usd_micros=1_000_000))
    steps = (
        lambda: store.add(task(2, parent=parent, dedupe_key="w"), key=Key(key="k", digest="2:d")),
        lambda: store.add(task(3)),
        lambda: claim(store, parent, "S1"),
        lambda: beat(store, store.get(parent)),
        lambda: store.deliver("S1", 1, [event(1)]),
        lambda: end(store, store.get(parent)),
        lambda: claim(store, task(3).task.id, "S2"),
    )
    for step in steps:
        wire.faults.extend([fault] * twice)
        step()
        wire.faults.clear()
    assert store.get(parent).task.state is State.DONE
    assert store.budget(parent) == replace(store.budget(parent), sessions=2, usd_micros=187_655, reserved=0, version=3)
    assert [e.n for e in store.events("S1")] == [1]
    assert store.get(task(3).task.id).task.fence == 1
    assert len(store.tasks()) == 3


def test_an_add_whose_answer_was_lost_is_known_as_new(store, wire):
    wire.faults.append("lost after")
    assert store.add(task(1))[1]


def test_a_large_blob_whose_heads_answer_was_lost_is_there_whole(store, wire):
    held, content = claim(store, add(store, 1)), random.Random(1).randbytes(900_000)
    name, lost = digest(content), []

    def lose_head(carry_out):
        answer = carry_out()
        with suppress(NotFound):
            lost.extend(store.blobs([name]))
            raise dynamo.lost()
        return answer

    wire.faults.extend([lose_head] * 4)  # what it is of, its parts, its head, and that once more
    file = FileInfo(name="report.pdf", size=len(content), sha256=name)
    end(store, held, left=rules.Left(files=(file,)), blobs=[content])
    assert lost
    assert store.blobs([name]) == {name: content}


def test_a_large_part_that_is_named_again_is_not_deleted_by_who_replaced_it_before(store, wire):
    context = [str(number).encode() for number in range(20)]
    files = tuple(FileInfo(name=f"rooms-{n}.csv", size=1, sha256=digest(data)) for n, data in enumerate(context))
    draft = task(1)
    store.add(replace(draft, task=replace(draft.task, context=files)), context)
    held, again = claim(store, draft.task.id), []

    def claimed_at_once(carry_out):
        """Before the one who ended it deletes what its record named before, another host has it."""
        answer = carry_out()
        if store.get(draft.task.id).task.state is State.QUEUED:
            wire.faults.clear()
            again.append(claim(store, draft.task.id, "01JV4Z0000000000000000000T"))
        return answer

    wire.faults.extend([claimed_at_once] * 8)
    reason = "".join(random.Random(1).choices("abcdefghij ", k=900))
    end(store, held, Exit.DRAINED, reason=reason)
    assert again
    assert store.get(draft.task.id).task.state is State.RUNNING
    assert store.damaged() == []


@pytest.mark.parametrize("fault", ["throttled", "500"])
def test_a_table_that_refuses_for_long_is_busy_and_nothing_was_changed(store, wire, fault):
    task_id = add(store, 1)
    wire.faults.extend([fault] * 4)
    with pytest.raises(Busy):
        claim(store, task_id)
    assert store.get(task_id).task.state is State.QUEUED
    assert store.budget(task_id).version == 1


def test_a_write_between_ours_and_its_lost_answer_does_not_make_ours_fail(store, wire):
    held = claim(store, add(store, 1))

    def beaten(carry_out):
        carry_out()
        beat(store, held)
        raise dynamo.lost()

    wire.faults.append(beaten)
    assert beat(store, held).beat == 1
    assert store.get(held.task.id).beat == 2


def test_a_table_that_keeps_no_write_is_not_proven(store, wire):
    store.prove()
    wire.faults.append(lambda _carry_out: dynamo.answer("{}"))
    with pytest.raises(Unready, match="cannot be read back"):
        store.prove()
    store.prove()


# Several hosts.


def at_once(count, do):
    with ThreadPoolExecutor(count) as pool:
        return [*pool.map(do, range(count))]


def test_eight_that_add_under_one_key_make_one_task_and_so_they_do_for_one_work(store):
    keyed = at_once(8, lambda n: store.add(task(n + 1), key=Key(key="k", digest="2:d"))[0].task.id)
    same = at_once(8, lambda n: store.add(task(n + 11, dedupe_key="w"))[0].task.id)
    assert len(set(keyed)) == len(set(same)) == 1
    assert len(store.tasks()) == 2


def test_a_familys_dollars_are_reserved_once_however_many_claim_its_tasks(store):
    parent = add(store, 1, budget=AskedBudget(sessions=9, usd_micros=3_000_000))
    children = [add(store, n, parent=parent, budget=AskedBudget(usd_micros=1_000_000)) for n in range(2, 10)]

    def won(n):
        try:
            return claim(store, children[n], f"S{n}").reserved
        except (FamilyBusy, NotClaimable):
            return 0

    assert sorted(at_once(8, won)) == [0] * 5 + [1_000_000] * 3
    left = store.budget(parent)
    assert (left.usd_micros, left.reserved, left.sessions) == (0, 3_000_000, 6)


def test_candidates_of_one_rank_are_mixed_so_that_hosts_try_different_ones():
    shuffle = random.Random(3).shuffle
    with closing(dynamo.store(shuffle=shuffle)) as store:
        for number in range(1, 30):
            add(store, number, priority=5)
        add(store, 30, priority=9)
        firsts = [[candidate.id for candidate in store.candidates(SECONDS, limit=4)] for _ in range(12)]
    assert {first[0] for first in firsts} == {task(30).task.id}
    assert len({first[1] for first in firsts}) > 3


def test_what_a_holder_before_delivers_while_its_task_is_taken_over_is_refused_and_void(store, wire):
    held = claim(store, add(store, 1), "S1")
    store.deliver("S1", 1, [event(1), event(2)])

    def overtaken(_carry_out):
        # Between the look at the fence and the write: another host takes over, and looks at the journal.
        take_over(store, held)
        assert [e.n for e in store.events("S1")] == [1, 2]

    wire.faults.append(overtaken)
    with pytest.raises(Conflict, match="fence"):
        store.deliver("S1", 1, [event(3, of="the first"), event(4, of="the first")])
    assert [e.n for e in store.events("S1")] == [1, 2]
    assert store.deliver("S1", 2, [event(3, of="the second")]) == 3
    assert store.events("S1")[2:] == [event(3, of="the second")]
    assert store.passage("S1", size=1) == [event(3, of="the second")]


def test_what_was_delivered_before_another_took_over_counts(store):
    held = claim(store, add(store, 1), "S1")
    store.deliver("S1", 1, [event(1)])
    take_over(store, held)
    assert store.deliver("S1", 2, [event(1), event(2)]) == 2
    assert [e.n for e in store.events("S1")] == [1, 2]


# What a crash leaves.


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


def kill(_carry_out):
    raise Killed


def family(store):
    """A parent, and a subtask of it that is claimed with 400,000 of its family's dollars."""
    parent = add(store, 1, budget=AskedBudget(sessions=3, usd_micros=1_000_000))
    child = add(store, 2, parent=parent, budget=AskedBudget(usd_micros=400_000))
    return parent, claim(store, child, "S1")


def require_books_as_the_records_say(store, parent):
    records = [each for each in store.tasks() if each.root == parent]
    left = store.budget(parent)
    reserved = sum(each.reserved for each in records)
    spent = sum(each.task.usd_micros_spent for each in records)
    assert (left.usd_micros, left.reserved) == (1_000_000 - spent - reserved, reserved)
    assert left.sessions == 3 - sum(each.task.sessions_used for each in records)


@pytest.mark.parametrize("writes", range(6))
@pytest.mark.parametrize("lost", [False, True], ids=["before it is carried out", "after"])
def test_a_familys_budget_is_what_its_records_say_whatever_write_of_a_subtask_was_the_last(store, wire, writes, lost):
    parent, held = family(store)
    other = add(store, 3, parent=parent, budget=AskedBudget(usd_micros=700_000))
    steps = (
        lambda: claim(store, other, "S2"),
        lambda: end(store, held, Exit.FAULT, reason="no bwrap"),
        lambda: store.change(other, Move(lambda record, _: rules.cancel(record, NOW))),
    )

    def killed(carry_out):
        if lost:
            carry_out()
        raise Killed

    for step in steps:
        wire.faults.extend([*[None] * writes, killed])
        with suppress(Killed, Conflict):
            step()
        wire.faults.clear()
        require_books_as_the_records_say(store, parent)
        with suppress(NotClaimable, Conflict):
            step()
        require_books_as_the_records_say(store, parent)


def test_a_subtasks_claim_that_stood_still_is_made_impossible_and_tried_again(store, wire):
    parent, _ = family(store)
    other = add(store, 3, parent=parent, budget=AskedBudget(usd_micros=600_000))
    seen = []

    def stands_still(carry_out):
        # Noted, and the record is not yet written: whoever needs the budget meanwhile waits, then goes on without it.
        wire.faults.clear()
        seen.append(store.budget(parent))
        return carry_out()

    # The session's item, the note, the record.
    wire.faults.extend([None, None, stands_still])
    assert claim(store, other, "S2").reserved == 600_000
    assert (seen[0].usd_micros, seen[0].reserved) == (600_000, 400_000)
    require_books_as_the_records_say(store, parent)


def test_a_subtask_whose_parent_is_cancelled_while_it_is_written_does_not_stay(store, wire):
    parent = add(store, 1)

    def cancelled(carry_out):
        store.change(parent, Move(lambda record, _: rules.cancel(record, NOW)))
        # Who cancels looks for subtasks now, and finds none.
        assert store.relatives(parent) == []
        return carry_out()

    wire.faults.extend([None, cancelled])
    with pytest.raises(Invalid, match="was cancelled"):
        add(store, 2, parent=parent)
    assert store.relatives(parent) == []
    assert store.candidates(SECONDS) == []


def test_an_add_that_was_killed_after_its_key_is_made_by_who_asks_again_under_the_same_id(store, wire):
    key = Key(key="k", digest=task(1).digest)
    wire.faults.extend([None, kill])
    with pytest.raises(Killed):
        store.add(task(1), key=key)
    again = replace(task(2), digest=task(1).digest)
    with pytest.raises(Invalid, match="Idempotency-Key"):
        store.add(task(3), key=Key(key="k", digest=task(3).digest))
    made, is_new = store.add(again, key=key)
    assert (made.task.id, is_new) == (task(1).task.id, True)
    assert store.add(again, key=key) == (made, False)
    assert len(store.tasks()) == 1


def test_two_that_ask_under_one_key_make_one_task_although_the_first_stood_still_after_naming_it(store, wire):
    key = Key(key="k", digest=task(1).digest)

    def overtaken(carry_out):
        assert store.add(replace(task(2), digest=task(1).digest), key=key)[1]
        return carry_out()

    wire.faults.extend([None, overtaken])
    assert store.add(task(1), key=key)[1] is False
    assert [record.task.id for record in store.tasks()] == [task(1).task.id]


def test_wherever_a_writer_is_killed_what_a_record_names_is_there(store, wire):
    for number in range(5):
        text = f"description {number}".encode()
        wire.faults.extend([*[None] * number, kill])
        with suppress(Killed):
            store.add(replace(task(number), description=digest(text)), [text])
        wire.faults.clear()
        held = claim(store, add(store, 10 + number), f"S{number}")
        wire.faults.extend([*[None] * number, kill])
        with suppress(Killed):
            end(store, held, left=rules.Left(result=digest(text[::-1])), blobs=[text[::-1]])
        wire.faults.clear()
    found = store.tasks()
    assert {record.task.state for record in found} == {State.QUEUED, State.RUNNING, State.DONE}
    assert all(len(store.blobs(record.blobs)) == len(record.blobs) for record in found)


@pytest.mark.parametrize("writes", range(0, 16, 3))
def test_a_retention_that_was_killed_is_made_up_for_by_the_next(store, wire, writes):
    parent = add(store, 1, key=Key(key="k", digest="2:d"), dedupe_key="w")
    child = add(store, 2, parent=parent)
    for n, name in enumerate((parent, child)):
        held = claim(store, name, f"S{n}")
        store.deliver(f"S{n}", 1, turn(1))
        end(store, held, left=rules.Left(result=digest(b"result")), blobs=[b"result"])
    wire.faults.extend([*[None] * writes, kill])
    with pytest.raises(Killed):
        store.prune(Before(tasks=SECONDS + 1))
    store.prune(Before(tasks=SECONDS + 1))
    kinds = {item["pk"].split("#")[0] for item in everything(store._table)}
    assert kinds == {"SPENT"}


def everything(table):
    """All items of a table: a test may look at all, the store never does."""
    found = table._client.scan(TableName=table.name)["Items"]
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in found]


def test_what_was_acknowledged_outlives_sigkill(tmp_path):
    library = tools.dynamodb(Steps(tmp_path / "logs"))
    with dynamodb.running(library, tmp_path) as url:
        first = dynamo.client(url)
        store = DynamoStore(Table(first, dynamo.new_table(first)))
        held = claim(store, add(store, 1), "S1")
        store.deliver("S1", 1, [event(1)])
    with (
        dynamodb.running(library, tmp_path) as url,
        closing(DynamoStore(Table(dynamo.client(url), store._table.name))) as again,
    ):
        assert again.get(held.task.id) == held
        assert [e.n for e in again.events("S1")] == [1]
