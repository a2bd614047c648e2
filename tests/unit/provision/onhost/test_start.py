"""One installer at a time, also where two are to be started at one moment; systemd's programs are played by others."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.process import wait_until
from provision.onhost import start
from provision.onhost.runs import Record
from tests.locks import is_waited_for

pytestmark = pytest.mark.process


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A host where nothing is at work, which says so once there is a file `go`; `asked` and `begun` have lines."""
    programs, packed = tmp_path / "bin", tmp_path / "packed"
    programs.mkdir()
    packed.touch()
    looks = f"echo >>{tmp_path}/asked; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo inactive"
    for name, does in (("systemctl", looks), ("systemd-run", f"echo >>{tmp_path}/begun")):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "path", [str(packed), *sys.path])
    return Record(tmp_path)


def lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_one_that_is_asked_for_again_while_it_starts_is_started_once(record):
    """As after a connection that broke: the first program may be at work still."""
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(start.main, {"run": "r", "orders": {}}, record) for _ in range(2)]
        try:
            assert wait_until(lambda: lines(record.home / "asked") == 2 or is_waited_for(record.home / "deploys"), 60)
        finally:
            (record.home / "go").touch()
        assert [each.result() for each in both] == [{"run": "r"}] * 2
    assert lines(record.home / "begun") == 1


def test_one_that_was_cut_off_before_its_orders_were_whole_is_started_anew(record):
    (record.home / "go").touch()
    record.run("r").mkdir(parents=True)
    assert start.main({"run": "r", "orders": {"id": "r1"}}, record) == {"run": "r"}
    assert (record.run("r") / "orders.json").read_text() == '{"id": "r1"}'
