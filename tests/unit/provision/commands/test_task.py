import pytest

from provision.commands import task
from provision.errors import CommandError
from wire import types


def _task(**given):
    standard = {
        "id": "01M7ZQGWJRQ9MW3ETQ7MW30V00", "title": "Season", "description": "", "state": types.State.QUEUED,
        "priority": 5, "budget": types.Budget(), "version": 1, "created_at": "t", "updated_at": "t",
    }  # fmt: skip
    return types.Task(**{**standard, **given})


def test_a_task_is_made_of_options_and_files(tmp_path):
    (tmp_path / "bookings.csv").write_bytes(b"a,b\n")
    made = task.new_task("Season", "work it out", [tmp_path / "bookings.csv"], 7, 2, 1.5)
    assert made.context == (types.File(name="bookings.csv", content=b"a,b\n"),)
    assert (made.priority, made.budget) == (7, types.AskedBudget(sessions=2, usd_micros=1_500_000))


def test_a_description_is_read_from_a_file(tmp_path):
    (tmp_path / "d.txt").write_text("long text")
    assert task.new_task("Season", f"@{tmp_path}/d.txt", [], 5, 5, 5).description == "long text"


@pytest.mark.parametrize(
    ("title", "priority", "sessions", "dollars", "said"),
    [
        (None, 5, 5, 5.0, "title: must be text"),
        ("  ", 5, 5, 5.0, "title: must be one line"),
        ("x", 12, 5, 5.0, "priority: must be at most 9"),
        ("x", 5, 0, 5.0, "budget.sessions: must be at least 1"),
        ("x", 5, 5, 0.0, "budget.usd_micros: must be at least 1"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_sent(title, priority, sessions, dollars, said):
    with pytest.raises(CommandError, match=said):
        task.new_task(title, "", [], priority, sessions, dollars)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"none\.csv can't be read"):
        task.new_task("x", "", [tmp_path / "none.csv"], 5, 5, 5)


def test_a_row_says_how_a_task_stands():
    row = task.row(_task(state=types.State.RUNNING, sessions_used=2, usd_micros_spent=12_300))
    assert row == "01M7ZQGWJRQ9MW3ETQ7MW30V00  running    2 sessions  $0.0123  Season"


def test_details_say_what_it_waits_for_how_sessions_ended_and_what_came_out():
    waiting = types.Waiting(kind=types.Need.QUESTION, text="keep or release?", since="2026-05-13T00:00:00Z")
    session = types.Session(
        id="S1", task="T", host="box", started_at="t", updated_at="t", exit=types.Exit.ASKED, suspended=True, turns=3
    )
    done = _task(waiting=waiting, result="All full.", files=(types.FileInfo(name="o.csv", size=12),))
    said = "\n".join(task.details(done, [session]))
    assert "waits (question) since 2026-05-13T00:00:00Z: keep or release?" in said
    assert "session S1 on box: exit 2, suspended, 3 turns" in said
    assert "All full." in said
    assert "file o.csv, 12 bytes" in said


def test_what_a_model_wrote_can_not_act_on_the_terminal_nor_forge_a_line(capsys):
    waiting = types.Waiting(kind=types.Need.QUESTION, text="one?\nresult: \x1b[2Jforged", since="t")
    session = types.Session(
        id="S1", task="T", host="box", started_at="t", updated_at="t", reason="broke\nsession S2 on box: exit 0"
    )
    hostile = _task(
        title="Season\rforged\u202e",
        description="first\nsecond\x07",
        reason="why\nforged",
        result="all\n\x9bfull",
        waiting=waiting,
    )
    for line in task.details(hostile, [session]):
        task.say(line)
    said = capsys.readouterr().out
    assert r"Season\x0dforged\u202e" in said
    assert "\n\nfirst\nsecond\\x07\n\n" in said
    assert "since t: one?\n    result: \\x1b[2Jforged\n" in said
    assert r"reason: why\x0aforged" in said
    assert r"broke\x0asession S2" in said
    assert "\n\nall\n\\x9bfull\n\n" in said
