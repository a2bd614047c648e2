"""What the queue makes of the rules and a store together."""

from datetime import timedelta

import pytest

from dashboard.queue import Queue
from dashboard.record import StaleVersion
from dashboard.settings import Settings
from wire.times import stamp
from wire.types import (
    AskedBudget,
    Batch,
    ClaimRequest,
    Event,
    EventKind,
    Exit,
    File,
    Heartbeat,
    NewTask,
    Question,
    Reply,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
)
from wire.values import Invalid

ANYONE = ClaimRequest(host="h")


def add(queue, title="t", **fields):
    return queue.add(NewTask(title=title, **fields))[0]


def test_the_most_urgent_task_comes_first_and_then_the_oldest(queue, clock):
    for title, priority in (("a", 5), ("b", 9), ("c", 5)):
        add(queue, title, priority=priority)
        clock.go_on(seconds=1)
    assert [queue.claim(ANYONE).task.title for _ in range(3)] == ["b", "a", "c"]
    assert queue.claim(ANYONE) is None


def test_tasks_that_can_not_go_on_never_starve_those_behind_them(queue):
    parent = add(queue, priority=9, budget=AskedBudget(sessions=100))
    queue.claim(ANYONE)
    for n in range(25):
        add(queue, f"child {n}", parent=parent.id, priority=9)
    behind = add(queue, "behind", priority=0)
    assert queue.claim(ANYONE).task.id == behind.id


def test_a_family_without_budget_is_tried_once_and_not_task_by_task(queue, store):
    parent = add(queue, priority=9, budget=AskedBudget(sessions=100))
    queue.claim(ANYONE)
    for n in range(300):
        add(queue, f"child {n}", parent=parent.id, priority=9)
    counting = CountingStore(store)
    assert Queue(counting, Settings(), queue.clock).claim(ANYONE) is None
    assert counting.changes == 1


def test_a_claim_asked_for_again_is_found_without_reading_all_that_runs(store, clock):
    counting = CountingStore(store)
    queue = Queue(counting, Settings(), clock, clock.seconds)
    for title in ("a", "b"):
        add(queue, title)
    first = queue.claim(ANYONE, key="k")
    clock.go_on(seconds=60)
    queue.heartbeat(first.task.id, Heartbeat(fence=1))
    clock.go_on(seconds=61)
    before = counting.looks
    assert queue.claim(ANYONE, key="k") == first
    assert queue.claim(ANYONE, key="other").task.title == "b"
    # For leases that are past, once a second.
    assert counting.looks - before == 1


def test_a_claim_that_a_process_before_gave_is_found_for_as_long_as_its_lease(store, clock):
    add(Queue(store, Settings(), clock, clock.seconds))
    first = Queue(store, Settings(), clock, clock.seconds).claim(ANYONE, key="k")
    assert Queue(store, Settings(), clock, clock.seconds).claim(ANYONE, key="k") == first


class CountingStore:
    """A store that counts how often a record was to be changed, and all that runs looked at."""

    def __init__(self, store):
        self._store, self.changes, self.looks = store, 0, 0

    def leased(self):
        self.looks += 1
        return self._store.leased()

    def __getattr__(self, name):
        return getattr(self._store, name)

    def change(self, *given):
        self.changes += 1
        return self._store.change(*given)


def test_a_task_out_of_budget_is_passed_to_a_user_and_the_next_one_given(queue, store):
    broke = add(queue, priority=9, budget=AskedBudget(usd_micros=1))
    held = queue.claim(ANYONE)
    queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.DRAINED, usd_micros=1))
    other = add(queue)
    assert queue.claim(ANYONE).task.id == other.id
    assert store.get(broke.id).task.state is State.NEEDS_YOU


def test_a_lost_holder_is_replaced_after_its_lease_in_the_same_session(queue, clock):
    add(queue)
    first = queue.claim(ANYONE)
    clock.go_on(seconds=first.lease.ttl_s + 1)
    second = queue.claim(ClaimRequest(host="other", suspended_only=True))
    assert (second.session.id, second.session.new, second.lease.fence) == (first.session.id, False, 2)


def test_a_session_that_goes_on_may_spend_its_own_total_again_and_the_rest(queue):
    add(queue, budget=AskedBudget(usd_micros=1000))
    first = queue.claim(ANYONE)
    queue.end(first.session.id, SessionEnd(fence=1, exit=Exit.DRAINED, usd_micros=300))
    assert queue.claim(ANYONE).session.usd_micros == 1000


def test_children_spend_what_their_parent_left_and_a_users_grant_counts_for_the_family(queue):
    parent = add(queue, budget=AskedBudget(sessions=2, usd_micros=1000))
    held = queue.claim(ANYONE)
    child = add(queue, parent=parent.id)
    queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FINISHED, usd_micros=400))
    mine = queue.claim(ANYONE)
    assert (mine.task.id, mine.session.usd_micros) == (child.id, 600)


