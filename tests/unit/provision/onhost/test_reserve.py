"""Room that is kept for the queue, on a real ext4 file system in a file: who may still write when it is full."""

import errno
import grp
import os
import subprocess
import sys

import pytest

from dashboard.stores import files
from provision.onhost import reserve

pytestmark = pytest.mark.root
MB = 1 << 20
# Any group of this machine stands for the host's own.
NAME, GROUP = next((entry.gr_name, entry.gr_gid) for entry in grp.getgrall() if entry.gr_gid > 0)
LEAST = 8 * MB


def see(path):
    return reserve.see(str(path), NAME, LEAST)


def keep(path):
    reserve.keep(str(path), NAME, LEAST)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def disk(tmp_path):
    """A small ext4 with the usual reserve, for root only."""
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as out:
        out.truncate(64 * MB)
    run("mke2fs", "-q", "-t", "ext4", "-m", "1", str(image))
    try:
        run("mount", "-o", "loop", str(image), str(folder))
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"this machine mounts no file: {refused.stderr.strip()}")
    (folder / "queue").mkdir()
    for path in (folder, folder / "queue"):
        path.chmod(0o777)
    yield folder
    run("umount", str(folder))


FILL = """
import os, sys
with open(sys.argv[1], "wb") as out:
    os.setgroups([int(group) for group in sys.argv[2].split(",") if group])
    os.setgid(65534); os.setuid(65534)
    written = 0
    try:
        while True:
            written += os.write(out.fileno(), bytes(65536))
    except OSError as error:
        print(written, error.errno)
"""


def fill(path, *groups):
    """Write to a file until there is no room, as a user without rights but its groups; return the bytes."""
    words = run(sys.executable, "-c", FILL, str(path), ",".join(map(str, groups))).split()
    assert int(words[1]) == errno.ENOSPC
    return int(words[0])


def test_what_fills_the_disk_leaves_the_queue_its_room(disk):
    queue = str(disk / "queue")
    assert "root only" in see(queue)
    keep(queue)
    assert see(queue) == reserve.KEPT
    assert fill(disk / "by-a-tool") > 40 * MB
    assert fill(disk / "by-a-tool-again") == 0
    assert fill(disk / "queue" / "journal", GROUP) >= 7 * MB


def test_without_it_the_queue_has_none(disk):
    fill(disk / "by-a-tool")
    assert fill(disk / "queue" / "journal", GROUP) == 0


def test_after_a_boot_it_is_gone_until_it_is_kept_again(disk):
    keep(disk)
    run("sync", "--file-system", str(disk))
    run("umount", str(disk))
    # A copy: a namespace of mounts that another test made meanwhile holds the first one, with what it was mounted by.
    run("cp", "--sparse=always", str(disk.parent / "disk.img"), str(disk.parent / "booted.img"))
    run("mount", "-o", "loop", str(disk.parent / "booted.img"), str(disk))
    assert see(disk) == "kept for root only"
    keep(disk)
    assert see(disk) == reserve.KEPT


def test_one_that_is_too_small_is_told(disk):
    run("mount", "-o", f"remount,resgid={GROUP}", str(disk))
    assert see(disk) == "0 MB only"


def test_the_queue_knows_what_it_may_still_write(disk):
    keep(disk)
    fill(disk / "by-a-tool")
    device = disk.stat().st_dev
    assert files.is_kept_for_us(device, frozenset({GROUP}))
    assert not files.is_kept_for_us(device, frozenset({GROUP + 1}))
    room = os.statvfs(disk)
    assert files.free_for_all(disk) < MB
    assert room.f_bfree * room.f_frsize >= 7 * MB


def test_where_no_file_system_keeps_one_nothing_is_promised():
    assert reserve.see("/proc/self") is None
    assert reserve.see("/dev/shm") is None
