"""A real file system of 96 MB, for one test: a child process that has it in a namespace of its own runs the test.

A path through /proc/PID/root would not do: SQLite resolves links, and leaves the namespace by this one.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000  # of sched.h


class Disk:
    """The file system, and what other programs do on it."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, leave=0):
        """Take all room but `leave` bytes."""
        with (self.folder / "others").open("ab") as file:
            while (size := self._free() - leave) > 0:
                # What is tested writes meanwhile: the room may be gone since the look at it.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)

    def _free(self):
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize

    def empty(self):
        (self.folder / "others").unlink()


def on_small_disk(test):
    """Run a test, which takes a disk and a clock, where the disk is. Its failure is printed by the child."""

    def outer(tmp_path, clock):
        pid = os.fork()
        if not pid:
            os._exit(_inner(test, tmp_path, clock))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == 77:
            pytest.skip("this machine lets no user make a file system in a namespace")
        assert code == 0, "see the child's traceback below"

    outer.__name__, outer.__doc__ = test.__name__, test.__doc__
    return outer


def _inner(test, folder, clock):
    if not _mount(folder):
        return 77
    try:
        test(Disk(folder), clock)
    except BaseException:  # noqa: BLE001 - the parent reports it
        sys.stderr.write(traceback.format_exc())
        return 1
    return 0


def _mount(folder):
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(NEW_USER | NEW_MOUNTS):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text)
    command = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)]
    return subprocess.run(command, check=False).returncode == 0
