import os

import pytest

from provision.onhost.runs import KEPT, Record

ORDERS = {"restart": ["a.service"], "healthy": ["a.service"], "health": {"url": "u"}}


@pytest.fixture
def record(tmp_path):
    return Record(tmp_path, clock=lambda: 7.0)


def test_a_release_is_pending_until_that_ends(record):
    assert record.pending() is None
    record.begin("r1", "run1", ORDERS)
    assert record.pending() == {"release": "r1", "run": "run1", **ORDERS}
    record.end()
    record.end()
    assert record.pending() is None


def test_the_worker_may_read_what_is_pending(record):
    record.begin("r1", "run1", ORDERS)
    assert (record.home / "pending.json").stat().st_mode & 0o777 == 0o644


def test_the_dashboard_may_read_how_operators_call_the_host(record):
    record.call("jada-2")
    assert (record.home / "called").read_text() == "jada-2\n"
    assert (record.home / "called").stat().st_mode & 0o777 == 0o644


def test_the_release_that_was_proven_last_comes_first_and_each_once(record):
    for release in ("r1", "r2", "r1"):
        record.prove(release)
    assert record.proven() == ["r1", "r2"]


def test_not_more_are_remembered_than_are_kept(record):
    for number in range(KEPT + 5):
        record.prove(f"r{number}")
    assert len(record.proven()) == KEPT


@pytest.mark.parametrize("left", ["", "{", "[]", "null", '{"releases": 5}', '{"releases": [5]}', '{"release": ""}'])
def test_files_that_are_damaged_prove_nothing_and_end_nothing(record, left):
    (record.home / "proven.json").write_text(left)
    (record.home / "pending.json").write_text(left)
    assert record.pending() is None
    assert record.proven() == []
    record.prove("r1")
    assert record.proven() == ["r1"]


def test_runs_are_listed_latest_first_by_the_hosts_clock(record):
    for name, at in (("20260102T000000Z-1", 5), ("20260101T000000Z-1", 6), ("half", None)):
        record.run(name).mkdir(parents=True)
        if at:
            (record.run(name) / "orders.json").touch()
            os.utime(record.run(name) / "orders.json", (at, at))
    assert record.runs() == ["20260101T000000Z-1", "20260102T000000Z-1"]
