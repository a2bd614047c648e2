"""What systemd says of units, and what is made of it."""

import os

import pytest

from provision.onhost import runs, units
from provision.onhost.health import Run


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Have systemctl say a text, as systemd would, whatever it is asked."""
    (tmp_path / "systemctl").write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return (tmp_path / "said").write_text


@pytest.mark.process
def test_units_run_as_systemd_says_and_while_it_says_nothing_that_is_not_known(systemd):
    systemd(
        "ActiveState=active\nInvocationID=one\nNRestarts=0\nJob=\n\nActiveState=failed\nInvocationID=two\nNRestarts=3\nJob=185\n"
    )
    assert units.runs(["a", "b"]) == {"a": Run("active", "one", 0), "b": Run("failed", "two", 3, job=True)}
    systemd("")  # on its error output: Transport endpoint is not connected
    assert units.runs(["a", "b"]) is None
    assert units.runs([]) == {}


@pytest.mark.process
@pytest.mark.parametrize(
    ("said", "active"), [("active", True), ("deactivating", True), ("inactive", False), ("", True)]
)
def test_a_deploy_is_at_work_until_systemd_says_that_it_is_not(systemd, said, active):
    systemd(f"{said}\n")
    assert runs.is_active() is active


@pytest.mark.process
def test_what_a_unit_said_just_now_is_in_the_journal_before_that_is_read(tmp_path, monkeypatch):
    """journald takes what is said one after the other, and a unit that failed may have failed a moment ago."""
    program = tmp_path / "journalctl"
    program.write_text(f'#!/bin/sh\n[ "$1" = --sync ] && exec touch {tmp_path}/all\nls {tmp_path}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "    all\n" in units.journal("jada-agent.service")


@pytest.mark.process
@pytest.mark.parametrize(
    ("load", "outdated", "reloads"),
    [("loaded", "no", 0), ("loaded", "yes", 1), ("not-found", "no", 1), ("bad-setting", "no", 1), ("", "", 1)],
)
def test_all_units_are_read_again_only_where_systemd_does_not_know_a_unit_as_its_file_is(
    tmp_path, monkeypatch, load, outdated, reloads
):
    said = f"printf 'LoadState={load}\\nNeedDaemonReload={outdated}\\n'"
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\n[ "$1" = show ] && {said} || echo "$@" >>{tmp_path}/done\n')
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "done").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    units.reload_for("jada-trial-queue.service")
    assert (tmp_path / "done").read_text() == "daemon-reload\n" * reloads
