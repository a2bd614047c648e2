"""One suite for every store: what the queue may rely on, whatever keeps it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dashboard import outgoing, rules
from dashboard.record import Conflict, FamilyBudget, FamilyBusy, Key, Move, NotClaimable, NotFound, digest
from dashboard.stores import NoticeFilter, Sort, TaskFilter
from dashboard.stores.journal import Used
from dashboard.stores.listing import Bounds, first_id
from dashboard.stores.memory import MemoryStore
from dashboard.stores.retention import Before, Freed
from dashboard.stores.sqlite import SqliteStore
from tests import dynamo
from tests.contract.stores import made
from wire.types import (
    AskedBudget,
    Budget,
    Edit,
    Event,
    EventKind,
    Exit,
    FileInfo,
    NewTask,
    Question,
    Reply,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
    Wait,
    Workspace,
)
from wire.values import Invalid

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
SECONDS = NOW.timestamp()


@pytest.fixture(params=["memory", "sqlite"])
def indexed(request, tmp_path):
    """A store that has an index of words and one of costs."""
    with closing(made(request.param, tmp_path)) as found:
        yield found


def task(number, **fields):
    new = NewTask(**{"title": f"task {number}", **fields})
    return rules.draft(new, f"{number:026}", NOW, f"2:digest-of-{number}")


def add(store, number, **fields):
    return store.add(task(number, **fields))[0].task.id


def claim(store, task_id, session="S1", now=NOW, **by):
    who = rules.Claimant(host="h", session_id=session, ttl_s=60, **by)
    move = Move(lambda record, budget: rules.claim(record, budget, who, now), needs_budget=True)
    return store.change(task_id, move)


def change(store, task_id, move, *more):
    return store.change(task_id, Move(lambda record, _: move(record, *more, NOW)))


def end(store, record, code=Exit.DRAINED, left=rules.Left(), blobs=(), **fields):  # noqa: B008 - a value
    sent = SessionEnd(fence=record.task.fence, exit=code, **fields)
    move = Move(lambda r, _: rules.end(r, record.session.id, sent, left, NOW))
    return store.change(record.task.id, move, blobs)


def event(n, **data):
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.STREAM, data=data)


def ids(store, **options):
    return [int(candidate.id) for candidate in store.candidates(SECONDS, **options)]


def test_a_task_comes_back_as_it_was_added(store):
    record = task(1, title="ü", budget=AskedBudget(sessions=2), not_before="2026-05-13T12:00:00Z", dedupe_key="k")
    assert store.add(record) == (record, True)
    assert store.get(record.task.id) == record


def test_what_is_not_there_is_not_found(store):
    looks = (
        store.get,
        store.budget,
        store.session,
        store.events,
        lambda i: store.blobs([i]),
        lambda i: claim(store, i),
    )
    for look in looks:
        with pytest.raises(NotFound):
            look("0" * 26)


def test_tasks_are_listed_newest_first_by_state_and_page(store):
    for number in range(1, 6):
        add(store, number)
    claim(store, task(2).task.id)
    assert [int(r.task.id) for r in store.tasks(limit=3)] == [5, 4, 3]
    assert [int(r.task.id) for r in store.tasks(before=task(3).task.id)] == [2, 1]
    assert [int(r.task.id) for r in store.tasks(TaskFilter(state=State.RUNNING))] == [2]


def test_an_idempotency_key_makes_one_task(store):
    key = Key(key="k", digest="d")
    first, _ = store.add(task(1), key=key)
    assert store.add(task(2), key=key) == (first, False)
    with pytest.raises(Invalid):
        store.add(task(3), key=Key(key="k", digest="other"))
    assert len(store.tasks()) == 1


def test_a_keys_replay_finds_the_task_as_it_is_by_now(store):
    key = Key(key="k", digest="d")
    first, _ = store.add(task(1), key=key)
    running = claim(store, first.task.id)
    assert store.add(task(2), key=key) == (running, False)


def test_one_unfinished_task_does_the_same_work(store):
    first, _ = store.add(task(1, dedupe_key="w"))
    assert store.add(task(2, dedupe_key="w")) == (first, False)
    change(store, first.task.id, rules.cancel)
    assert store.add(task(3, dedupe_key="w"))[1]


def test_a_failed_task_is_not_revived_beside_the_one_that_replaced_it(store):
    first = add(store, 1, dedupe_key="w")
    end(store, claim(store, first), Exit.FAULT)
    add(store, 2, dedupe_key="w")
    with pytest.raises(Conflict, match="same work"):
        change(store, first, rules.retry)
    assert store.get(first).task.state is State.FAILED


def test_candidates_come_by_priority_then_age(store):
    for number, priority in ((1, 5), (2, 9), (3, 5), (4, 0)):
        add(store, number, priority=priority)
    assert ids(store) == [2, 1, 3, 4]
    assert ids(store, limit=2) == [2, 1]
    assert ids(store, without=[task(2).task.id, task(3).task.id]) == [1, 4]


def test_candidates_are_queued_and_due(store):
    add(store, 1, not_before="2026-05-13T12:00:01Z")
    add(store, 2, not_before="2026-05-13T12:00:00Z")
    claim(store, add(store, 3), now=NOW - timedelta(seconds=61))
    add(store, 4)
    assert ids(store) == [2, 4]


def test_what_runs_is_found_and_no_more_once_it_has_ended(store):
    add(store, 1)
    first, second = (claim(store, add(store, number), f"S{number}") for number in (2, 3))
    assert store.running() == [first, second]
    end(store, first)
    assert store.running() == [second]


def test_what_was_cancelled_while_it_ran_is_held_until_its_session_has_ended_or_is_lost(store):
    first, second, third = (claim(store, add(store, number), f"S{number}") for number in (1, 2, 3))
    for record in (second, third):
        change(store, record.task.id, rules.cancel)
    change(store, add(store, 4), rules.cancel)
    assert [record.task.id for record in store.leased()] == [record.task.id for record in (first, second, third)]
    end(store, store.get(second.task.id), Exit.FENCED)
    lost = store.get(third.task.id)
    for _ in range(2):
        store.change(third.task.id, Move(lambda record, _: rules.let_go(record, lost.holder, 7, NOW)))
    assert store.leased() == [first]
    assert store.get(third.task.id).task.usd_micros_spent == 7
    assert store.tasks(TaskFilter(state=State.CANCELLED)) == [store.get(task(n).task.id) for n in (4, 3, 2)]


def test_a_familys_unfinished_members_are_found_but_its_root(store):
    parent = add(store, 1)
    child, done = add(store, 2, parent=parent), add(store, 3, parent=parent)
    store.change(done, Move(lambda record, _: rules.cancel(record, NOW)))
    add(store, 4)
    grandchild = add(store, 5, parent=child)
    assert [record.task.id for record in store.relatives(parent)] == [child, grandchild]


def test_candidates_that_go_on_are_found_among_many_that_do_not(store):
    for number in range(1, 30):
        add(store, number, priority=9)
    end(store, claim(store, add(store, 30)))
    end(store, claim(store, add(store, 31), "S2"), Exit.TURN_LIMIT)
    assert ids(store, suspended_only=True) == [30]


def test_a_move_that_is_refused_writes_nothing(store):
    task_id = add(store, 1)
    before = store.get(task_id)
    with pytest.raises(Conflict):
        store.change(task_id, Move(lambda record, _: rules.retry(record, NOW)), [b"x"])
    assert store.get(task_id) == before
    with pytest.raises(NotFound):
        store.blobs([digest(b"x")])


def test_an_end_writes_state_session_question_and_what_it_left_at_once(store):
    running = claim(store, add(store, 1))
    question, left = Question(tool_use_id="tu", text="?"), rules.Left(checkpoint=digest(b"so far"))
    record = end(store, running, Exit.ASKED, left, [b"so far"], question=question, turns=3)
    assert store.get(record.task.id) == record
    assert record.task.waiting.tool_use_id == "tu"
    assert store.session("S1") == record.session
    assert store.blobs([record.checkpoint]) == {record.checkpoint: b"so far"}


def test_what_was_set_can_be_unset(store):
    running = claim(store, add(store, 1))
    waits = end(store, running, Exit.ASKED, question=Question(tool_use_id="tu", text="?"), reason="asked")
    change(store, waits.task.id, rules.reply, Reply(text="yes"), waits.task.version)
    again = store.get(claim(store, waits.task.id).task.id)
    assert (again.task.waiting, again.session.exit, again.session.reason) == (None, None, "")
    assert again.answers[0].text == "yes"


def test_sessions_are_listed_oldest_first(store):
    task_id = add(store, 1)
    end(store, claim(store, task_id, "S1"), Exit.TURN_LIMIT)
    claim(store, task_id, "S2")
    assert [(s.id, s.exit) for s in store.sessions(task_id)] == [("S1", Exit.TURN_LIMIT), ("S2", None)]


def test_a_task_is_changed_by_any_of_its_sessions(store):
    task_id = add(store, 1)
    end(store, claim(store, task_id, "S1"), Exit.TURN_LIMIT)
    claim(store, task_id, "S2")
    for session in ("S1", "S2"):
        assert store.change_by_session(session, Move(lambda record, _: rules.cancel(record, NOW))).task.id == task_id
    assert store.get(task_id).task.state is State.CANCELLED
    with pytest.raises(NotFound, match="no session S3"):
        store.change_by_session("S3", Move(lambda record, _: rules.cancel(record, NOW)))


def test_blobs_keep_their_bytes_and_are_one_however_often_they_came(store):
    every, empty = bytes(range(256)), b""
    store.add(task(1), [every, empty])
    store.add(task(2), [every])
    assert store.blobs([digest(every), digest(empty)]) == {digest(every): every, digest(empty): empty}
    assert store.blobs([]) == {}


def test_a_journal_is_delivered_once_whatever_is_sent_twice(store):
    claim(store, add(store, 1))
    assert store.deliver("S1", 1, [event(1, text="ü"), event(2)]) == 2
    assert store.deliver("S1", 1, [event(2, changed=True), event(3)]) == 3
    assert store.events("S1") == [event(1, text="ü"), event(2), event(3)]
    assert store.events("S1", after=2) == [event(3)]


def test_a_record_that_cannot_be_read_back_is_refused_with_its_batch(store):
    claim(store, add(store, 1))
    with pytest.raises(Invalid):
        store.deliver("S1", 1, [event(1), replace(event(2), at=5)])
    assert store.events("S1") == []


def test_a_journal_is_read_from_its_end_a_part_at_a_time(store):
    claim(store, add(store, 1))
    events = [event(n, text="x" * 1000) for n in range(1, 201)]
    for first in (0, 90, 199):
        store.deliver("S1", 1, events[first : first + 110])
    assert store.passage("S1", size=4000) == events[-4:]
    assert store.passage("S1", before=150, size=1) == [events[148]]
    assert store.passage("S1", before=3, size=10**9) == events[:2]
    assert store.passage("S1", before=1, size=10**9) == []
    with pytest.raises(NotFound):
        store.passage("S2", size=1)


def test_what_a_session_used_is_known_from_its_delivered_journal(store):
    claim(store, add(store, 1))
    assert store.used("S1") == Used(0, 0)
    settled = [replace(event(n), kind=EventKind.SETTLE, data={"usd_micros": n}) for n in (1, 2, 3)]
    store.deliver("S1", 1, settled[:2])
    store.deliver("S1", 1, settled)
    assert store.used("S1") == Used(3, 6)


def settled(n, at=None, **usage):
    return replace(
        event(n), at=at or "2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data={"usd_micros": n, "usage": usage}
    )


def test_what_each_delivery_used_and_how_full_the_context_is_is_known(store):
    claim(store, add(store, 1))
    assert store.series("S1") == []
    first = settled(1, input_tokens=10, cache_creation_input_tokens=20, cache_read_input_tokens=300, output_tokens=4)
    store.deliver("S1", 1, [first])
    store.deliver("S1", 1, [first, event(2), settled(3, input_tokens=400, output_tokens=None), settled(4)])
    assert store.series("S1") == [Used(1, 1, 334), Used(2, 7, 400)]
    assert store.used("S1") == Used(3, 8, 400)


def test_what_a_day_cost_is_kept_when_journals_go_and_counts_nothing_twice(store):
    claim(store, add(store, 1))
    batch = [settled(1, "2026-05-12T23:59:59Z"), settled(2, "2026-05-13T00:00:00Z"), settled(3), settled(4, "noon")]
    for _ in range(2):
        store.deliver("S1", 1, batch)
    end(store, store.get(f"{1:026}"), Exit.FINISHED)
    assert store.prune(Before(journals=LATER)).journals == 1
    assert store.spent("2026-05-12") == {"2026-05-12": Used(1, 1), "2026-05-13": Used(2, 5)}
    assert [*store.spent("2026-05-13")] == ["2026-05-13"]


def test_recent_sessions_are_found_newest_first_the_latest_of_a_task_as_it_is(store):
    for number in (1, 2, 3):
        end(store, claim(store, add(store, number), session=f"S{number}"), Exit.TURN_LIMIT)
    claim(store, f"{1:026}", session="S4")
    assert [(s.id, s.exit) for s in store.recent_sessions("S2", limit=9)] == [("S4", None), ("S3", 1), ("S2", 1)]
    assert [s.id for s in store.recent_sessions("S1", limit=2)] == ["S4", "S3"]
    assert [store.sessions_since("S2", limit=most) for most in (9, 2)] == [3, 2]


def test_a_gap_or_a_stale_fence_delivers_nothing(store):
    task_id = add(store, 1)
    claim(store, task_id)
    with pytest.raises(Conflict, match="gap"):
        store.deliver("S1", 1, [event(1), event(3)])
    claim(store, task_id, past={store.get(task_id).holder: store.get(task_id)})
    with pytest.raises(Conflict, match="fence"):
        store.deliver("S1", 1, [event(1)])
    assert store.events("S1") == []


def test_a_family_shares_one_budget(store):
    parent = add(store, 1, budget=AskedBudget(sessions=3, usd_micros=1000))
    held = claim(store, parent)
    child, _ = store.add(task(2, parent=parent, budget=AskedBudget(usd_micros=800)))
    assert child.task.budget == Budget(sessions=2, usd_micros=800)
    with pytest.raises(FamilyBusy):
        claim(store, child.task.id, "S2")
    end(store, held, Exit.FINISHED, usd_micros=700)
    assert claim(store, child.task.id, "S2").reserved == 300


def test_a_budgets_version_grows_with_each_change_of_it_and_only_then(store):
    parent = add(store, 1, budget=AskedBudget(sessions=3, usd_micros=1000))
    held = claim(store, parent)
    assert store.budget(parent) == FamilyBudget(sessions=2, usd_micros=0, reserved=1000, version=2)
    store.change(parent, Move(lambda record, _: rules.heartbeat(record, 1, 60)))
    assert store.budget(parent).version == 2
    end(store, held, usd_micros=1)
    assert store.budget(parent) == FamilyBudget(sessions=2, usd_micros=999, version=3)


def test_a_move_that_needs_the_budget_is_given_it_and_no_other_is(store):
    seen = []
    task_id = add(store, 1, budget=AskedBudget(sessions=3))
    store.change(task_id, Move(lambda record, budget: seen.append(budget) or record, needs_budget=True))
    store.change(task_id, Move(lambda record, budget: seen.append(budget) or record))
    assert [budget.sessions for budget in seen] == [3, 0]


def test_candidates_of_families_that_were_tried_are_left_out(store):
    parent = add(store, 1)
    for number in (2, 3):
        add(store, number, parent=parent)
    add(store, 4)
    assert ids(store, without=[parent]) == [4]


def test_sync_runs_come_newest_first_and_the_last_success_is_known(store):
    runs = [
        SyncRun(started_at=str(n), finished_at=str(n), outcome=SyncOutcome(o))
        for n, o in enumerate(("changed", "failed"))
    ]
    assert store.last_success() is None
    for run in runs:
        store.alarm({}, run)
    assert store.sync_runs() == runs[::-1]
    assert store.sync_runs(limit=1) == runs[1:]
    assert store.last_success() == runs[0]


def test_an_alarms_move_sees_only_the_open_one(store):
    seen = []
    store.alarm({"w": lambda old: task(1, dedupe_key="w") if old is None else None})
    store.alarm({"w": lambda old: seen.append(old) or rules.cancel(old, NOW)})
    store.alarm({"w": seen.append})
    assert [record and record.task.state for record in seen] == [State.QUEUED, None]


def test_a_failing_alarm_takes_its_run_with_it(store):
    run = SyncRun(started_at="1", finished_at="1", outcome=SyncOutcome.FAILED)
    with pytest.raises(ZeroDivisionError):
        store.alarm({"w": lambda _old: 1 / 0}, run)
    assert store.sync_runs() == []


def test_threads_that_race_claim_each_task_once(store):
    for number in range(1, 41):
        add(store, number)

    def work(worker):
        won = []
        while found := store.candidates(SECONDS):
            for candidate in found:
                try:
                    won.append(claim(store, candidate.id, f"S{worker}-{candidate.id}").task.id)
                except NotClaimable:
                    continue
        return won

    with ThreadPoolExecutor(8) as pool:
        won = [task_id for batch in pool.map(work, range(8)) for task_id in batch]
    assert sorted(won) == [task(n).task.id for n in range(1, 41)]


DAY = 86_400
LATER = SECONDS + DAY


def finish(store, task_id, session, code=Exit.FINISHED, at=NOW, blobs=()):
    """Run a task to its end, with a journal, and its result as the first of these blobs."""
    held = claim(store, task_id, session, now=at)
    store.deliver(session, held.task.fence, [event(1, of=session)])
    left = rules.Left(result=digest(blobs[0]) if blobs else None)
    sent = SessionEnd(fence=held.task.fence, exit=code)
    return store.change(task_id, Move(lambda r, _: rules.end(r, session, sent, left, at)), blobs)


def test_what_is_finished_and_older_is_deleted_with_all_that_only_it_names(store):
    key = Key(key="k", digest="d")
    task_id = store.add(task(1), key=key)[0].task.id
    finish(store, task_id, "S1", blobs=[b"result"])
    assert store.prune(Before(tasks=SECONDS)) == Freed()
    freed = store.prune(Before(tasks=SECONDS + 1))
    assert (freed.tasks, freed.journals, store.tasks()) == (1, 0, [])
    for look in (
        lambda: store.get(task_id),
        lambda: store.budget(task_id),
        lambda: store.session("S1"),
        lambda: store.events("S1"),
        lambda: store.blobs([digest(b"result")]),
    ):
        with pytest.raises(NotFound):
            look()
    assert store.add(task(2), key=key)[1]
    assert store.add(task(3), key=key) == (store.get(task(2).task.id), False)


def test_what_has_no_age_limit_is_kept_for_ever(store):
    finish(store, add(store, 1), "S1")
    store.alarm({}, SyncRun(started_at="x", finished_at="2000-01-01T00:00:00Z", outcome=SyncOutcome.FAILED))
    assert store.prune(Before()) == Freed()


def test_a_blob_that_another_names_outlives_the_first(store):
    for number in (1, 2):
        finish(store, add(store, number), f"S{number}", blobs=[b"same"], at=NOW + timedelta(days=number))
    assert store.prune(Before(tasks=LATER + 1)).tasks == 1
    assert store.blobs([digest(b"same")]) == {digest(b"same"): b"same"}
    freed = store.prune(Before(tasks=LATER + DAY + 1))
    assert freed.blob_bytes >= 4
    with pytest.raises(NotFound):
        store.blobs([digest(b"same")])


def test_a_checkpoint_that_was_replaced_is_deleted_and_the_last_one_kept(store):
    task_id = add(store, 1)
    for session, left in (("S1", b"first"), ("S2", b"second")):
        end(store, claim(store, task_id, session), Exit.TURN_LIMIT, rules.Left(checkpoint=digest(left)), [left])
    assert store.prune(Before(tasks=LATER)).blobs == 1
    assert store.blobs([store.get(task_id).checkpoint])


@pytest.mark.parametrize("unfinished", ["root", "child"])
def test_a_family_with_an_unfinished_member_stays_whole(store, unfinished):
    parent = add(store, 1)
    child = add(store, 2, parent=parent)
    finish(store, child if unfinished == "root" else parent, "S1")
    assert store.prune(Before(tasks=LATER, journals=LATER)) == Freed()
    assert (len(store.tasks()), len(store.events("S1"))) == (2, 1)


def test_a_family_goes_when_its_youngest_change_is_older(store):
    parent = add(store, 1)
    child = add(store, 2, parent=parent)
    finish(store, parent, "S1")
    finish(store, child, "S2", at=NOW + timedelta(days=1))
    assert store.prune(Before(tasks=LATER)) == Freed()
    assert store.prune(Before(tasks=LATER + 1)).tasks == 2


def test_journals_of_what_is_over_go_before_their_tasks_and_those_of_failed_ones_stay(store):
    finish(store, add(store, 1), "S1")
    finish(store, add(store, 2), "S2", Exit.FAULT)
    assert store.prune(Before(journals=LATER)).journals == 1
    assert (store.events("S1"), len(store.events("S2"))) == ([], 1)
    assert store.session("S1").exit is Exit.FINISHED
    assert store.prune(Before(journals=LATER)) == Freed()


def file(name, content):
    return FileInfo(name=name, size=len(content), sha256=digest(content))


def add_with_file(store, number, content):
    new = task(number)
    new = replace(new, task=replace(new.task, context=(file("in", content),)))
    return store.add(new, [content])[0].task.id


def end_with_file(store, task_id, session, content, at=NOW):
    """Run a task to its end, with a file of this content."""
    held = claim(store, task_id, session, now=at)
    sent = SessionEnd(fence=held.task.fence, exit=Exit.FINISHED)
    left = rules.Left(files=(file("out", content),))
    return store.change(task_id, Move(lambda r, _: rules.end(r, session, sent, left, at)), [content])


def test_files_of_what_is_over_go_before_their_tasks_which_still_say_what_they_were(store):
    task_id = add_with_file(store, 1, b"brought")
    before = end_with_file(store, task_id, "S1", b"made")
    assert store.prune(Before(files=SECONDS)) == Freed()
    assert store.prune(Before(files=LATER)) == Freed(files=2, blobs=2, blob_bytes=len(b"brought" + b"made"))
    after = store.get(task_id)
    assert [(f.name, f.size, f.sha256) for f in (*after.task.context, *after.task.files)] == [
        ("in", len(b"brought"), ""), ("out", len(b"made"), ""),
    ]  # fmt: skip
    assert (after.task.state, after.task.updated_at) == (State.DONE, before.task.updated_at)
    assert after.task.version > before.task.version
    for content in (b"brought", b"made"):
        with pytest.raises(NotFound):
            store.blobs([digest(content)])
    # Once only; and the task itself goes by its own age.
    assert store.prune(Before(files=LATER)) == Freed()
    assert store.prune(Before(tasks=SECONDS + 1)).tasks == 1


def test_a_files_content_that_another_task_still_names_stays(store):
    end_with_file(store, add(store, 1), "S1", b"same")
    end_with_file(store, add(store, 2), "S2", b"same", at=NOW + timedelta(days=2))
    freed = store.prune(Before(files=LATER))
    assert (freed.files, freed.blob_bytes) == (1, 0)
    assert store.blobs([digest(b"same")]) == {digest(b"same"): b"same"}
    assert store.prune(Before(files=LATER + 2 * DAY)) == Freed(files=1, blobs=1, blob_bytes=4)


def test_files_of_a_failed_task_and_of_a_family_that_goes_on_stay(store):
    failed = add_with_file(store, 1, b"may be tried again")
    end(store, claim(store, failed), Exit.FAULT)
    parent = add(store, 2)
    end_with_file(store, add(store, 3, parent=parent), "S3", b"its parent will read it")
    assert store.prune(Before(files=LATER)) == Freed()
    assert len(store.blobs([digest(b"may be tried again"), digest(b"its parent will read it")])) == 2


def test_a_cancelled_tasks_workspace_goes_with_its_files(store):
    held = claim(store, add(store, 1), "S1")
    left = rules.Left(workspace=Workspace(sha256=digest(b"archive"), size=7))
    end(store, held, Exit.DRAINED, left, [b"archive"])
    change(store, held.task.id, rules.cancel)
    assert store.prune(Before(files=LATER)) == Freed(blobs=1, blob_bytes=7)
    assert store.get(held.task.id).workspace is None


def test_old_sync_runs_go_but_the_latest_and_the_latest_success(store):
    runs = [
        SyncRun(started_at="x", finished_at=f"2026-05-0{n}T00:00:00Z", outcome=SyncOutcome(o))
        for n, o in enumerate(("failed", "changed", "failed", "failed"), 1)
    ]
    for run in runs:
        store.alarm({}, run)
    assert store.prune(Before(sync_runs=LATER)).sync_runs == 2
    assert store.sync_runs() == [runs[3], runs[1]]
    assert store.last_success() == runs[1]


FAMILY = ((1, None, None), (2, 1, None), (3, 2, "w"), (4, None, None), (5, 4, "w"))
"""Tasks with their parents, two of them the same work: what the moves below begin with."""
MOVES = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(FAMILY), st.none()),
    st.tuples(st.just("claim"), st.sampled_from(FAMILY), st.integers(0, 120)),
    st.tuples(st.just("end"), st.sampled_from(FAMILY), st.tuples(st.sampled_from(list(Exit)), st.integers(0, 100))),
    st.tuples(st.just("reply"), st.sampled_from(FAMILY), st.integers(0, 50)),
    st.tuples(st.sampled_from(["cancel", "retry"]), st.sampled_from(FAMILY), st.none()),
    st.tuples(st.just("lose"), st.sampled_from(FAMILY), st.integers(0, 100)),
    st.tuples(st.just("edit"), st.sampled_from(FAMILY), st.tuples(st.integers(1, 4), st.integers(1, 150))),
    st.tuples(
        st.just("prune"),
        st.just(FAMILY[0]),
        st.sampled_from([Before(tasks=LATER), Before(journals=LATER), Before(files=LATER), Before()]),
    ),
)


def make_move(store, step, move):  # noqa: PLR0911 - one for each move
    """Make one move; return what came of it: a record, or the kind of refusal."""
    name, (number, parent, work), with_ = move
    task_id = task(number).task.id
    try:
        if name == "add":
            above = parent and task(parent).task.id
            budget = AskedBudget(sessions=2, usd_micros=100)
            return store.add(task(number, parent=above, budget=budget, dedupe_key=work))
        if name == "claim":
            held = store.get(task_id)
            past = {held.holder: held} if with_ > 60 else {}
            record = claim(store, task_id, f"S{step:03}", past=past)
            if record.task.state is State.RUNNING:
                held = len(store.events(record.session.id))
                may = record.session.usd_micros + record.reserved
                store.deliver(record.session.id, record.task.fence, [event(held + 1, of=number % 2, may_spend=may)])
            return record
        if name == "end":
            return end_by_share(store, store.get(task_id), *with_)
        if name == "lose":
            return lose(store, store.get(task_id), with_)
        if name == "edit":
            wanted = Edit(priority=with_[0], sessions=with_[0], usd_micros=with_[1])
            move = Move(lambda record, left: rules.edit(record, left, wanted, None, NOW), needs_budget=True)
            return store.change(task_id, move)
        if name == "reply":
            reply = Reply(text="go on", sessions=with_ % 2, usd_micros=with_)
            return change(store, task_id, lambda record, now: rules.reply(record, reply, record.task.version, now))
        return pruned(store, with_) if name == "prune" else change(store, task_id, getattr(rules, name))
    except (NotFound, Conflict, NotClaimable, Invalid) as refused:
        return type(refused)


def end_by_share(store, held, code, percent):
    """End a session that spent so much of what it had reserved."""
    if held.session is None:
        return None
    spent = spent_by(store, held, percent)
    texts = [f"{word} {percent % 3}".encode() for word in ("result", "checkpoint")]
    left = rules.Left(result=digest(texts[0]), checkpoint=digest(texts[1]), files=(file("result", texts[0]),))
    return end(store, held, code, left, texts, question=Question(tool_use_id="tu", text="?"), usd_micros=spent)


def spent_by(store, held, percent):
    """What a session spent in all, of what is reserved for it; where nothing is any more, of what it was told that it
    may. A claim that was killed before it told leaves the word of the one before.
    """
    so_far, events = held.session.usd_micros, store.events(held.session.id)
    told = events[-1].data["may_spend"] - so_far if events else 0
    return so_far + max(0, held.reserved or told) * percent // 100


def lose(store, held, percent):
    """Let go of a cancelled task whose holder is lost; its journal knows all that it spent."""
    if held.session is None or held.task.state is not State.CANCELLED:
        return None
    spent = spent_by(store, held, percent)
    store.deliver(held.session.id, held.task.fence, [event(len(store.events(held.session.id)) + 1, may_spend=spent)])
    return store.change(held.task.id, Move(lambda record, _: rules.let_go(record, held.holder, spent, NOW)))


def pruned(store, before):
    freed = store.prune(before)
    return freed.tasks, freed.journals, freed.files


def require_all_that_is_named(store, records):
    """Read every blob that a record names, and every journal."""
    store.blobs([name for record in records for name in record.blobs])
    for record in records:
        for session in store.sessions(record.task.id):
            assert [e.n for e in store.events(session.id)] == [*range(1, len(store.events(session.id)) + 1)]
            assert all(isinstance(e, Event) for e in store.passage(session.id, size=10**6))


@given(st.lists(MOVES, max_size=30))
@settings(max_examples=100, deadline=None)
def test_whatever_is_asked_of_them_stores_agree_no_family_overspends_and_all_that_is_named_is_there(moves):
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "queue.db")) as sqlite:
        require_agreement(moves, MemoryStore(), sqlite)


@given(st.lists(MOVES, max_size=20))
@settings(max_examples=10, deadline=None)
def test_a_table_agrees_whatever_is_asked_of_it(moves):
    with closing(dynamo.store()) as table:
        require_agreement(moves, MemoryStore(), table)


def require_agreement(moves, memory, other):
    for step, move in enumerate([*(("add", member, None) for member in FAMILY), *moves]):
        assert make_move(memory, step, move) == make_move(other, step, move)
        records = memory.tasks()
        assert records == other.tasks()
        require_all_that_is_named(memory, records)
        require_all_that_is_named(other, records)
        for root in {record.root for record in records}:
            left = other.budget(root)
            assert memory.budget(root) == left
            assert min(left.usd_micros, left.sessions) >= 0
            assert summed_up([record for record in records if record.root == root]) == replace(left, version=1)


def summed_up(family):
    """What is left to a family, counted from all its records."""
    reserved = sum(record.reserved for record in family)
    return FamilyBudget(
        sessions=sum(record.granted.sessions - record.task.sessions_used for record in family),
        usd_micros=sum(record.granted.usd_micros - record.task.usd_micros_spent for record in family) - reserved,
        reserved=reserved,
    )


DUE = NoticeFilter(due=SECONDS + 60)


def fail(store, number):
    add(store, number)
    return end(store, claim(store, f"{number:026}", session=f"S{number}"), Exit.FAULT, reason="no bwrap")


def test_a_fact_makes_a_notice_for_each_target_in_its_own_write(store):
    record = fail(store, 1)
    assert {(n.id, n.target) for n in store.notices(DUE)} == {
        (f"{record.task.id}.failed.{record.task.version}", target) for target in ("mail", "chat")
    }
    assert store.notices(NoticeFilter(due=SECONDS - 1)) == []


def test_a_move_that_is_refused_leaves_no_notice(store):
    record = fail(store, 1)
    before = store.notices(DUE)
    for move in (rules.cancel, rules.retry):
        with pytest.raises(Conflict):
            change(store, record.task.id, lambda r, now, move=move: rules.retry(move(r, now), now))
    assert store.notices(DUE) == before


def test_what_leaves_its_state_withdraws_its_notices_in_the_same_write(store):
    record = fail(store, 1)
    change(store, record.task.id, rules.retry)
    assert store.notices(DUE) == []


def test_an_alarm_makes_notices_and_its_end_withdraws_them(store):
    raised = rules.changed(task(7, dedupe_key="alarm:x"), NOW, state=State.FAILED)
    store.alarm({"alarm:x": lambda _: rules.changed(raised, NOW, state=State.NEEDS_YOU)})
    assert len(store.notices(DUE)) == 2
    store.alarm({"alarm:x": lambda old: rules.changed(old, NOW, state=State.DONE)})
    assert store.notices(DUE) == []


def test_notices_are_found_by_when_they_are_due_when_they_were_sent_and_by_message(store):
    for number in (1, 2):
        fail(store, number)

    def sent(found):
        late, *rest = (replace(notice, message=f"m-{notice.target}") for notice in found)
        return [replace(late, due_at=None, sent_at=SECONDS + 5), *rest]

    store.change_notices(DUE, sent)
    assert [n.sent_at for n in store.notices(NoticeFilter(since=SECONDS + 5))] == [SECONDS + 5]
    assert store.notices(NoticeFilter(since=SECONDS + 6)) == []
    assert {n.target for n in store.notices(NoticeFilter(message="m-mail"))} == {"mail"}
    assert store.notices(NoticeFilter(message="")) == store.notices(NoticeFilter(since=0))
    assert len(store.notices(DUE)) == 3


def told(store, target):
    return {notice.task for notice in store.notices(DUE) if notice.target == target}


def test_a_target_that_is_new_hears_what_still_waits_under_the_facts_id(store):
    waits = fail(store, 1).task.id
    change(store, fail(store, 2).task.id, rules.retry)
    fact = next(notice.id for notice in store.notices(DUE) if notice.task == waits)
    store.catch_up(["mail", "chat", "pager"], SECONDS)
    assert told(store, "pager") == {waits}
    assert {n.id for n in store.notices(DUE) if n.target == "pager"} == {fact}
    assert [n.target for n in store.notices(DUE) if n.task == waits] == ["chat", "mail", "pager"]


def test_a_target_hears_what_waits_only_once(store):
    fail(store, 1)
    store.catch_up(["mail", "chat", "pager"], SECONDS)
    store.change_notices(DUE, lambda found: [replace(n, due_at=None, sent=1, sent_at=SECONDS) for n in found])
    store.catch_up(["mail", "chat", "pager"], SECONDS)
    store.catch_up(["mail"], SECONDS)
    store.catch_up(["mail", "chat", "pager"], SECONDS)
    assert store.notices(DUE) == []


def test_a_target_that_comes_back_hears_what_was_withdrawn_unsent(store):
    waits = fail(store, 1).task.id
    store.catch_up(["mail", "chat"], SECONDS)
    store.change_notices(DUE, lambda found: [replace(n, due_at=None) for n in found if n.target == "chat"])
    store.catch_up(["mail"], SECONDS)
    assert told(store, "chat") == set()
    store.catch_up(["mail", "chat"], SECONDS)
    assert told(store, "chat") == {waits}


def test_more_that_waits_than_one_write_takes_is_caught_up_with(store):
    waits = {fail(store, number).task.id for number in range(1, 203)}
    store.catch_up(["mail", "chat", "pager"], SECONDS)
    with_pager = store.notices(NoticeFilter(due=SECONDS))
    store.change_notices(DUE, lambda found: [replace(n, due_at=None) for n in found if n.target != "pager"])
    store.change_notices(DUE, lambda found: [replace(n, due_at=None) for n in found if n.target != "pager"])
    assert len(with_pager) == 500
    assert told(store, "pager") == waits


def test_messages_are_counted_by_target_however_many_notices_each_had(store):
    notice = outgoing.Notice(id="x", target="mail", task="t", kind="failed", title="t", text="", at="")
    flood = [replace(notice, id=f"{n:04}", sent=1, sent_at=SECONDS + 9) for n in range(600)]
    single = [replace(notice, id=f"single-{n}", sent=1, sent_at=SECONDS + n) for n in range(5)]
    early = [replace(notice, id="early", sent=1, sent_at=SECONDS - 1), replace(notice, id="unsent")]
    other = [replace(notice, id="other", target="chat", sent=1, sent_at=SECONDS)]
    store.change_notices(DUE, lambda _: [*flood, *single, *early, *other])
    assert store.sent_lately(SECONDS) == {"mail": 6, "chat": 1}


def test_what_a_write_of_notices_raises_leaves_them_as_they_were(store):
    fail(store, 1)
    before = store.notices(DUE)

    def broken(found):
        yield replace(found[0], due_at=None)
        raise Conflict

    with pytest.raises(Conflict):
        store.change_notices(DUE, broken)
    assert store.notices(DUE) == before


def test_the_longest_due_are_found_first_and_not_all_of_a_flood(store):
    notice = outgoing.Notice(id="x", target="mail", task="t", kind="failed", title="t", text="", at="")
    flood = [replace(notice, id=f"{n:04}", due_at=SECONDS - n) for n in range(600)]
    store.change_notices(DUE, lambda _: flood)
    found = store.notices(DUE)
    assert (len(found), found[0].id, found[-1].id) == (500, "0599", "0100")


def spent(store, number, usd_micros, session=None, **fields):
    """Add a task and have a session of it cost so much."""
    task_id = add(store, number, budget=AskedBudget(usd_micros=10**8), **fields)
    return end(store, claim(store, task_id, session or f"S{number}"), Exit.FAULT, usd_micros=usd_micros)


def numbers(listing):
    return [int(record.task.id) for record in listing.records]


def all_of_numbers(store, which, sort=Sort.NEWEST):
    return [int(name) for name in all_of(store, which, sort)]


def all_of(store, which, sort=Sort.NEWEST, limit=2):
    """Go through a whole listing, a small page at a time."""
    found, cursor = [], None
    while True:
        part = store.listing(which, sort=sort, cursor=cursor, limit=limit)
        assert len(part.records) <= limit
        found += [record.task.id for record in part.records]
        if (cursor := part.cursor) is None:
            return found


def find(store, words, **filters):
    return numbers(store.listing(TaskFilter(words=words, **filters)))


def test_tasks_are_found_by_whole_words_of_title_and_description(indexed):
    record = task(1, title="Räume zählen")
    indexed.add(replace(record, task=replace(record.task, description="all of the Harbour, twice")))
    add(indexed, 2, title="harbours")
    assert find(indexed, "harbour") == find(indexed, "HARBOUR all") == find(indexed, "zahlen TWICE") == [1]
    assert find(indexed, "harb") == find(indexed, "harbour never") == []
    assert find(indexed, "harbours") == [2]


def test_words_of_a_description_that_is_long_are_found_too(indexed):
    record, text = task(1), b"far away is the lighthouse"
    indexed.add(replace(record, description=digest(text)), [text])
    assert find(indexed, "lighthouse task") == [1]


def test_a_task_is_found_by_the_title_that_it_has_now(indexed):
    """An alarm that is open gets another one when what it is of changes."""
    for number in (1, 2):
        add(indexed, number, title=f"no backup arrives {number}")
    indexed.change(task(1).task.id, Move(lambda r, _: rules.changed(r, NOW, title="the disk is nearly full")))
    assert (find(indexed, "backup"), find(indexed, "disk")) == ([2], [1])


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("a* OR b", [2]),
        ('NEAR("a" b)', [2]),
        ("title:a", []),
        ("^a", [2, 1]),
        ("-a", [2, 1]),
        ("(a", [2, 1]),
        ("a AND b", [1]),
        ("a' OR '1'='1", []),
        ("{text}: a", []),
        ("a\\", [2, 1]),
        ('a "', [2, 1]),
    ],
)
def test_what_is_typed_is_only_words(indexed, typed, found):
    add(indexed, 1, title="task one with a and b")
    add(indexed, 2, title="near a or b title")
    assert find(indexed, typed) == found


def test_a_joined_word_is_a_phrase(indexed):
    add(indexed, 1, title="the sea-side room, 12.50")
    add(indexed, 2, title="the side of the sea")
    assert find(indexed, "sea-side") == find(indexed, "12.50") == [1]
    assert find(indexed, "side sea") == [2, 1]


OF_NONE = {"state": State.CANCELLED, "label": "night-shift", "least": 6, "most": 4, "since": 1.0, "until": 0.0}
"""A value of each filter that a task of 5 micro-dollars does not fit, and where its id is of the year 1970."""


def test_each_filter_leaves_out_what_does_not_fit(store):
    spent(store, 1, usd_micros=5)
    assert all_of_numbers(store, TaskFilter()) == [1]
    for name in TaskFilter.__dataclass_fields__.keys() - {"words"}:  # these have an index of their own, and its tests
        assert all_of_numbers(store, TaskFilter(**{name: OF_NONE[name]})) == []


def test_no_word_at_all_is_refused(store):
    with pytest.raises(Invalid, match="no word"):
        find(store, "… --")


def test_a_listing_is_walked_in_parts_by_age(store):
    for number in range(1, 8):
        add(store, number)
    assert all_of_numbers(store, TaskFilter()) == [7, 6, 5, 4, 3, 2, 1]
    assert all_of_numbers(store, TaskFilter(), Sort.OLDEST) == [1, 2, 3, 4, 5, 6, 7]


def test_a_listing_is_walked_in_parts_by_words_and_by_cost(indexed):
    for number in range(1, 8):
        spent(indexed, number, (number * 3) % 7 * 100)
    assert all_of_numbers(indexed, TaskFilter(), Sort.COST) == [2, 4, 6, 1, 3, 5]
    assert all_of_numbers(indexed, TaskFilter(words="task")) == [7, 6, 5, 4, 3, 2, 1]
    assert all_of_numbers(indexed, TaskFilter(words="task"), Sort.OLDEST) == [1, 2, 3, 4, 5, 6, 7]


def test_a_listing_says_that_nothing_follows_and_takes_no_foreign_cursor(store):
    for number in (1, 2):
        add(store, number)
    assert store.listing(limit=2).cursor is None
    assert store.listing(limit=1).cursor is not None
    for cursor in ("x", f"5.{task(1).task.id}"):
        with pytest.raises(Invalid, match="cursor"):
            store.listing(sort=Sort.OLDEST, cursor=cursor)


def test_a_listing_by_words_or_cost_takes_no_foreign_cursor(indexed):
    for which, sort, cursor in (
        (TaskFilter(words="task"), Sort.NEWEST, "x"),
        (TaskFilter(), Sort.COST, task(1).task.id),
    ):
        with pytest.raises(Invalid, match="cursor"):
            indexed.listing(which, sort=sort, cursor=cursor)


def test_what_a_store_has_no_index_for_is_refused_by_name():
    with closing(dynamo.store()) as store:
        with pytest.raises(Invalid, match="words: cannot be searched in a queue on DynamoDB"):
            store.listing(TaskFilter(words="task"))
        with pytest.raises(Invalid, match="sort: must be newest or oldest"):
            store.listing(sort=Sort.COST)


@pytest.mark.parametrize(("sort", "rest"), [(Sort.NEWEST, [1]), (Sort.OLDEST, [4])])
def test_a_listing_goes_on_where_its_last_task_was_deleted(store, sort, rest):
    for number in (1, 2, 3, 4):
        add(store, number)
    part = store.listing(TaskFilter(), sort=sort, limit=3)
    last = part.records[-1].task.id
    finish(store, last, "S1")
    assert store.prune(Before(tasks=LATER)).tasks == 1
    assert numbers(store.listing(TaskFilter(), sort=sort, cursor=part.cursor)) == rest


@pytest.mark.parametrize(("sort", "rest"), [(Sort.NEWEST, [1]), (Sort.OLDEST, [4])])
def test_a_listing_by_words_goes_on_where_its_last_task_was_deleted(indexed, sort, rest):
    for number in (1, 2, 3, 4):
        add(indexed, number)
    part = indexed.listing(TaskFilter(words="task"), sort=sort, limit=3)
    last = part.records[-1].task.id
    finish(indexed, last, "S1")
    assert indexed.prune(Before(tasks=LATER)).tasks == 1
    assert numbers(indexed.listing(TaskFilter(words="task"), sort=sort, cursor=part.cursor)) == rest


def test_cost_is_followed_when_it_grows(indexed):
    task_id = spent(indexed, 1, 100).task.id
    spent(indexed, 2, 200)
    assert all_of_numbers(indexed, TaskFilter(), Sort.COST) == [2, 1]
    change(indexed, task_id, rules.retry)
    assert all_of_numbers(indexed, TaskFilter(least=100, most=100)) == [1]
    end(indexed, claim(indexed, task_id), Exit.FAULT, usd_micros=900)
    assert all_of_numbers(indexed, TaskFilter(), Sort.COST) == [1, 2]
    assert all_of_numbers(indexed, TaskFilter(least=100, most=100)) == []


def test_cost_is_followed_when_a_cancelled_task_is_settled(indexed):
    held = claim(indexed, add(indexed, 1))
    change(indexed, held.task.id, rules.cancel)
    end(indexed, held, Exit.FENCED, usd_micros=300)
    assert all_of_numbers(indexed, TaskFilter(), Sort.COST) == [1]


def test_words_are_not_sorted_by_cost(store):
    with pytest.raises(Invalid, match="sort"):
        store.listing(TaskFilter(words="task"), sort=Sort.COST)


FILTERS = {
    "state": st.sampled_from([None, *State]),
    "words": st.sampled_from([None, "even", "task", "third even", "never"]),
    "label": st.sampled_from([None, "night", "third", "none"]),
    "least": st.sampled_from([None, 0, 1, 400]),
    "most": st.sampled_from([None, 0, 600]),
    "since": st.sampled_from([None, SECONDS, SECONDS + 5]),
    "until": st.sampled_from([None, SECONDS + 5, SECONDS + 9]),
}


def labelled(store, number):
    """A task of a kind that its number says, added at second `number`."""
    words = ("even" if number % 2 == 0 else "odd", "third" if number % 3 == 0 else "")
    labels = ("night", "third") if number % 3 == 0 else ("night",) if number % 2 else ()
    new = NewTask(title=f"task {' '.join(words)}", labels=labels, budget=AskedBudget(usd_micros=10**8))
    task_id = f"{first_id(SECONDS + number)[:10]}{number:016}"
    store.add(rules.draft(new, task_id, NOW))
    if number % 4:
        held = claim(store, task_id, f"S{number}")
        if number % 4 > 1:
            end(store, held, Exit.FAULT if number % 4 == 2 else Exit.FINISHED, usd_micros=number * 100)


def fits(number, which):
    state = (State.QUEUED, State.RUNNING, State.FAILED, State.DONE)[number % 4]
    cost = number * 100 if number % 4 > 1 else 0
    words = {"task", "even" if number % 2 == 0 else "odd", *(["third"] if number % 3 == 0 else [])}
    labels = {"night", "third"} if number % 3 == 0 else {"night"} if number % 2 else set()
    return (
        which.state in (None, state)
        and set((which.words or "").split()) <= words
        and (which.label is None or which.label in labels)
        and (which.least or 0) <= cost <= (10**9 if which.most is None else which.most)
        and (which.since or 0) <= SECONDS + number < (which.until or 10**12)
    )


@pytest.fixture(scope="module", params=["memory", Bounds(), Bounds(3, 2, 5, 0.0), Bounds(1, 1, 2, -1.0)], ids=str)
def stocked(request, tmp_path_factory):
    """Tasks of all kinds. Whatever a count is held against, another index leads, and parts end elsewhere."""
    path = tmp_path_factory.mktemp("q") / "queue.db"
    with closing(MemoryStore() if request.param == "memory" else SqliteStore(path, bounds=request.param)) as found:
        for number in range(12):
            labelled(found, number)
        yield found


@pytest.fixture(scope="module", params=[500, 3, 1])
def stocked_table(request):
    """The same in a table, whose listings end after so many tasks were read."""
    with closing(dynamo.store(looked=request.param)) as found:
        for number in range(12):
            labelled(found, number)
        yield found


@given(which=st.builds(TaskFilter, **{**FILTERS, "words": st.none()}), sort=st.sampled_from([Sort.NEWEST, Sort.OLDEST]))
@settings(max_examples=25, deadline=None)
def test_a_table_lists_all_that_fits_its_filters_and_nothing_else(stocked_table, which, sort):
    found = [int(name[10:]) for name in all_of(stocked_table, which, sort)]
    expected = [number for number in range(12) if fits(number, which)]
    assert found == (expected if sort is Sort.OLDEST else expected[::-1])


@given(which=st.builds(TaskFilter, **FILTERS), sort=st.sampled_from(Sort))
@settings(max_examples=80, deadline=None)
def test_a_listing_holds_all_that_fits_its_filters_and_nothing_else(stocked, which, sort):
    assume(not (which.words and sort is Sort.COST))
    found = [int(name[10:]) for name in all_of(stocked, which, sort)]
    expected = [number for number in range(12) if fits(number, which)]
    if sort is Sort.COST:
        expected = [number for number in expected if number % 4 > 1]
    assert found == (expected if sort is Sort.OLDEST else expected[::-1])


def test_what_is_deleted_is_no_longer_listed(store):
    finish(store, add(store, 1, labels=("x",)), "S1")
    add(store, 2, labels=("x",))
    assert store.prune(Before(tasks=LATER)).tasks == 1
    for which in (TaskFilter(label="x"), TaskFilter()):
        assert all_of_numbers(store, which) == [2]
    add(store, 1, labels=("x",))
    assert sorted(all_of_numbers(store, TaskFilter(label="x"))) == [1, 2]


def test_what_is_deleted_is_no_longer_found_by_words(indexed):
    finish(indexed, add(indexed, 1), "S1")
    add(indexed, 2)
    assert indexed.prune(Before(tasks=LATER)).tasks == 1
    assert find(indexed, "task") == [2]
    add(indexed, 1)
    assert sorted(find(indexed, "task")) == [1, 2]


def waits_for(store, number, *children):
    """A task that waits for some of others."""
    parent = add(store, number)
    running = claim(store, parent, f"S{number}")
    return end(store, running, Exit.SUBTASKS, wait=Wait(tool_use_id="toolu_1", tasks=children))


def test_a_task_that_waits_for_subtasks_is_no_candidate_until_it_is_woken(store):
    add(store, 9, not_before="2098-12-31T23:59:59Z")  # a user's own far day is no wait
    parent = waits_for(store, 1, "A", "B")
    assert parent.task.state is State.QUEUED
    assert parent.reserved == 0
    assert ids(store) == ids(store, suspended_only=True) == []
    assert [record.task.waits_for for record in store.waiting_parents()] == [("A", "B")]
    change(store, parent.task.id, rules.wake, {"A"})
    assert ids(store) == []
    assert [record.task.waits_for for record in store.waiting_parents()] == [("B",)]
    change(store, parent.task.id, rules.wake, {"A", "B"})
    assert ids(store) == ids(store, suspended_only=True) == [1]
    assert store.waiting_parents() == []
    assert store.get(parent.task.id).wait.tasks == ("A", "B")


def test_a_cancelled_task_waits_no_longer(store):
    parent = waits_for(store, 1, "A")
    assert change(store, parent.task.id, rules.cancel).task.waits_for == ()
    assert store.waiting_parents() == []
