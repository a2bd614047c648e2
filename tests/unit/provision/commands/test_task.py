import contextlib
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from dashboard.application import create
from dashboard.stores.memory import MemoryStore
from local.serve import running
from provision.commands import options, task, task_lines
from provision.errors import CommandError
from provision.target import ROOT
from tests.tokens import accepting
from wire import types
from wire.client import Client
from wire.secret import Secret


def _task(**given):
    standard = {
        "id": "01M7ZQGWJRQ9MW3ETQ7MW30V00", "title": "Season", "description": "", "state": types.State.QUEUED,
        "priority": 5, "budget": types.Budget(), "version": 1, "created_at": "t", "updated_at": "t",
    }  # fmt: skip
    return types.Task(**{**standard, **given})


def _new(description="", context=(), **given):
    return task.new_task({"title": "Season", **given}, description, list(context))


def test_a_task_is_made_of_options_and_files(tmp_path):
    (tmp_path / "bookings.csv").write_bytes(b"a,b\n")
    made = _new("work it out", [tmp_path / "bookings.csv"], priority=7, budget={"sessions": 2, "usd_micros": 1_500_000})
    assert made.context == (types.File(name="bookings.csv", content=b"a,b\n"),)
    assert (made.priority, made.budget) == (7, types.AskedBudget(sessions=2, usd_micros=1_500_000))


def test_a_description_is_read_from_a_file(tmp_path):
    (tmp_path / "d.txt").write_text("long text")
    assert _new(f"@{tmp_path}/d.txt").description == "long text"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"title": None}, "--title: must be text"),
        ({"title": "  "}, "--title: must be one line"),
        ({"budget": {"sessions": 0}}, "--sessions: must be at least 1"),
        ({"budget": {"usd_micros": 0}}, "--dollars: must be at least 1"),
        ({"description": "x" * 8193}, "--description: "),
    ],
)
def test_a_wrong_option_is_named_as_it_is_typed(given, said):
    with pytest.raises(CommandError, match=said):
        _new(**given)


def test_a_context_file_whose_name_can_not_travel_is_named_by_its_option(tmp_path):
    (tmp_path / "my bookings.csv").write_bytes(b"")
    with pytest.raises(CommandError, match="--file: must be a plain file name"):
        _new(context=[tmp_path / "my bookings.csv"])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"none\.csv can't be read"):
        _new(context=[tmp_path / "none.csv"])


def test_a_row_says_how_a_task_stands():
    row = task_lines.row(_task(state=types.State.RUNNING, sessions_used=2, usd_micros_spent=123_000))
    assert row == "01M7ZQGWJRQ9MW3ETQ7MW30V00  running    2 sessions    $0.12  Season"


def test_details_say_what_it_waits_for_how_sessions_ended_and_what_came_out():
    waiting = types.Waiting(kind=types.Need.QUESTION, text="keep or release?", since="2026-05-13T00:00:00Z")
    session = types.Session(
        id="S1", task="T", host="ip-10-1-1-1", started_at="t", updated_at="t", exit=types.Exit.ASKED, suspended=True,
        turns=3, usd_micros=40_000,
    )  # fmt: skip
    done = _task(waiting=waiting, result="All full.", files=(types.FileInfo(name="o.csv", size=12, sha256="ab"),))
    said = "\n".join(task_lines.details(done, [session]))
    assert "waits (question) since 2026-05-13T00:00:00Z: keep or release?" in said
    assert "session S1: asked you, will go on, 3 turns, $0.04" in said
    assert "ip-10-1-1-1" not in said
    assert "All full." in said
    assert "file o.csv, 12 bytes" in said


def test_files_that_were_deleted_are_said_and_not_asked_for():
    gone, kept = types.FileInfo(name="o.csv", size=12), types.FileInfo(name="p.csv", size=3, sha256="ab")
    said = "\n".join(task_lines.details(_task(context=(gone,), files=(gone, kept)), []))
    assert "came with o.csv, 12 bytes, deleted as too old" in said
    assert "file o.csv, 12 bytes, deleted as too old\nfile p.csv, 3 bytes (fab task.get" in said
    assert task.result_files(_task(files=(gone, kept))) == ["p.csv"]
    with pytest.raises(CommandError, match="deleted as too old"):
        task.result_files(_task(files=(gone,)))
    with pytest.raises(CommandError, match="has no result files"):
        task.result_files(_task())


