"""What a model is told first, and what lies in its workspace."""

import pytest

from agent.session.briefing import first_message, lay_out, people, present, system
from agent.session.checkpoint import marked
from agent.settings import Credential, Egress, Settings
from wire.types import Budget, Claim, File, Grant, Lease, State, Task


def claim(title="Count the beds", description="All of them.", context=(), checkpoint=None):
    task = Task(
        id="01JD3Q00000000000000000000",
        title=title,
        description=description,
        state=State.RUNNING,
        priority=5,
        budget=Budget(),
        version=1,
        created_at="2026-11-21T00:00:00Z",
        updated_at="2026-11-21T00:00:00Z",
    )
    grant = Grant(id="01JD3Q0000000000000000000A", new=True, usd_micros=1)
    return Claim(task=task, lease=Lease(fence=1, ttl_s=60), session=grant, context=context, checkpoint=checkpoint)


def told(**given):
    return first_message(claim(**given), "2026-11-29", 30)[0]["text"]


def before_the_session(**given):
    return told(**given).partition("\n\nToday is ")[0]


def test_a_model_is_told_where_it_can_go_and_that_it_needs_no_credential():
    assert "a sandbox without network." in system(Settings())
    egress = Egress(allow=("beds.org",), credentials={"x": Credential(at="api.example.com/team", secret="team")})
    said = system(Settings(egress=egress))
    assert "and nothing else: beds.org, api.example.com/team." in said
    assert "without network" not in said
    assert system(Settings(egress=Egress())) == system(Settings())


def test_a_model_is_told_of_the_packages_that_are_there_and_of_no_other(tmp_path):
    for name in ("qpdf.list", "libcurl4:amd64.list", "xlsx2csv-doc.list"):
        (tmp_path / name).touch()
    there = present(("qpdf", "xlsx2csv", "libcurl4"), tmp_path)
    assert there == ["qpdf", "libcurl4"]
    assert "Installed besides, as Debian packages: qpdf, libcurl4." in system(Settings(), there)
    assert "Installed" not in system(Settings())


def test_it_begins_with_the_title_and_has_the_description():
    assert told().startswith("Task: Count the beds\n\nAll of them.\n\nThe workspace came with no files.")


def test_files_are_reported_with_size_and_head():
    files = (File(name="beds.csv", content=b"id,bed\n1,double\n" * 100), File(name="logo.png", content=b"\x89PNG\0\0"))
    said = before_the_session(context=files)
    assert "- beds.csv, 1600 bytes, begins:\n    id,bed\n    1,double\n    id,bed\n    1,double\n" in said
    assert said.endswith("- logo.png, 6 bytes")


def test_a_checkpoint_is_reported_as_such_and_only_when_there_is_one():
    assert before_the_session(checkpoint="Done: half.").endswith(
        "left this checkpoint; its files are in /workspace.\n\nDone: half."
    )
    assert "checkpoint" not in told().lower()


def test_words_of_people_are_cut_by_themselves_and_lie_whole_in_the_workspace():
    given = {"checkpoint": f"{marked('w' * 6000)}\n\n{'Done: half. ' * 900}"}
    said = before_the_session(**given)
    assert (
        said.index("[1904 bytes left out]") < said.index("(Here end the words of people.)") < said.index("Done: half")
    )
    assert "All that people said is in /workspace/people-01JD3Q0000000000000000000A.txt." in said
    assert len(said.encode()) < 9_000
    ((name, content),) = [(file.name, file.content) for file in people(claim(**given))]
    assert (name, content) == ("people-01JD3Q0000000000000000000A.txt", b"w" * 6000)
    assert (people(claim()), people(claim(checkpoint=marked("w" * 4096)))) == ([], [])


def test_the_largest_first_request_stays_under_ten_thousand_tokens():
    """Three bytes a token is less than English text or CSV have."""
    files = tuple(File(name=f"{n:02}{'f' * 98}", content=b"x" * 10_000) for n in range(20))
    said = told(title="t" * 200, description="d" * 8192, context=files, checkpoint="c" * 50_000)
    assert len((system(Settings(instructions="i" * 2000)) + said).encode()) < 9_000 * 3
    assert "[41808 bytes left out]" in said


def test_context_files_are_laid_out(workspace):
    lay_out([File(name="a.csv", content=b"a"), File(name="b", content=b"")], workspace)
    assert {path.name: path.read_bytes() for path in workspace.iterdir()} == {"a.csv": b"a", "b": b""}


def test_a_file_that_is_there_is_left_as_it_is(workspace):
    (workspace / "a.csv").write_bytes(b"worked on")
    lay_out([File(name="a.csv", content=b"a")], workspace)
    assert (workspace / "a.csv").read_bytes() == b"worked on"


@pytest.mark.parametrize("name", ["a.csv", ".a.csv.part"])
def test_no_link_is_followed_out_of_the_workspace(workspace, name):
    target = workspace.parent / "target"
    (workspace / name).symlink_to(target)
    lay_out([File(name="a.csv", content=b"a")], workspace)
    assert not target.exists()


def test_what_a_killed_process_left_does_not_stand_in_the_way(workspace):
    (workspace / ".a.csv.part").write_bytes(b"ha")
    lay_out([File(name="a.csv", content=b"half and half")], workspace)
    assert [path.name for path in workspace.iterdir()] == ["a.csv"]


def test_a_session_is_told_the_date_its_turns_and_what_its_subtasks_see():
    said = told()
    assert "Today is 2026-11-29 (UTC). This session has 30 turns" in said
    assert "sees its own title and description and the files that you give it, and nothing else" in said
    assert "2026" not in system(Settings())


def test_the_companys_own_words_come_last_in_the_system_text():
    assert system(Settings(instructions=" Write {German}. \n")).endswith("for every task:\nWrite {German}.")
    assert system(Settings(instructions=" \n")) == system(Settings())
