import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import ANY

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


def test_a_first_load_that_was_not_told_is_told_by_the_next_run(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)  # and killed before its changes are kept elsewhere
    with opened(tmp_path, COLUMNS) as history:
        history.settle({**BASE, "B1": ("B1", 90, "live"), "B3": ("B3", 1, "live")}, NOW)
        told = {key: (old, new) for key, old, new in history.settled_changes()}
        assert told == {"B1": (None, '["B1",90,"live"]'), "B2": (None, ANY), "B3": (None, ANY)}
        history.forget_changes()
        assert history.settled_changes() == []


def test_what_changes_after_that_is_told_with_what_it_was(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
        history.forget_changes()
        history.settle({"B1": ("B1", 90, "live"), "B3": ("B3", 1, "live")}, NOW)
    with opened(tmp_path, COLUMNS) as history:
        assert sorted(history.settled_changes(), key=str) == [
            ("B1", '["B1",80.5,"live"]', '["B1",90,"live"]'),
            ("B2", '["B2","","removed"]', None),
            ("B3", None, '["B3",1,"live"]'),
        ]


def test_a_change_that_was_taken_back_with_its_transaction_is_not_told(history):
    history.settle(BASE, NOW)
    history.forget_changes()
    with pytest.raises(TypeError):
        history.settle({"B1": ("B1", object(), "live")}, NOW)
    assert (history.settled_changes(), history.base()) == ([], BASE)


def test_a_memory_of_the_release_before_tells_each_change_once(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
        history.forget_changes()
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
        file.executescript("""
            CREATE TRIGGER keep_new BEFORE INSERT ON base BEGIN
                INSERT INTO changed (id, old, new)
                    VALUES (NEW.id, (SELECT cells FROM base WHERE id = NEW.id), NEW.cells);
            END;
            REPLACE INTO base VALUES ('B1', '["B1",90,"live"]');
        """)
    with opened(tmp_path, COLUMNS) as history:
        history.settle({"B1": ("B1", 91, "live"), "B2": BASE["B2"]}, NOW)
        assert history.settled_changes() == [("B1", '["B1",80.5,"live"]', '["B1",91,"live"]')]
        with closing(sqlite3.connect(tmp_path / "history.sqlite")) as file:
            assert file.execute("SELECT count(*) FROM changed").fetchone() == (2,)


def test_another_order_of_our_columns_is_no_change(tmp_path):
    with opened(tmp_path, COLUMNS) as history:
        history.settle(BASE, NOW)
        history.forget_changes()
    with opened(tmp_path, ("rate", "id", "sync_state")) as history:
        history.settle({"B1": (80.5, "B1", "live"), "B2": ("", "B2", "removed")}, NOW)
        assert history.settled_changes() == []
