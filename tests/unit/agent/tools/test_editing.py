"""The editor's commands on files, without a sandbox around them."""

import os

import pytest

from agent.tools.editing import CannotEdit, edit


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("one\ntwo\nthree\n")
    return path


def do(folder, command, path="file.txt", **more):
    return edit({"command": command, "path": path, **more}, folder)


def test_a_view_numbers_the_lines(tmp_path, file):
    assert do(tmp_path, "view") == "     1\tone\n     2\ttwo\n     3\tthree"


@pytest.mark.parametrize(("lines", "shown"), [([2, 2], ["two"]), ([2, -1], ["two", "three"]), ([3, 9], ["three"])])
def test_a_view_of_a_range(tmp_path, file, lines, shown):
    assert [line.split("\t")[1] for line in do(tmp_path, "view", view_range=lines).splitlines()] == shown


def test_a_view_of_a_folder_shows_two_levels_and_nothing_hidden(tmp_path, file):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / ".hidden").touch()
    shown = do(tmp_path, "view", path=".").splitlines()
    assert shown == [f"{tmp_path}/a/", f"{tmp_path}/a/b/", f"{tmp_path}/file.txt"]


def test_create_writes_the_folders_above_too(tmp_path):
    do(tmp_path, "create", path="a/b.txt", file_text="x")
    assert (tmp_path / "a/b.txt").read_text() == "x"


def test_a_replaced_text_must_occur_once(tmp_path, file):
    do(tmp_path, "str_replace", old_str="two\n", new_str="2\n")
    assert file.read_text() == "one\n2\nthree\n"
    with pytest.raises(CannotEdit, match="occurs 3 times"):
        do(tmp_path, "str_replace", old_str="e", new_str="")


def test_line_ends_and_mode_stay_as_they_were(tmp_path, file):
    file.write_bytes(b"one\r\ntwo\r\n")
    file.chmod(0o750)
    do(tmp_path, "str_replace", old_str="two", new_str="2")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one\r\n2\r\n", 0o750)


@pytest.mark.parametrize(
    ("at", "expected"), [(0, "X\none\ntwo\nthree\n"), (2, "one\ntwo\nX\nthree\n"), (3, "one\ntwo\nthree\nX")]
)
def test_insert_puts_whole_lines_behind_a_line(tmp_path, file, at, expected):
    do(tmp_path, "insert", insert_line=at, insert_text="X")
    assert file.read_text() == expected


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"command": "undo_edit"}, "Commands are view"),
        ({"command": "view", "path": "nothing"}, "No such file"),
        ({"command": "view", "view_range": [9, 10]}, "lines 1 to 3"),
        ({"command": "view", "view_range": "x"}, "wrong type"),
        ({"command": "create"}, "file_text"),
        ({"command": "create", "file_text": 5}, "wrong type"),
        ({"command": "str_replace", "old_str": ""}, "occurs 0 times"),
        ({"command": "insert", "insert_line": 9, "insert_text": ""}, "between 0 and 3"),
        ({"command": "view", "path": 3}, "wrong type"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, file, asked, reason):
    with pytest.raises(CannotEdit, match=reason):
        edit({"path": "file.txt", **asked}, tmp_path)


def test_what_is_no_text_is_left_alone(tmp_path, file):
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CannotEdit, match="not UTF-8"):
        do(tmp_path, "str_replace", old_str="a", new_str="b")


def test_what_is_no_file_is_an_error_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for command in ("view", "str_replace", "create"):
        with pytest.raises(CannotEdit, match="is no file"):
            do(tmp_path, command, "pipe", old_str="a", file_text="b")
