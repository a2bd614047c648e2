"""The editor and the collection of files, through the sandbox."""

import io
import os

import pytest

from agent.sandbox.run import Outcome
from agent.tools.editor import collect, edit
from agent.tools.result import CallFailed
from wire.types import FILE_LIMIT

pytestmark = pytest.mark.process


def test_the_editor_works_on_the_workspace(sandbox, workspace):
    assert edit(sandbox, {"command": "create", "path": "/workspace/a.txt", "file_text": "ö\n"}).content == (
        "Wrote /workspace/a.txt."
    )
    assert (workspace / "a.txt").read_text() == "ö\n"
    assert edit(sandbox, {"command": "view", "path": "a.txt"}).content == "     1\tö"


def test_what_can_not_be_done_is_an_error_result(sandbox):
    result = edit(sandbox, {"command": "create", "path": "/usr/a", "file_text": ""})
    assert (result.is_error, result.content) == (True, "/usr/a: Read-only file system.")


class Silent:
    """A sandbox in which whatever runs is killed before it says a word."""

    def run(self, _job):
        return Outcome(head=b"", left_out=0, tail=b"", code=137, report=b"")


def test_an_editor_that_was_killed_without_a_word_is_an_error_result_with_one():
    result = edit(Silent(), {"command": "view", "path": "a.txt"})
    assert result.is_error
    assert "exit code 137" in result.content


@pytest.mark.parametrize("given", ["text", None, [], {"command": "view"}])
def test_nonsense_is_an_error_result_without_a_traceback(sandbox, given):
    result = edit(sandbox, given)
    assert result.is_error
    assert "Traceback" not in result.content


def test_a_link_out_of_the_workspace_leads_nowhere(sandbox, workspace):
    secret = workspace.parent / "secret"
    secret.write_text("canary")
    (workspace / "link").symlink_to(secret)
    edit(sandbox, {"command": "create", "path": "link", "file_text": "overwritten"})
    assert secret.read_text() == "canary"


def test_a_file_is_collected_as_it_is(sandbox, workspace):
    content = os.urandom(300_000)
    (workspace / "report.bin").write_bytes(content)
    into = io.BytesIO()
    collect(sandbox, "report.bin", into)
    assert into.getvalue() == content


def test_ten_megabytes_go_and_one_byte_more_does_not(sandbox, workspace):
    (workspace / "big").write_bytes(bytes(FILE_LIMIT))
    into = io.BytesIO()
    collect(sandbox, "big", into)
    assert into.tell() == FILE_LIMIT
    (workspace / "big").write_bytes(bytes(FILE_LIMIT + 1))
    with pytest.raises(CallFailed, match="over 10 MB"):
        collect(sandbox, "big", io.BytesIO())


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", ".hidden", "", "a\nb"])
def test_only_plain_names_are_collected(sandbox, name):
    with pytest.raises(CallFailed, match="plain names"):
        collect(sandbox, name, io.BytesIO())


def test_links_folders_pipes_and_what_is_missing_are_not_collected(sandbox, workspace):
    (workspace / "link").symlink_to("/etc/passwd")
    (workspace / "folder").mkdir()
    os.mkfifo(workspace / "pipe")
    for name in ("link", "folder", "pipe", "missing"):
        with pytest.raises(CallFailed, match=f"{name} can't be handed over"):
            collect(sandbox, name, io.BytesIO())
