"""A workspace travels whole, or says what did not; what is in it may be anything."""

import os
import zlib
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest

from agent.record.workspace import CannotUnpack, pack, unpack
from tests.trees import nested

SOMEBODY = 65534


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "T1"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "notes.txt").write_text("notes")
    (folder / "sub" / "run.sh").write_text("true")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / os.fsdecode(b"\xff.bin")).write_bytes(b"\0\xff")
    (folder / "link").symlink_to("/etc/passwd")
    return folder


def seen(folder):
    """All of a folder: content, folder or link, and whether it can be run."""
    found = {}
    for path in folder.rglob("*"):
        what = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        found[path.relative_to(folder)] = (what, path.is_file() and os.access(path, os.X_OK))
    return found


def test_files_folders_links_and_modes_come_along(work, tmp_path):
    packed = pack(work)
    unpack(packed.archive, tmp_path / "T2")
    assert seen(tmp_path / "T2") == seen(work)
    assert packed.missing == ()


def test_the_same_files_have_the_same_name_whatever_their_times(work, tmp_path):
    before = pack(work).sha256
    unpack(pack(work).archive, tmp_path / "T2")
    os.utime(tmp_path / "T2" / "notes.txt", (1, 1))
    assert pack(tmp_path / "T2").sha256 == before
    (work / "notes.txt").write_text("other")
    assert pack(work).sha256 != before


def test_what_is_over_the_bound_is_named_with_its_size_and_the_rest_travels(work, tmp_path):
    (work / "large.bin").write_bytes(bytes(2000))
    packed = pack(work, most=1000)
    assert packed.missing == ("large.bin (2000 bytes)",)
    unpack(packed.archive, tmp_path / "T2")
    assert set(seen(work)) - set(seen(tmp_path / "T2")) == {(work / "large.bin").relative_to(work)}


def test_what_is_not_named_is_counted(work):
    for number in range(40):
        (work / f"large-{number}").write_bytes(bytes(2000))
    assert pack(work, most=1000).missing[-1] == "10 more files"


def test_pipes_are_not_waited_for_and_links_not_followed(work, tmp_path):
    os.mkfifo(work / "pipe")
    (tmp_path / "outside").write_text("secret")
    (work / "out").symlink_to(tmp_path / "outside")
    assert b"secret" not in zlib.decompress(pack(work).archive)


def test_what_was_there_is_replaced(work, tmp_path):
    (tmp_path / "T2").mkdir()
    (tmp_path / "T2" / "stale").write_text("old")
    unpack(pack(work).archive, tmp_path / "T2")
    assert seen(tmp_path / "T2") == seen(work)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T1", "T2"]


def archive(*entries):
    return zlib.compress(msgspec.msgpack.encode([list(entry) for entry in entries]))


@pytest.mark.parametrize(
    "made",
    [
        archive((b"../out", False, b"x", None)),
        archive((b"/out", False, b"x", None)),
        archive((b"a//b", False, b"x", None)),
        archive((b"", False, b"x", None)),
        b"no archive",
        zlib.compress(b"\xc1"),
    ],
)
def test_an_archive_that_climbs_or_is_damaged_leaves_all_as_it_was(made, work, tmp_path):
    before = seen(work)
    with pytest.raises(CannotUnpack):
        unpack(made, work)
    assert seen(work) == before
    assert not (tmp_path / "out").exists()


def test_a_link_in_an_archive_leads_no_file_astray(tmp_path):
    (tmp_path / "outside").mkdir()
    made = archive((b"a", False, None, os.fsencode(tmp_path / "outside")), (b"a/x", False, b"x", None))
    with pytest.raises(OSError, match="exists"):
        unpack(made, tmp_path / "T2")
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.process
def test_folders_in_each_other_by_the_thousand_do_not_travel_and_stop_nothing(work, tmp_path):
    with nested(work / "deep", 1500):
        packed = pack(work)
    unpack(packed.archive, tmp_path / "T2")
    assert (tmp_path / "T2" / "notes.txt").exists()
    assert len([path for path in seen(tmp_path / "T2") if path.name == "a"]) == 99


def pack_as_somebody(folder):
    # There already: what is above may be closed to them.
    os.chdir(folder)
    os.setgroups([])
    os.setgid(SOMEBODY)
    os.setuid(SOMEBODY)
    packed = pack(Path("T1"))
    assert packed.missing == ("secret (6 bytes)",)
    unpack(packed.archive, Path("T2"))


@pytest.mark.process
@pytest.mark.root
def test_what_is_closed_to_its_owner_stays_and_the_rest_travels(work, tmp_path):
    (work / "secret").write_text("closed")
    for name in ("no-list", "no-enter"):
        (work / name / "inner").mkdir(parents=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    for name, mode in (("secret", 0), ("no-list", 0), ("no-enter", 0o444)):
        (work / name).chmod(mode)
    child = get_context("fork").Process(target=pack_as_somebody, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (tmp_path / "T2" / "sub" / "run.sh").exists()