def test_a_grandchild_belongs_to_the_same_family(queue):
    parent = add(queue, budget=AskedBudget(usd_micros=1000))
    child = add(queue, parent=parent.id)
    grandchild = add(queue, parent=child.id)
    assert queue.store.get(grandchild.id).root == parent.id


def test_a_rested_task_comes_back_when_its_time_has_come(queue, clock):
    add(queue, not_before=stamp(clock() + timedelta(minutes=5)))
    assert queue.claim(ANYONE) is None
    clock.go_on(minutes=5)
    assert queue.claim(ANYONE)


def test_files_of_one_name_are_refused(queue):
    twice = (File(name="a", content=b"1"), File(name="a", content=b"2"))
    with pytest.raises(Invalid, match=r"context\[1\].name"):
        add(queue, context=twice)


def test_the_lease_lasts_as_long_as_the_settings_say(store, clock):
    queue = Queue(store, Settings(lease_s=7), clock)
    add(queue)
    assert queue.claim(ANYONE).lease.ttl_s == 7


@pytest.mark.parametrize("length", [1024, 1025])
def test_a_text_comes_back_whole_whether_it_is_short_or_a_blob(queue, store, length):
    task = add(queue, description="d" * length)
    held = queue.claim(ANYONE)
    done = queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FINISHED, result="r" * length))
    assert (held.task.description, done.description, done.result) == ("d" * length, "d" * length, "r" * length)
    assert queue.get(task.id) == done
    assert (store.get(task.id).description is None) == (length == 1024)


def test_an_empty_result_is_a_result(queue):
    add(queue)
    held = queue.claim(ANYONE)
    assert queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FINISHED, result="")).result == ""


def test_cancelling_a_task_cancels_what_it_made_and_nothing_else(queue):
    parent = add(queue)
    child = add(queue, parent=parent.id)
    grandchild, sibling = add(queue, parent=child.id), add(queue, parent=parent.id)
    assert [record.task.id for record in queue.subtasks(queue.store.get(child.id))] == [grandchild.id]
    queue.cancel(child.id)
    states = {task.id: task.state for task in queue.tasks()}
    assert states == {
        parent.id: State.QUEUED, child.id: State.CANCELLED, grandchild.id: State.CANCELLED, sibling.id: State.QUEUED,
    }  # fmt: skip


def asking(queue):
    add(queue)
    held = queue.claim(ANYONE)
    question = Question(tool_use_id="tu", text="keep?")
    return queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.ASKED, question=question))


def test_a_second_answer_is_refused_and_kept_as_a_note(queue):
    waits = asking(queue)
    queue.reply(waits.id, Reply(text="keep"), waits.version)
    with pytest.raises(StaleVersion, match="kept as a note"):
        queue.reply(waits.id, Reply(text="release"), waits.version)
    claim = queue.claim(ANYONE)
    assert ([answer.text for answer in claim.answers], claim.notes) == (["keep"], ("release",))


def test_the_same_answer_once_more_is_the_first_one(queue):
    waits = asking(queue)
    first = queue.reply(waits.id, Reply(text="keep"), waits.version)
    assert queue.reply(waits.id, Reply(text="keep"), waits.version) == first
    assert queue.claim(ANYONE).notes == ()


def test_a_report_from_the_future_is_refused(queue, clock):
    run = {"started_at": stamp(clock()), "outcome": SyncOutcome.CHANGED}
    queue.report(SyncRun(finished_at=stamp(clock() + timedelta(minutes=5)), **run))
    with pytest.raises(Invalid, match="is in the future"):
        queue.report(SyncRun(finished_at=stamp(clock() + timedelta(minutes=5, seconds=1)), **run))


def test_a_hosts_day_is_what_began_on_it_and_what_that_spent_so_far(queue, clock):
    clock.go_on(hours=-13)  # the day before
    add(queue, "yesterday")
    queue.claim(ANYONE)
    clock.go_on(hours=13)
    for title in ("settled", "running", "elsewhere", "not begun"):
        add(queue, title, priority=9)
    settled, running, elsewhere, _not_begun = (
        queue.claim(ClaimRequest(host=host)) for host in ("h", "h", "other", "h")
    )
    settle = {"turn": 1, "usd_micros": 40}
    for claim in (running, elsewhere):
        event = Event(n=1, at=stamp(clock()), kind=EventKind.SETTLE, data=settle)
        queue.deliver(claim.session.id, Batch(fence=claim.lease.fence, events=(event,)))
    end = SessionEnd(fence=settled.lease.fence, exit=Exit.FINISHED, result="r", turns=2, usd_micros=300)
    queue.end(settled.session.id, end)
    day = queue.today("h")
    assert (day.day, day.usd_micros) == ("2026-05-13", {settled.session.id: 300, running.session.id: 40})
