"""apt and dpkg beside others: stand-ins on PATH say what the real ones say to a second one."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.process import wait_until
from provision.onhost import system
from provision.onhost.errors import SystemStepFailed
from tests.locks import is_waited_for

pytestmark = pytest.mark.process

APT = """#!{python}
import fcntl, pathlib, sys
folder = pathlib.Path({folder!r})
if sys.argv[-1] == "update":
    try:
        fcntl.lockf((folder / "lock").open("r+b"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("E: Could not get lock")
    (folder / "lists").touch()
elif (folder / "half").exists():
    sys.exit("E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.")
elif not (folder / "lists").exists():
    sys.exit("E: Unable to locate package bubblewrap")
"""
DPKG = """#!/bin/sh
[ -e {folder}/stuck ] && echo "dpkg: error: no room" >&2 && exit 2
rm {folder}/half
"""
HOLDS = """
import fcntl, sys
lock = open(sys.argv[1], "r+b")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("apt-get", APT), ("dpkg", DPKG)):
        (programs / name).write_text(text.format(python=sys.executable, folder=str(tmp_path)))
        (programs / name).chmod(0o755)
    (tmp_path / "lock").touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path


def test_lists_that_another_apt_fetches_are_waited_for(folder):
    lock = folder / "lock"
    other = subprocess.Popen([sys.executable, "-c", HOLDS, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other, ThreadPoolExecutor() as pool:
        assert other.stdout.readline() == b"held\n"
        installed = pool.submit(system.install, ["bubblewrap"], lock)
        assert wait_until(lambda: installed.done() or is_waited_for(lock), 60)
        other.stdin.close()
        installed.result()


def test_a_dpkg_that_was_cut_off_finishes_what_it_began(folder):
    (folder / "lists").touch()
    (folder / "half").touch()
    system.install(["bubblewrap"], folder / "lock")
    assert not (folder / "half").exists()


def test_one_that_can_not_is_the_cause(folder):
    (folder / "half").touch()
    (folder / "stuck").touch()
    with pytest.raises(SystemStepFailed, match=r"dpkg was interrupted, and can't finish what it began: .*no room"):
        system.install(["bubblewrap"], folder / "lock")


def test_one_that_is_at_work_is_apts_to_wait_for(folder):
    # Where apt got its turn, what another dpkg has under way at this moment is not looked at.
    (folder / "lists").touch()
    (folder / "stuck").touch()
    system.install(["bubblewrap"], folder / "lock")
