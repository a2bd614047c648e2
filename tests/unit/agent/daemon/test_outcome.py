"""What is reported of a session, from its records and what the daemon knows of its process."""

import pytest
from msgspec.structs import replace

from agent.daemon.outcome import UNDRAINED, Progress, crashed, crashes, fault, outcome
from wire.types import Event, EventKind, Exit, Question

PROGRESS = Progress(task="T", fence=7, began_at=2)
LAST_WORD = {"reason": "why", "turns": 4, "usd_micros": 90, "files": []}


def journal(*records):
    return [
        Event(n=n, at="2026-11-21T00:00:00Z", kind=EventKind(kind), data=data)
        for n, (kind, data) in enumerate(records, 1)
    ]


def reserve(turn):
    return "reserve", {"turn": turn, "usd_micros": 100, "hand_over": False}


HEADER = ("header", {})
END = ("end", {"exit": 0, **LAST_WORD})
SUSPEND = ("suspend", {"exit": 143, **LAST_WORD})


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], True),
        ([HEADER, reserve(1), reserve(2)], True),
        ([HEADER, reserve(1), END], False),
        ([END], False),  # it ended before this claim: the process only reported it again
        ([HEADER, reserve(1), SUSPEND], False),
        ([HEADER, SUSPEND], True),  # this claim's process left no record of its own
        ([HEADER, SUSPEND, reserve(1)], True),
    ],
)
def test_without_a_last_word_since_the_claim_it_crashed(records, expected):
    assert crashed(journal(*records), PROGRESS) is expected


def test_a_last_word_is_reported_under_the_fence_with_its_files_named():
    files = ["a.csv", "b.csv"]
    end, names = outcome(journal(HEADER, ("end", {**END[1], "result": "42", "files": files})), PROGRESS)
    assert (end.exit, end.fence, end.reason, end.turns, end.usd_micros) == (Exit.FINISHED, 7, "why", 4, 90)
    assert (end.result, end.files, names) == ("42", (), ("a.csv", "b.csv"))


@pytest.mark.parametrize(("header", "limit"), [({"limits": {"turns": 40}}, 40), ({}, None)])
def test_the_limit_that_a_session_had_travels_with_the_outcome(header, limit):
    end, _ = outcome(journal(("header", header), reserve(1), END), PROGRESS)
    assert end.turn_limit == limit


def test_a_question_travels_with_the_outcome():
    asked = {**SUSPEND[1], "exit": 2, "question": {"tool_use_id": "toolu_1", "text": "Keep?"}}
    end, _ = outcome(journal(HEADER, reserve(1), ("suspend", asked)), PROGRESS)
    assert (end.exit, end.question) == (Exit.ASKED, Question(tool_use_id="toolu_1", text="Keep?"))


def test_a_cancelled_session_is_fenced_whatever_its_last_word_is():
    end, names = outcome(journal(reserve(1), END), replace(PROGRESS, cancelled=True))
    assert (end.exit, end.reason, end.turns, end.usd_micros, names) == (Exit.FENCED, "cancelled", 1, 100, ())


def test_refused_tasks_of_its_own_are_reported_behind_the_reason():
    end, _ = outcome(journal(END), replace(PROGRESS, refused=("422 title", "409 id")))
    assert end.reason == "why A task of its own was refused: 422 title. A task of its own was refused: 409 id."


def test_a_last_record_that_can_t_be_read_is_our_fault():
    end, names = outcome(journal(reserve(1), ("end", {"exit": "soon"})), PROGRESS)
    assert (end.exit, end.turns, names) == (Exit.FAULT, 1, ())
    assert "the journal's last record can't be read: " in end.reason


def test_a_crash_goes_on_with_the_worst_price_of_what_is_open():
    end, names = outcome(journal(HEADER, reserve(1)), replace(PROGRESS, stopped="signal SIGKILL"))
    assert (end.exit, end.fence, end.turns, end.usd_micros, names) == (Exit.DRAINED, 7, 1, 100, ())
    assert end.reason == "crashed: signal SIGKILL; it goes on from its journal"


@pytest.mark.parametrize(("before", "exit_"), [(0, Exit.DRAINED), (1, Exit.DRAINED), (2, Exit.FAULT), (3, Exit.FAULT)])
def test_the_third_crash_that_came_no_further_gives_the_session_up(before, exit_):
    progress = replace(PROGRESS, stopped="exit status 1", crashes=before, crashed_at=2)
    end, _ = outcome(journal(HEADER, reserve(1)), progress)
    assert end.exit is exit_
    assert ("crashed 3 times in a row at record 2: exit status 1" in end.reason) is (before == 2)


@pytest.mark.parametrize(
    ("stopped", "crashed_at", "expected"),
    [("exit status 1", 2, 3), ("", 2, 2), (UNDRAINED, 2, 2), ("exit status 1", 1, 1), ("", 1, 0)],
)
def test_a_crash_counts_when_it_was_its_own_and_came_no_further(stopped, crashed_at, expected):
    progress = replace(PROGRESS, stopped=stopped, crashes=2, crashed_at=crashed_at)
    assert crashes(journal(HEADER, reserve(1)), progress) == expected


def test_a_session_that_died_with_its_daemon_says_so():
    assert outcome(journal(HEADER), PROGRESS)[0].reason.startswith("crashed: its daemon was killed")


def test_what_is_given_up_keeps_its_account():
    end = fault(journal(reserve(1)), PROGRESS, "damaged")
    assert (end.exit, end.fence, end.reason, end.turns, end.usd_micros) == (Exit.FAULT, 7, "damaged", 1, 100)


def test_a_first_claim_begins_with_nothing_on_its_account():
    assert Progress(task="T", fence=1) == Progress(
        task="T", fence=1, began_at=0, usd_micros_before=0, acknowledged=0, crashes=0, crashed_at=0, stopped="",
        cancelled=False, refused=(), settled=False,
    )  # fmt: skip


def test_a_process_without_room_for_its_last_record_is_the_hosts_fault_however_often():
    for count in range(5):
        progress = replace(PROGRESS, stopped="exit status 75", crashes=count, crashed_at=2)
        records = journal(HEADER, reserve(1))
        end, _ = outcome(records, progress)
        assert (end.exit, end.host_wide) == (Exit.UNAVAILABLE, True)
        assert crashes(records, progress) == count
