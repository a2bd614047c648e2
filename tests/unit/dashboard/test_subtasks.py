"""A task that waits for its subtasks: who wakes it, what it is told, and that it cannot wait for ever."""

import pytest
from msgspec.structs import replace

from dashboard.queue import NO_SUBTASK, Queue
from dashboard.record import Busy, Move
from dashboard.settings import Settings
from wire.types import (
    FILE_LIMIT,
    SUBTASKS_LIMIT,
    AskedBudget,
    ClaimRequest,
    Exit,
    File,
    NewTask,
    Reply,
    SessionEnd,
    State,
    Wait,
)
from wire.values import Invalid

ANYONE = ClaimRequest(host="h")


class Family:
    """A task whose session has created two subtasks and waits for them."""

    def __init__(self, queue, *, waits=True, **fields):
        self.queue = queue
        self.parent = queue.add(NewTask(title="parent", priority=9, **fields))[0].id
        self.claim = queue.claim(ANYONE)
        self.children = [self.create(f"child {n}") for n in (1, 2)]
        if waits:
            self.wait(*self.children)

    def create(self, title):
        return self.queue.add(NewTask(title=title, parent=self.parent))[0].id

    def wait(self, *tasks, call="toolu_w"):
        self.end(self.claim, Exit.SUBTASKS, wait=Wait(tool_use_id=call, tasks=tasks))

    def end(self, claim, code, **fields):
        return self.queue.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=code, **fields))

    def work(self, code=Exit.FINISHED, **fields):
        """Let the next task that can be claimed come to its end; return what it is called."""
        claim = self.queue.claim(ANYONE)
        self.end(claim, code, **fields)
        return claim.task.title

    @property
    def task(self):
        return self.queue.get(self.parent)


@pytest.fixture
def family(queue):
    return Family(queue)


def test_a_waiting_task_holds_no_lease_and_no_money_and_its_subtasks_run_first(family, store):
    assert store.budget(family.parent).reserved == 0
    assert store.running() == []
    assert (family.task.state, family.task.waits_for) == (State.QUEUED, tuple(family.children))
    assert [family.work() for _ in range(2)] == ["child 1", "child 2"]


def test_its_session_goes_on_with_what_became_of_each(family):
    family.work(result="one", files=(File(name="a.csv", content=b"1"),))
    second = family.queue.claim(ANYONE)
    assert second.task.title == "child 2"  # not yet the parent
    family.queue.cancel(family.children[1])
    assert family.queue.claim(ANYONE) is None  # its session may still be spending
    family.end(second, Exit.FENCED)
    claim = family.queue.claim(ANYONE)
    assert (claim.task.id, claim.session.id, claim.session.new) == (family.parent, family.claim.session.id, False)
    assert claim.task.sessions_used == 1
    first, second = claim.waited.subtasks
    assert claim.waited.tool_use_id == "toolu_w"
    assert (first.title, first.state, first.result) == ("child 1", State.DONE, "one")
    assert [(file.name, file.content) for file in first.files] == [("a.csv", b"1")]
    assert (second.state, second.result) == (State.CANCELLED, "")


def test_all_that_failed_is_told_with_the_reasons(family):
    for _ in family.children:
        family.work(Exit.FAULT, reason="it broke")
    told = family.queue.claim(ANYONE).waited.subtasks
    assert [(each.state, each.reason) for each in told] == [(State.FAILED, "it broke")] * 2


def test_a_subtask_that_waits_for_a_user_is_waited_for(family):
    family.work()
    family.work(Exit.STUCK, reason="hm")
    assert family.task.waits_for == (family.children[1],)
    assert family.queue.claim(ANYONE) is None
    stuck = family.queue.get(family.children[1])
    family.queue.reply(stuck.id, Reply(text="go on"), stuck.version)
    family.work(result="after all")
    assert family.queue.claim(ANYONE).waited.subtasks[1].result == "after all"


def test_what_is_over_before_the_wait_begins_is_not_waited_for(queue):
    family = Family(queue, waits=False)
    for child in family.children:
        queue.cancel(child)
    family.wait(*family.children)
    assert family.task.waits_for == ()
    assert queue.claim(ANYONE).task.id == family.parent