def test_every_end_of_a_session_has_words_and_another_releases_end_its_number():
    assert set(task_lines.ENDINGS) == set(types.Exit)
    later = types.Session(id="S", task="T", host="h", started_at="t", updated_at="t", exit=types.Exit(42))
    assert "session S: ended by exit 42" in "\n".join(task_lines.details(_task(), [later]))


@pytest.mark.parametrize(
    ("micros", "said"),
    [(0, "$0.00"), (1, "<$0.01"), (120_000, "$0.12"), (123_456_789, "$123.46")],
)
def test_money_is_said_in_dollars_and_cents(micros, said):
    assert options.dollars(micros) == said


@pytest.mark.parametrize(("text", "read"), [("0.5", 500_000), ("$0.50", 500_000), ("5", 5_000_000), ("1000", 10**9)])
def test_an_amount_is_read_to_the_micro_dollar(text, read):
    assert options.micros("--dollars", text) == read


@pytest.mark.parametrize("text", ["", "abc", "-1", "inf", "nan", "1000.01", "1e9"])
def test_an_amount_that_is_none_is_refused(text):
    with pytest.raises(CommandError, match="not an amount"):
        options.micros("--dollars", text)


ID = "01M7ZQGWJRQ9MW3ETQ7MW30V00"


def test_result_files_come_into_a_folder_of_the_tasks_own(tmp_path):
    assert task.keep(tmp_path / "reports", ID, {"fabfile.py": b"x"}) == [tmp_path / "reports" / ID / "fabfile.py"]
    assert (tmp_path / "reports" / ID / "fabfile.py").read_bytes() == b"x"


def test_the_same_files_may_come_again_and_others_replace_nothing(tmp_path):
    task.keep(tmp_path, ID, {"a": b"1"})
    task.keep(tmp_path, ID, {"a": b"1", "b": b"2"})
    with pytest.raises(CommandError, match="is another: nothing was written"):
        task.keep(tmp_path, ID, {"c": b"3", "b": b"changed"})
    assert {path.name: path.read_bytes() for path in (tmp_path / ID).iterdir()} == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("name", ["../fabfile.py", "/etc/passwd", "..", ".bashrc", "a/b", "", "a\n", "-rf"])
