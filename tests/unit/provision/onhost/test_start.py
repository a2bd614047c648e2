"""One installer at a time, also where two are to be started at one moment; systemd's programs are played by others."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.process import wait_until
from provision.onhost import durable, start
from provision.onhost.events import Events
from provision.onhost.runs import Record
from tests.locks import is_waited_for

pytestmark = pytest.mark.process
ORDERS = {"id": "r1", "seen": None, "health": {"seconds": 120, "steady_s": 10, "proven_s": 3600}}


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
        both = [pool.submit(start.main, {"run": "r", "orders": ORDERS}, record) for _ in range(2)]
        try:
            assert wait_until(lambda: lines(record.home / "asked") == 2 or is_waited_for(record.home / "deploys"), 60)
        finally:
            (record.home / "go").touch()
        assert [each.result() for each in both] == [{"run": "r"}] * 2
    assert lines(record.home / "begun") == 1


def test_one_that_was_cut_off_before_its_orders_were_whole_is_started_anew(record):
    (record.home / "go").touch()
    record.run("r").mkdir(parents=True)
    assert start.main({"run": "r", "orders": ORDERS}, record) == {"run": "r"}
    assert json.loads((record.run("r") / "orders.json").read_text()) == ORDERS


@pytest.mark.parametrize("seen", [{"seen": "r0"}, {"seen": "r1", "after": "earlier"}])
def test_one_whose_plan_is_of_before_ends_no_watch(record, seen):
    (record.home / "go").touch()
    durable.link(record.home / "current", "releases/r1")
    (record.home / "bin" / "systemctl").write_text(f"#!/bin/sh\necho $1 >>{record.home}/words; echo active\n")
    record.run("watching").mkdir(parents=True)
    (record.run("watching") / "orders.json").touch()
    Events(record.run("watching") / "events").emit(deployed="r1")
    answer = start.main({"run": "r", "orders": {**ORDERS, **seen}}, record)
    assert answer["refused"].startswith("the host changed since the plan: ")
    assert not (record.home / "words").exists()
    assert record.runs() == ["watching"]
    assert start.main({"run": "r", "orders": {**ORDERS, "seen": "r1", "after": "watching"}}, record) == {"run": "r"}
    assert (record.home / "words").read_text().split() == ["is-active", "stop"]


def test_systemd_ends_none_while_it_looks_for_as_long_as_the_settings_say(record):
    properties = dict(
        word.removeprefix("--property=").split("=", 1) for word in start.command(record.home, ORDERS["health"])[4:9]
    )
    assert int(properties["RuntimeMaxSec"]) == 1800 + 2 * 120 + 3600
    assert int(properties["TimeoutStopSec"]) == 300 + 2 * 120 + 3600
