import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.history import Busy, opened

NOW = datetime(2026, 5, 13, 3, 0, tzinfo=UTC)
COLUMNS = ("id", "rate", "sync_state")
BASE = {"B1": ("B1", 80.5, "live"), "B2": ("B2", "", "removed")}


@pytest.fixture
def history(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        yield history


def test_a_new_memory_knows_nothing(history):
    assert (history.base(), history.last_success(), history.token_last_ok("t")) == ({}, None, None)


def test_what_was_settled_is_the_next_runs_base(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
    with opened(tmp_path, COLUMNS) as history:
        assert (history.base(), history.last_success()) == (BASE, NOW)


def test_what_is_no_longer_settled_is_forgotten(history):
    history.settle(BASE, NOW)
    history.settle({"B2": BASE["B2"]}, NOW)
    assert history.base() == {"B2": BASE["B2"]}


def test_cells_find_their_columns_when_these_change(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
    with opened(tmp_path, ("id", "guest", "rate", "sync_state")) as history:
        assert history.base()["B1"] == ("B1", None, 80.5, "live")
        history.settle({"B1": ("B1", "Ada", 80.5, "live")}, NOW)
        assert history.base() == {"B1": ("B1", "Ada", 80.5, "live")}


def test_a_token_is_remembered_by_its_fingerprint(history):
    history.token_worked("t", NOW)
    assert (history.token_last_ok("t"), history.token_last_ok("another")) == (NOW, None)


def test_a_second_run_at_once_is_refused(tmp_path, history):
    with pytest.raises(Busy, match="another run"), opened(tmp_path, COLUMNS):
        pass


def test_a_copy_of_its_lock_in_a_program_that_just_starts_keeps_no_run_out(tmp_path):
    with opened(tmp_path, COLUMNS):
        lock = str(tmp_path / "lock")
        (held,) = [int(fd.name) for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd) == lock]
        copy = os.dup(held)  # what a fork does
    try:
        with opened(tmp_path, COLUMNS):
            pass
    finally:
        os.close(copy)


def test_what_a_newer_release_added_to_the_memory_is_no_hindrance(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
    with sqlite3.connect(tmp_path / "history.sqlite") as newer:
        for table in ("base", "note"):
            newer.execute(f"ALTER TABLE {table} ADD COLUMN colour TEXT DEFAULT 'mauve'")
        newer.execute("INSERT INTO note (name, value) VALUES ('tomorrow', 'x')")
    with opened(tmp_path, COLUMNS) as history:
        assert history.base() == BASE
        history.settle({"B1": BASE["B1"]}, NOW)
        assert history.base() == {"B1": BASE["B1"]}