def test_a_models_name_never_leaves_the_folder(tmp_path, name):
    with pytest.raises(CommandError, match="nothing was written"):
        task.keep(tmp_path / "in", ID, {"good.csv": b"", name: b"x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_no_link_is_followed(tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ID).symlink_to(tmp_path / target)
    with pytest.raises(CommandError, match="leads elsewhere"):
        task.keep(tmp_path, ID, {"a": b"1"})
    (tmp_path / ID).unlink()
    (tmp_path / ID).mkdir()
    (tmp_path / ID / "a").symlink_to(tmp_path / target / "a")
    with pytest.raises(CommandError, match="is another"):
        task.keep(tmp_path, ID, {"a": b"1"})
    assert list((tmp_path / "elsewhere").iterdir()) == []


KEEP = f"""
import sys
from pathlib import Path
from provision.commands.task import keep
keep(Path(sys.argv[1]), {ID!r}, {{"a": b"1", "report.csv": b"x" * 3_000_000}})
"""


@pytest.mark.process
def test_a_file_that_the_disk_does_not_hold_is_named_and_no_part_of_it_is_in_the_way_of_another_try(tmp_path):
    # A file of that process grows to a megabyte at most: what is written then ends early, as on a full disk.
    words = ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", sys.executable, "-c", KEEP, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    report = tmp_path / ID / "report.csv"
    assert f"{report} can't be written: File too large" in done.stderr
    assert [path.name for path in report.parent.iterdir()] == ["a"]
    assert report in task.keep(tmp_path, ID, {"a": b"1", "report.csv": b"x" * 3_000_000})


def test_result_files_have_the_rights_that_the_user_gives_new_ones(tmp_path):
    before = os.umask(0o022)
    try:
        (path,) = task.keep(tmp_path, ID, {"a": b"1"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


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
    for line in task_lines.details(hostile, [session]):
        task.say(line)
    said = capsys.readouterr().out
    assert r"Season\x0dforged\u202e" in said
    assert "\n\nfirst\nsecond\\x07\n\n" in said
    assert "since t: one?\n    result: \\x1b[2Jforged\n" in said
    assert r"reason: why\x0aforged" in said
    assert r"broke\x0asession S2" in said
    assert "\n\nall\n\\x9bfull\n\n" in said


NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("+90m", "2026-05-13T13:30:00Z"), ("+2h", "2026-05-13T14:00:00Z"), ("+1d", "2026-05-14T12:00:00Z"),
        ("2026-05-13T22:00Z", "2026-05-13T22:00:00Z"), ("2026-05-13T22:00+02:00", "2026-05-13T20:00:00Z"),
    ],
)  # fmt: skip
def test_a_time_is_read_as_it_is_typed(text, read):
    assert options.moment("--not-before", text, NOW) == read


def test_a_time_without_a_zone_is_of_here(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    time.tzset()
    assert options.moment("--not-before", "2026-07-01T22:00", NOW) == "2026-07-01T21:00:00Z"
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("text", ["", "tomorrow", "+2w", "+9999999d", "-2h", "22:00", "+٣h"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(CommandError, match=r"--not-before .*: not a time"):
        options.moment("--not-before", text, NOW)


class Losing:
    """A dashboard whose first answers to a new task are lost, after it has done what it was asked for."""

    def __init__(self, inner, lost):
        self.inner, self.lost = inner, lost

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST" or not self.lost:
            await self.inner(scope, receive, send)
            return
        self.lost -= 1

        async def gone(_message):
            pass

        await self.inner(scope, receive, gone)
        await send({"type": "http.response.start", "status": 504, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def losing():
    """A client of a queue that loses as many answers, and whose tries are as many."""
    token, store = Secret("a-token-of-the-tests"), MemoryStore()
    with contextlib.ExitStack() as stack:

        def make(lost, retries):
            url = stack.enter_context(running(Losing(create(store, accepting(token)), lost)))
            return Client(url, token, retries=retries)

        yield make


def test_an_add_whose_answer_is_lost_is_one_task(losing):
    client = losing(2, 3)
    made = task.added(client, types.NewTask(title="t"), "k")
    assert [each.id for each in client.tasks()] == [made.id]


def test_an_add_that_is_never_answered_is_one_task_when_it_is_given_again_as_said(losing):
    client = losing(1, 0)
    with pytest.raises(CommandError, match="with --key k1: that adds it only once"):
        task.added(client, types.NewTask(title="t"), "k1")
    made = task.added(client, types.NewTask(title="t"), "k1")
    assert [each.id for each in client.tasks()] == [made.id]


def test_an_edit_that_is_wrong_is_named_as_it_is_typed():
    with pytest.raises(CommandError, match="--sessions: must be at least 1"):
        task.asked(types.Edit, {"sessions": 0}, "task.edit")


SEASON = types.Template(name="season", title="Season", description="d", labels=("month",), priority=2, sessions=3)


def test_a_template_is_begun_with_and_what_is_typed_goes_before_it():
    made = _new(**task.typed({"title": None, "labels": [], "priority": None}, {"sessions": None}, SEASON))
    assert (made.title, made.labels, made.priority) == ("Season", ("month",), 2)
    assert made.budget == types.AskedBudget(sessions=3, usd_micros=5_000_000)
    made = _new(**task.typed({"title": "May", "labels": ["x"], "priority": 0}, {"sessions": 1}, SEASON))
    assert (made.title, made.labels, made.priority, made.budget.sessions) == ("May", ("x",), 0, 1)


def test_without_a_template_what_is_not_typed_is_as_the_api_has_it():
    made = _new(**task.typed({"title": "t", "labels": [], "priority": None}, {"sessions": None, "usd_micros": None}))
    assert made == types.NewTask(title="t")


@pytest.mark.parametrize(("templates", "said"), [((SEASON,), "there are: season"), ((), "none is set up")])
def test_a_template_that_is_not_there_names_those_that_are(templates, said):
    assert task.chosen((SEASON,), "season") == SEASON
    with pytest.raises(CommandError, match=said):
        task.chosen(templates, "saison")
