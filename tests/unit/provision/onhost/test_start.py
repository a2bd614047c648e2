"""Starting an installer: stand-ins on PATH are systemd, which has one unit of a name."""

import fcntl
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.process import wait_until
from provision.onhost import start
from provision.onhost.runs import Record

pytestmark = pytest.mark.process

# Held until the test lets go of the gate: the moment in which a second one comes.
SYSTEMD_RUN = """#!/bin/sh
touch {folder}/starting
flock {folder}/gate mkdir {folder}/unit
"""
SYSTEMCTL = """#!/bin/sh
[ -d {folder}/unit ] && echo active || echo inactive
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in (("systemd-run", SYSTEMD_RUN), ("systemctl", SYSTEMCTL)):
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "program").write_bytes(b"a zip")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "program"), *sys.path])
    return tmp_path


def is_waited_for(path):
    inode = path.stat().st_ino
    return any("->" in line and f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_of_two_that_come_at_once_the_first_never_sees_the_folder_of_the_second(folder):
    record = Record(folder / "home")
    with ThreadPoolExecutor() as pool, (folder / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        first = pool.submit(start.main, {"run": "one", "orders": {}}, record)
        assert wait_until((folder / "starting").exists, 60)
        second = pool.submit(start.main, {"run": "two", "orders": {}}, record)
        assert wait_until(lambda: is_waited_for(record.home) or len(record.runs()) > 1, 60)
        seen = record.runs()
        gate.close()
        assert first.result() == {"run": "one"}
        assert second.result() == {"refused": "another deploy is at work on this host", "run": "one"}
    assert seen == record.runs() == ["one"]


def test_a_try_that_was_cut_off_before_its_orders_is_made_again_under_its_name(folder):
    record = Record(folder / "home")
    record.run("one").mkdir(parents=True)
    (record.run("one") / "program").touch()
    assert start.main({"run": "one", "orders": {}}, record) == {"run": "one"}
    assert (record.run("one") / "orders.json").read_text() == "{}"
