"""What a session is told of the subtasks that it waited for."""

import pytest

from agent.session import subtasks
from wire.types import SUBTASKS_LIMIT, Event, EventKind, File, FileInfo, State, Subtask, Waited
from wire.values import Invalid

A, B = "01KRGKAHG0E073R7GREH4AHP7A", "01KRGKAHG0E073R7GREH4AHP7B"


class Claimed:
    def __init__(self, *waited):
        self.waited = Waited(tool_use_id="w", subtasks=waited)


def test_each_outcome_with_its_result_word_for_word_and_its_files():
    done = Subtask(
        id=A, title="Count", state=State.DONE, result="line 1\n  line 2", files=(File(name="a.csv", content=b"12"),)
    )
    failed = Subtask(
        id=B, title="Sum", state=State.FAILED, reason="it broke", left_out=(FileInfo(name="big.bin", size=99),)
    )
    claim = Claimed(done, failed)
    told = subtasks.report(claim.waited)
    assert f"Task {A} Count: done.\nIts result:\nline 1\n  line 2\nIn /workspace: {A}-a.csv, 2 bytes" in told
    assert f"Task {B} Sum: failed.\nReason: it broke\nToo large to come along" in told
    assert "big.bin, 99 bytes" in told
    assert [(file.name, file.content) for file in subtasks.files(claim)] == [(f"{A}-a.csv", b"12")]


def test_a_long_result_is_cut_in_the_text_and_whole_in_the_workspace():
    claim = Claimed(*(Subtask(id=name, title="t", state=State.DONE, result=name[-1] * 20_000) for name in (A, B)))
    assert len(subtasks.report(claim.waited).encode()) < subtasks.TOLD + 2000
    assert [(file.name, len(file.content)) for file in subtasks.files(claim)] == [
        (f"result-{A}.txt", 20_000),
        (f"result-{B}.txt", 20_000),
    ]
    assert f"result-{A}.txt" in subtasks.report(claim.waited)


def test_a_session_that_never_waited_gets_no_files():
    class Other:
        waited = None

    assert subtasks.files(Other()) == []


def test_too_many_to_wait_for_at_once_are_to_be_named():
    made = [
        Event(n=n, at="", kind=EventKind.TOOL_RESULT, data={"created": {"id": f"T{n}"}})
        for n in range(SUBTASKS_LIMIT + 1)
    ]
    with pytest.raises(Invalid, match="T20"):
        subtasks.awaited(made, "w", [])
    assert len(subtasks.awaited(made[1:], "w", [])) == SUBTASKS_LIMIT
