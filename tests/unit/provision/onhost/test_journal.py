"""Errors of a journal by pattern."""

import json
import os

import pytest

from provision.onhost import journal

AT = 1_778_700_000


def line(text, at=0, priority="6", **fields):
    stamp = str((AT + at) * 1_000_000)
    return json.dumps({"MESSAGE": text, "PRIORITY": priority, "__REALTIME_TIMESTAMP": stamp, **fields}).encode()


def test_lines_of_one_error_are_counted_together_with_first_and_last():
    told = journal.summed([
        line("[port-sheet] token error: HTTP Error 400: Bad Request", 0, UNIT="port-sheet-sync.service"),
        line("the sheet is in step: 600 rows", 60),
        line("[port-sheet] token error: HTTP Error 400: Bad Request", 1800, UNIT="port-sheet-sync.service"),
    ])  # fmt: skip
    (found,) = told["patterns"]
    assert (found["count"], found["first"], found["last"]) == (2, AT, AT + 1800)
    assert found["pattern"] == "[port-sheet] token error: HTTP Error 400: Bad Request"
    assert (told["lines"], told["since"], told["beyond"]) == (3, AT, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("task 01M7ZQGWJRQ9MW3ETQ7MW30V00 failed", "task 01M7ZQGWJRQ9MW3ETQ7MW30V11 failed"),
        ("timed out after 30.5 s", "timed out after 7 s"),
        ("error at 2026-05-13T12:00:01Z", "error at 2026-05-13T12:30:01.5+02:00"),
        ("10.77.0.1 refused", "10.77.0.9 refused"),
        ("3fa85f64-5717-4562-b3fc-2c963f66afa6 failed", "00000000-5717-4562-b3fc-2c963f66afa6 failed"),
        ("release 3f2a9c1d0b44 failed", "release 77aa0c1d0b44 failed"),
        ("release 3f2a9c1d0b44 failed", "release 770040120544 failed"),
    ],
)  # fmt: skip
def test_what_differs_from_one_line_to_the_next_does_not_tell_them_apart(first, second):
    assert journal.normal(first) == journal.normal(second)


def test_a_status_tells_two_errors_apart():
    assert journal.normal("HTTP Error 400") != journal.normal("HTTP Error 503")


@pytest.mark.parametrize(
    ("text", "priority", "counts"),
    [
        ("done", 6, False),
        ("done", 3, True),
        ("Traceback (most recent call last):", 6, True),
        ("finished with 0 errors, no failures", 6, False),
        ("Out of memory: Killed process 7", 5, True),
        ("no space left on device", 6, True),
        ("INFO uvicorn.error: Started server process [882]", 6, False),
        ("INFO the dashboard was unreachable and answers again", 6, False),
        ("WARNING uvicorn.error: Invalid HTTP request received.", 6, False),
        ("WARNING failed: the queue is unreachable", 6, True),
        ("ERROR uvicorn.error: no such word here", 6, True),
        ("CRITICAL ended by what was not foreseen", 6, True),
        ("INFORMATION denied", 6, True),
    ],
)
def test_an_error_is_known_by_its_priority_or_its_words(text, priority, counts):
    assert journal.is_error(text, priority) is counts


@pytest.mark.parametrize(
    ("text", "priority", "counts"),
    [
        ("x.service: Failed to open /etc/systemd/system/x.service: No such file or directory", 5, False),
        ("x.service: Failed with result 'exit-code'.", 4, True),
        ("Failed to start x.service - x.", 3, True),
        ("x.service: A process of this unit has been killed by the OOM killer.", 5, True),
    ],
)
def test_systemds_lines_are_errors_by_their_level(text, priority, counts):
    told = journal.summed([line(text, priority=str(priority), SYSLOG_IDENTIFIER="systemd")])
    assert bool(told["patterns"]) is counts


def test_many_kinds_of_errors_are_bounded_and_the_rest_is_counted():
    told = journal.summed(line(f"error of kind {chr(0x4E00 + n)}") for n in range(journal.MOST + 7))
    assert (len(told["patterns"]), told["beyond"]) == (journal.MOST, 7)


def test_what_is_no_entry_is_passed_over_and_bytes_are_read():
    told = journal.summed([b"{", b"[]", b'{"MESSAGE": null}', line([101, 114, 114, 111, 114, 255])])
    assert [one["count"] for one in told["patterns"]] == [1]


def test_the_kernels_lines_are_named_as_its_own():
    (found,) = journal.summed([line("oom-kill", _TRANSPORT="kernel")])["patterns"]
    assert found["unit"] == "kernel"


@pytest.mark.process
def test_a_journal_that_was_not_read_to_its_end_is_no_journal_without_errors(tmp_path, monkeypatch):
    (tmp_path / "line").write_bytes(line("done"))
    (tmp_path / "journalctl").write_text(f"#!/bin/sh\ncat {tmp_path}/line\necho Bad message >&2\nexit 1\n")
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match="journalctl ended with 1: Bad message"):
        journal.errors(["jada-agent.service"], 24)
