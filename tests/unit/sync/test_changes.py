"""The history of changes: written durably, rotated, and told booking by booking."""

import json
from datetime import UTC, datetime

import pytest

from sync import changes
from sync.history import opened
from sync.plan import Conflict, Plan
from sync.source.bookings import Aside

COLUMNS = ("id", "rate", "sync_state")
AT = datetime(2026, 5, 13, 14, 0, tzinfo=UTC)


def settle(folder, new):
    with opened(folder, COLUMNS) as history:
        history.settle(new, AT)


def kept(folder):
    with opened(folder, COLUMNS) as history:
        changes.append(folder, changes.entries(history.settled_changes(), COLUMNS, AT))
        history.forget_changes()


def told(folder, booking="B1"):
    return [changes.said(entry) for entry in changes.story(folder, booking)]


def test_a_booking_s_story_goes_from_its_first_row_to_its_removal(tmp_path):
    states = [{"B1": ("B1", 80, "live")}, {"B1": ("B1", 90, "live")}, {"B1": ("B1", 90, "removed")}, {}]
    for new in states:
        settle(tmp_path, new)
        kept(tmp_path)
    assert told(tmp_path) == [
        '2026-05-13T14:00:00+00:00  added\n    rate: 80\n    sync_state: "live"',
        "2026-05-13T14:00:00+00:00  changed\n    rate: 80 -> 90",
        '2026-05-13T14:00:00+00:00  marked as removed\n    sync_state: "live" -> "removed"',
        "2026-05-13T14:00:00+00:00  forgotten: out of the window, or never ours",
    ]


def test_what_a_crash_left_in_the_memory_is_reported_by_the_next_run(tmp_path):
    settle(tmp_path, {"B1": ("B1", 80, "live")})  # and then the run is killed
    settle(tmp_path, {"B1": ("B1", 90, "live")})
    kept(tmp_path)
    kept(tmp_path)
    assert told(tmp_path) == ['2026-05-13T14:00:00+00:00  added\n    rate: 90\n    sync_state: "live"']


def test_a_value_that_lost_and_a_record_that_was_set_aside_are_in_the_story(tmp_path):
    plan = Plan(added={}, changes=(), settled={}, conflicts=(Conflict("B1", 1, 90, 75, written=True),))
    changes.append(tmp_path, changes.met(plan, (Aside(3, "B1", "rate: is no amount"),), COLUMNS, AT))
    assert [line.partition("  ")[2] for line in told(tmp_path)] == [
        "a user's value was overwritten: the source wins\n    rate: 75 -> 90",
        "set aside: rate: is no amount",
    ]


def test_a_torn_line_swallows_neither_its_neighbours_nor_the_story(tmp_path):
    (tmp_path / changes.FILE).write_text('{"at": "2026", "booking": "B1", "what": "added"}\n{"at": "20')
    changes.append(tmp_path, [{"at": "2027", "booking": "B1", "what": "changed"}])
    assert told(tmp_path) == ["2026  added", "2027  changed"]


def test_the_oldest_go_when_there_are_too_many(tmp_path):
    line = {"at": "2026", "booking": "B1", "what": "x" * 3_000_000}
    for _ in range(30):
        changes.append(tmp_path, [line])
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["changes.jsonl", *(f"changes.jsonl.{number}" for number in range(1, 5))]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 10 * 2**20
    assert len(told(tmp_path)) == 15


@pytest.mark.parametrize("booking", ["B2", "B", '"'])
def test_another_booking_s_lines_are_not_reported(tmp_path, booking):
    changes.append(tmp_path, [{"at": "2026", "booking": "B1", "what": "added", "cells": {"guest": [None, "B2 B"]}}])
    assert told(tmp_path, booking) == []


@pytest.mark.parametrize("booking", ['a"\\', "B\x1f\x7f\x80", "Ü/日本", "🏖"])
def test_a_booking_with_an_odd_id_has_a_story_in_plain_letters(tmp_path, booking):
    settle(tmp_path, {booking: (booking, 80, "live")})
    kept(tmp_path)
    settle(tmp_path, {booking: (booking, 90, "live")})
    kept(tmp_path)
    assert [line.partition("  ")[2].partition("\n")[0] for line in told(tmp_path, booking)] == ["added", "changed"]
    assert (tmp_path / changes.FILE).read_bytes().isascii()


def test_a_line_of_an_older_release_is_told_as_well(tmp_path):
    line = {"at": "2026", "booking": "B1", "what": "added", "cells": {"rate": [None, 80]}}
    (tmp_path / changes.FILE).write_text(json.dumps(line) + "\n")
    assert told(tmp_path) == ["2026  added\n    rate: 80"]


def test_the_file_is_its_owner_s_only(tmp_path):
    changes.append(tmp_path, [{"booking": "B1"}])
    assert (tmp_path / changes.FILE).stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / changes.FILE).read_text()) == {"booking": "B1"}
