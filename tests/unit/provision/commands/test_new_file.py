"""A new file on the operator's machine: whole or not there, never in another's place, not lost once it is whole."""

import errno
import os
import stat

import pytest

from provision.commands.new_file import new_file
from provision.errors import CommandError

CURE = "name a new file"


def write(path, content):
    with new_file(path, CURE) as out:
        out.write(content)


def test_a_file_has_its_name_only_when_all_of_it_is_there(tmp_path):
    def make():
        with new_file(tmp_path / "a.age", CURE) as out:
            out.write(b"half")
            assert not (tmp_path / "a.age").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make()
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "a.age", b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_a_file_that_is_there_is_never_replaced(tmp_path):
    (tmp_path / "a.age").write_bytes(b"yesterday's")
    with pytest.raises(CommandError, match="there already"), new_file(tmp_path / "a.age", CURE):
        pass
    assert (tmp_path / "a.age").read_bytes() == b"yesterday's"


def test_a_link_that_leads_nowhere_has_the_name_too(tmp_path):
    (tmp_path / "a.age").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CommandError, match="there already"), new_file(tmp_path / "a.age", CURE):
        pass


def without_links(monkeypatch):
    """A disk that has no hard links, as a stick's; making one takes root."""

    def refused(*_names, **_given):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)


def test_where_no_links_can_be_made_a_file_gets_its_name_all_the_same(tmp_path, monkeypatch):
    without_links(monkeypatch)
    write(tmp_path / "a.age", b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
    assert stat.S_IMODE((tmp_path / "a.age").stat().st_mode) == 0o600


@pytest.mark.parametrize("links", [True, False])
def test_of_two_at_once_one_has_the_name_and_the_others_file_stays_and_is_said(tmp_path, monkeypatch, links):
    if not links:
        without_links(monkeypatch)
    path = tmp_path / "a.age"

    def both():
        with new_file(path, CURE) as first:
            first.write(b"first's")
            write(path, b"second's")

    with pytest.raises(CommandError, match="File exists; all of it is in ") as refused:
        both()
    assert path.read_bytes() == b"second's"
    (kept,) = {*tmp_path.iterdir()} - {path}
    assert str(kept) in refused.value.cause
    assert kept.read_bytes() == b"first's"


def test_a_folder_that_takes_no_file_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"nowhere/a\.age: No such file") as refused:
        write(tmp_path / "nowhere" / "a.age", b"")
    assert refused.value.cure == CURE
