"""The tools that reach people and the queue, and the rules between the calls of one answer."""

import re

import pytest

from agent.settings import Settings
from agent.tools.catalog import DEFINITIONS, Toolbox, definitions, refusal
from agent.tools.people import derived_id
from wire.types import ULID, AskedBudget, Budget, Claim, Grant, Lease, NewTask, State, Task
from wire.values import decode

pytestmark = pytest.mark.process

SESSION = "01JD3Q0000000000000000000A"


def claim():
    task = Task(
        id="01JD3Q00000000000000000000",
        title="Parent",
        description="",
        state=State.RUNNING,
        priority=3,
        budget=Budget(sessions=5),
        version=1,
        created_at="2026-11-21T00:00:00Z",
        updated_at="2026-11-21T00:00:00Z",
        sessions_used=2,
    )
    return Claim(task=task, lease=Lease(fence=1, ttl_s=60), session=Grant(id=SESSION, new=True, usd_micros=9))


@pytest.fixture
def toolbox(sandbox, tmp_path):
    return Toolbox(sandbox, tmp_path, claim(), lambda: 777)


def test_a_created_task_is_its_parents_child_within_what_is_left(toolbox):
    result = toolbox.run("toolu_1", "create_task", {"title": "Child", "description": "Do it."})
    created = decode(NewTask, result.carries["created"])
    assert (created.title, created.parent, created.priority) == ("Child", "01JD3Q00000000000000000000", 3)
    assert created.budget == AskedBudget(sessions=3, usd_micros=777)
    assert created.id in result.content


def test_a_created_task_takes_files_of_the_workspace_along(toolbox, workspace, tmp_path):
    (workspace / "a.csv").write_text("1\n")
    given = {"title": "Child", "description": "", "files": ["a.csv"]}
    result = toolbox.run("toolu_1", "create_task", given)
    created = decode(NewTask, result.carries["created"])
    assert result.carries["created_files"] == ["a.csv"]
    assert (tmp_path / "created" / created.id / "a.csv").read_text() == "1\n"


def test_a_task_whose_file_is_not_there_is_not_created(toolbox):
    result = toolbox.run("toolu_1", "create_task", {"title": "Child", "description": "", "files": ["none.csv"]})
    assert (result.is_error, result.carries) == (True, {})
    assert "none.csv can't be handed over" in result.content


def test_its_id_is_the_same_at_a_replay_and_another_for_another_call(toolbox):
    ids = [derived_id(SESSION, call) for call in ("toolu_1", "toolu_1", "toolu_2")]
    assert ids[0] == ids[1] != ids[2]
    assert all(re.fullmatch(ULID, made) for made in ids)


def test_without_money_no_task_is_created(sandbox, tmp_path):
    broke = Toolbox(sandbox, tmp_path, claim(), lambda: 0)
    assert broke.run("t", "create_task", {"title": "Child", "description": ""}).is_error


def test_finish_collects_its_files(toolbox, workspace, tmp_path):
    (workspace / "a.csv").write_text("1\n")
    result = toolbox.run("t", "finish", {"result": "Done.", "files": ["a.csv", "a.csv"]})
    assert result.carries["finished"] == {"outcome": "done", "result": "Done.", "needed": "", "files": ["a.csv"]}
    assert (tmp_path / "files" / "a.csv").read_text() == "1\n"


def test_a_finish_without_its_file_is_none(toolbox):
    result = toolbox.run("t", "finish", {"result": "Done.", "files": ["missing.csv"]})
    assert (result.is_error, result.carries) == (True, {})
    assert "missing.csv can't be handed over: No such file" in result.content


def test_more_than_ten_megabytes_together_are_refused(toolbox, workspace):
    for name in ("a", "b"):
        (workspace / name).write_bytes(bytes(6_000_000))
    assert "over 10 MB together" in toolbox.run("t", "finish", {"result": "Done.", "files": ["a", "b"]}).content


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("rm", {}, "There is no tool rm"),
        ("finish", {"files": []}, "result: missing"),
        ("finish", {"result": " "}, "result: must be text that says something"),
        ("finish", {"result": "r", "files": "a.csv"}, "files: must be a list"),
        ("create_task", {"title": "", "description": ""}, "title: must be one line of text"),
        ("create_task", {"title": "a", "description": "x" * 9000}, "description: must be at most 8192"),
        ("create_task", {"title": "a", "description": "", "budget": 9}, "budget: unknown"),
        ("create_task", "a task", "must be an object"),
        ("bash", None, "must be an object"),
    ],
)
def test_a_wrong_call_is_an_error_result_that_says_why(toolbox, name, given, reason):
    result = toolbox.run("t", name, given)
    assert result.is_error
    assert reason in result.content


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (["bash", "ask_person"], []),
        (["ask_person", "bash"], []),
        (["ask_person", "ask_person"], [1]),
        (["finish"], []),
        (["finish", "bash"], [0]),
        (["ask_person", "finish", "ask_person"], [1, 2]),
        (["create_task", "wait_for_tasks"], []),
        (["wait_for_tasks", "wait_for_tasks"], [1]),
        (["wait_for_tasks", "ask_person"], [1]),
    ],
)
def test_what_goes_together_in_one_answer(names, refused):
    given = {"ask_person": {"question": "Keep?"}}
    assert [at for at, name in enumerate(names) if refusal(name, given.get(name, {}), at, names)] == refused


def test_a_question_without_words_is_refused():
    assert "question: missing" in refusal("ask_person", {}, 0, ["ask_person"])


def test_every_tool_has_its_definition():
    assert [tool["name"] for tool in DEFINITIONS] == [
        "bash",
        "str_replace_based_edit_tool",
        "create_task",
        "ask_person",
        "finish",
    ]


@pytest.mark.parametrize("can_wait", [True, False])
def test_waiting_is_offered_only_where_the_queue_knows_of_it(can_wait):
    names = [tool["name"] for tool in definitions(Settings(), can_wait=can_wait)]
    assert ("wait_for_tasks" in names) is can_wait


@pytest.mark.parametrize("outcome", ["partly", "not_possible"])
def test_a_finish_that_is_not_done_says_what_would_be_needed(toolbox, outcome):
    asked = {"result": "Half.", "outcome": outcome}
    assert "say what would be needed" in toolbox.run("t", "finish", asked).content
    result = toolbox.run("t", "finish", {**asked, "needed": "The other list."})
    assert result.carries["finished"] == {**asked, "needed": "The other list.", "files": []}
    assert "a person" in result.content