def test_nobody_can_wait_for_its_parent_a_stranger_or_what_was_refused(queue):
    family = Family(queue, waits=False)
    stranger = queue.add(NewTask(title="stranger", priority=0))[0].id
    family.wait(family.parent, stranger, "01KRGKAHG0E073R7GREH4AHP70")
    told = queue.claim(ANYONE).waited.subtasks
    assert [each.reason for each in told] == [NO_SUBTASK] * 3


def test_a_child_that_waits_for_its_parent_goes_on_at_once(family):
    child = family.queue.claim(ANYONE)
    family.end(child, Exit.SUBTASKS, wait=Wait(tool_use_id="toolu_c", tasks=(family.parent,)))
    assert family.queue.claim(ANYONE).task.id == child.task.id


def test_a_cancelled_parent_takes_its_subtasks_along(family):
    family.queue.cancel(family.parent)
    assert [family.queue.get(child).state for child in family.children] == [State.CANCELLED] * 2
    assert family.queue.claim(ANYONE) is None


def test_a_family_without_budget_comes_to_a_user(queue):
    family = Family(queue, budget=AskedBudget(usd_micros=1000))
    family.work(usd_micros=1000)
    assert queue.claim(ANYONE) is None  # its sister has nothing left, and waits for a user
    assert queue.get(family.children[1]).state is State.NEEDS_YOU
    queue.cancel(family.children[1])
    assert queue.claim(ANYONE) is None
    assert (family.task.state, family.task.waiting.kind) == (State.NEEDS_YOU, "budget")


def kill(queue, store, child):
    """End a subtask as a dashboard does that is killed before it wakes the parent, or one that knows no waits."""
    done = lambda record, _: replace(record, task=replace(record.task, state=State.DONE, version=99))  # noqa: E731
    store.change(child, Move(done))


def test_a_wake_that_a_crash_took_is_made_up_for_by_the_watch(family, store, clock):
    for child in family.children:
        kill(family.queue, store, child)
    assert family.queue.claim(ANYONE) is None
    later = Queue(store, Settings(), clock, clock.seconds)
    later.look()
    assert later.claim(ANYONE).task.id == family.parent


def test_a_crash_between_the_wait_and_its_own_look_is_made_up_for_too(queue, store, clock):
    family = Family(queue, waits=False)
    for child in family.children:
        kill(queue, store, child)
    failing = Queue(Failing(store), Settings(), clock, clock.seconds)
    family.queue = failing
    family.wait(*family.children)
    assert family.task.waits_for == tuple(family.children)
    queue.look()
    assert queue.claim(ANYONE).task.id == family.parent


class Failing:
    """A store that finds the file locked whenever a parent is to be woken."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def change(self, *_):
        raise Busy("locked")


def test_files_come_along_as_far_as_there_is_room_and_the_rest_is_named(family):
    half = FILE_LIMIT // 2 + 1
    family.work(files=(File(name="a.bin", content=bytes(half)), File(name="b.bin", content=bytes(half))))
    family.work(files=(File(name="c.bin", content=b"1"),))
    first, second = family.queue.claim(ANYONE).waited.subtasks
    assert [file.name for file in first.files] == ["a.bin"]
    assert [(info.name, info.size) for info in first.left_out] == [("b.bin", half)]
    assert [file.name for file in second.files] == ["c.bin"]


def test_a_new_session_is_not_told_again(family):
    for _ in family.children:
        family.work()
    claim = family.queue.claim(ANYONE)
    family.end(claim, Exit.TURN_LIMIT, checkpoint="both are in")
    assert family.queue.claim(ANYONE).waited is None


def test_a_wait_for_nothing_is_refused(queue):
    family = Family(queue, waits=False)
    with pytest.raises(Invalid, match="wait"):
        family.wait()
    with pytest.raises(Invalid, match="wait"):
        family.end(family.claim, Exit.SUBTASKS)


def test_a_wait_is_for_so_many_subtasks_and_no_more(queue):
    family = Family(queue, waits=False)
    many = [f"{number:026}" for number in range(SUBTASKS_LIMIT + 1)]
    with pytest.raises(Invalid, match="wait"):
        family.wait(*many)
    family.wait(*many[1:])
    assert queue.get(family.parent).state is State.QUEUED
