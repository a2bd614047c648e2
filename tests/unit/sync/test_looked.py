"""`--looked`: what could not be found again is closed by the one who looked, and by nothing else."""

import json
import logging
import sys
from datetime import UTC, datetime

import pytest

from sync import changes
from sync.__main__ import main
from sync.failure import SyncFailed
from sync.history import opened
from tests.people.desk import OURS, Desk
from tests.unit.sync.test_beside_people import SOURCE, changed, once

NOW = datetime(2026, 5, 13, tzinfo=UTC)
SETTINGS = """[sync]
spreadsheet_id = "x"
bookings_url = "http://b"
columns = ["id", "arrival", "guest", "rate"]
dates = ["arrival"]
"""


@pytest.fixture
def desk(tmp_path):
    """A sheet in which a cell of ours went astray, and two rows look like the one where it stands."""
    desk = Desk(tmp_path / "state")
    desk.sync(SOURCE)
    desk.requests.clear()

    def moved():
        desk.before = lambda: len(desk.requests) == 5 and desk.type(9, 2, "Ada")
        desk.insert("ROWS", 2)

    once(desk, moved)
    with pytest.raises(SyncFailed, match="sheet_stray"):
        desk.sync(changed(B2="Ada"))
    desk.before = lambda: None
    return desk


@pytest.fixture
def run(tmp_path):
    """The program with this desk's memory and settings."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "jada.toml"
    file.write_text(SETTINGS)

    def run(*more, state="state"):
        return main(["--settings", str(file), "--state", str(tmp_path / state), *more])

    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    yield run
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)


def strays(desk):
    with opened(desk.folder, OURS) as history:
        return history.strays()


def test_a_stray_stays_open_until_someone_has_looked_and_then_all_is_in_step(run, desk, capsys):
    with pytest.raises(SyncFailed, match="sheet_stray"):
        desk.sync(changed(B2="Ada"))
    assert run("--looked") == 0
    said = capsys.readouterr().out
    assert "closed: 'Ada' of booking B2 came into a row without a booking, column 'guest', which held ''" in said
    assert "1 cell closed" in said
    desk.sync(changed(B2="Ada"))
    assert [each.booking for each in desk.told()] == ["B2"]


def test_a_program_is_told_what_was_closed_and_why_not(run, desk, capsys):
    assert run("--looked", "--json") == 0
    (closed,) = json.loads(capsys.readouterr().out)["closed"]
    assert closed.startswith("'Ada' of booking B2 came into")
    with opened(desk.folder, OURS):
        assert run("--looked", "--json") == 75
    assert json.loads(capsys.readouterr().out)["error"] == "already_running"


def test_a_program_is_told_the_story_of_a_booking(run, desk, capsys):
    changes.append(desk.folder, changes.entries([("B2", None, '["B2","2026-05-12","Ada",80,"live"]')], OURS, NOW))
    assert run("--explain", "B2", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["booking"], entry["at"][:10]) == ("B2", "2026-05-13")
    assert run("--explain", "B4", "--json") == 1
    assert json.loads(capsys.readouterr().out) == []


def test_a_program_is_told_the_report_of_a_run(run, desk, capsys):
    assert run("--json") == 1  # without a secret, and without a dashboard
    assert json.loads(capsys.readouterr().out)["error"] == "token_missing"


def test_twice_closes_nothing_more_and_says_so(run, desk, capsys):
    run("--looked")
    capsys.readouterr()
    assert run("--looked") == 0
    said = capsys.readouterr().out
    assert "nothing was open" in said
    assert "closed" not in said


def test_what_went_astray_after_the_look_is_open_again(run, desk):
    assert run("--looked") == 0
    desk.requests.clear()
    once(desk, lambda: desk.insert("ROWS", 2))
    desk.type(12, 2, "Eve")
    with pytest.raises(SyncFailed, match="sheet_stray"):
        desk.sync(changed(B1="Eve", B2="Eve", B3="Eve"))


def test_a_run_that_is_under_way_is_not_interfered_with(run, desk, capsys):
    with opened(desk.folder, OURS):
        assert run("--looked") == 75
    assert "already_running" in capsys.readouterr().err
    assert len(strays(desk)) == 1


@pytest.mark.parametrize("state", ["nowhere", "empty"])
def test_a_folder_without_a_memory_is_refused_and_none_is_made(run, tmp_path, state, capsys):
    (tmp_path / "empty").mkdir()
    assert run("--looked", state=state) == 14
    assert "memory_unusable" in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_memory_is_reported_and_closes_nothing(run, desk, capsys):
    for file in desk.folder.glob("history.sqlite*"):
        file.write_bytes(b"not a database" * 1000)
    assert run("--looked") == 14
    assert "memory_damaged" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["B2"], ["--dry-run"], ["--explain", "B2"], ["--plan", "x"]])
def test_with_anything_else_it_is_refused(run, desk, more):
    with pytest.raises(SystemExit) as ended:
        run("--looked", *more)
    assert ended.value.code == 2
    assert len(strays(desk)) == 1


def test_with_wrong_settings_nothing_is_closed(run, desk, tmp_path):
    (tmp_path / "jada.toml").write_text(SETTINGS + 'edits = "drop"\n')
    assert run("--looked") == 78
    assert len(strays(desk)) == 1
