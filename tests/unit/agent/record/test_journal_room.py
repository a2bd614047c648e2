"""Room that is kept for a journal, on a real ext4 in a file that is full."""

import os
import subprocess
import time

import pytest

from agent.record.journal import ROOM, Journal, read
from wire.types import EventKind

pytestmark = [pytest.mark.root, pytest.mark.process]
MB = 1 << 20
HALF = {"text": "x" * (ROOM // 2)}


@pytest.fixture
def disk(tmp_path):
    """A small ext4 that keeps nothing for root: these tests are root's."""
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as out:
        out.truncate(128 * MB)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", str(image)], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine mounts no file: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def journal(disk):
    with Journal(disk / "journal.jsonl", time.time) as journal:
        yield journal


def fill(disk):
    """Take all of the disk, as a tool's calls can between two looks at it. Not by calls: each is ended when it is seen,
    on a slow machine before it has begun.
    """
    with (disk / "taken").open("ab") as out:
        size = 16 * MB
        while size >= 4096:
            try:
                os.posix_fallocate(out.fileno(), os.fstat(out.fileno()).st_size, size)
            except OSError:
                size //= 2
    left = os.statvfs(disk)
    assert left.f_bavail * left.f_frsize < 64 * 1024


def test_what_a_turn_brings_is_written_on_a_disk_that_a_tool_filled(disk, journal):
    journal.append(EventKind.RESERVE, {"turn": 1})
    fill(disk)
    journal.append(EventKind.MESSAGE, HALF)
    journal.append(EventKind.MESSAGE, HALF | {"text": "y" * (ROOM // 4)})
    assert len(read(disk / "journal.jsonl")) == 3


def test_no_turn_begins_without_that_room_and_the_end_is_written_all_the_same(disk, journal):
    journal.append(EventKind.RESERVE, {"turn": 1})
    fill(disk)
    journal.append(EventKind.MESSAGE, HALF)
    with pytest.raises(OSError, match="No space left on device"):
        journal.append(EventKind.RESERVE, {"turn": 2})
    journal.append(EventKind.END, {"exit": 75})
    assert [event.kind for event in read(disk / "journal.jsonl")][1:] == [EventKind.MESSAGE, EventKind.END]


def test_it_is_no_part_of_the_journal_and_is_given_back(disk):
    path = disk / "journal.jsonl"
    with Journal(path, time.time) as journal:
        journal.append(EventKind.RESERVE, {"turn": 1})
        seen = path.stat()
        assert seen.st_size < MB
        assert seen.st_blocks * 512 >= ROOM
    assert path.stat().st_blocks * 512 < MB
