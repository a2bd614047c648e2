"""What is done to many tasks: what is foreseen is what comes of it, and no more."""

from datetime import UTC, datetime

import pytest

from dashboard.bulk import Action, Bulk
from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores.memory import MemoryStore
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd, State

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
CANCEL, RETRY, AFRESH = Bulk(action=Action.CANCEL), Bulk(action=Action.RETRY), Bulk(action=Action.AFRESH)
URGENT = Bulk(action=Action.PRIORITY, priority=9)


@pytest.fixture
def queue():
    return Queue(MemoryStore(), Settings(), lambda: NOW)


def add(queue, title="t", **fields):
    return queue.add(NewTask(title=title, **fields))[0].id


def end(queue, code):
    held = queue.claim(ClaimRequest(host="h"))
    queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=code, checkpoint="so far"))
    return held.task.id


def versions(found):
    return {each.task.id: each.task.version for each in found if each.after}


def test_what_is_foreseen_is_what_comes_of_it(queue):
    failed, done = (add(queue) and end(queue, code) for code in (Exit.FAULT, Exit.FINISHED))
    queued = add(queue)
    for bulk, state in ((URGENT, State.QUEUED), (CANCEL, State.CANCELLED)):
        found = queue.foresee([failed, done, queued, "0" * 26], bulk)
        assert [(each.task.id, each.after and each.after.state) for each in found][1:] == [
            (done, None),
            (queued, state),
        ]
        answered = queue.apply(bulk, versions(found))
        assert [each.after for each in found if each.after] == [each.after for each in answered]
    assert queue.get(queued).priority == 9
    assert "done" in queue.foresee([done], CANCEL)[0].why


def test_a_retry_goes_on_and_afresh_begins_anew(queue):
    for bulk, new in ((RETRY, False), (AFRESH, True)):
        add(queue, "fails")
        failed = end(queue, Exit.FAULT)
        assert queue.apply(bulk, versions(queue.foresee([failed], bulk)))[0].after.state is State.QUEUED
        held = queue.claim(ClaimRequest(host="h"))
        assert (held.task.id, held.session.new) == (failed, new)
        queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.FINISHED))


def test_subtasks_are_foreseen_and_cancelled_with_their_maker(queue):
    parent = add(queue, "parent")
    child = add(queue, "child", parent=parent)
    (found,) = queue.foresee([parent], CANCEL)
    assert [task.id for task in found.subtasks] == [child]
    queue.apply(CANCEL, versions([found]))
    assert queue.get(child).state is State.CANCELLED
    assert queue.foresee([parent], URGENT)[0].subtasks == []


def test_what_changed_since_is_left_alone_and_said_to_be(queue):
    first, second = add(queue, "first"), add(queue, "second")
    found = versions(queue.foresee([first, second], CANCEL))
    queue.claim(ClaimRequest(host="h"))
    answered = queue.apply(CANCEL, found)
    assert [each.after and each.after.state for each in answered] == [None, State.CANCELLED]
    assert "changed since you looked, and is running now" in answered[0].why
    assert queue.get(first).state is State.RUNNING


def test_doing_it_twice_does_it_once_and_says_so(queue):
    found = versions(queue.foresee([add(queue)], CANCEL))
    first, second = queue.apply(CANCEL, found), queue.apply(CANCEL, found)
    assert first == second
    assert queue.foresee([*found], CANCEL)[0].why == "it is so already"


def test_a_task_that_is_gone_is_said_to_be(queue):
    assert queue.apply(CANCEL, {"0" * 26: 1})[0].why == "it is not there any more"
