import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.cgroups import group, groups, layout
from local.process import Process, wait_until
from local.temporary import temporary_site
from tests.locks import is_waited_for


@pytest.fixture
def site():
    with temporary_site() as site:
        yield site.name


@pytest.fixture
def cell(site):
    return group(site, 1)


def started(cell, folder, *command):
    cell.launch(command, 64 << 20, folder)
    assert wait_until(cell.processes, 10)


@pytest.mark.root
def test_a_group_holds_its_command_and_all_that_comes_of_it_until_it_is_killed(cell, tmp_path):
    started(cell, tmp_path, "sh", "-c", "setsid sleep 60 & sleep 60")
    assert wait_until(lambda: len(cell.processes()) == 3, 10)
    found = cell.processes()
    cell.kill()
    assert cell.processes() == []
    assert [Process.find(pid) for pid in found] == [None, None, None]


@pytest.mark.root
def test_a_groups_memory_is_bounded(cell, tmp_path):
    cell.launch(("python3", "-c", "x = bytearray(200_000_000)"), 64 << 20, tmp_path)
    assert wait_until(lambda: cell.exit_code(tmp_path) is not None, 20)
    assert cell.exit_code(tmp_path) == 128 + signal.SIGKILL


@pytest.mark.root
def test_the_code_and_the_output_of_a_command_are_kept(cell, tmp_path):
    cell.launch(("sh", "-c", "echo said; exit 7"), 64 << 20, tmp_path)
    assert wait_until(lambda: cell.exit_code(tmp_path) is not None, 10)
    assert (cell.exit_code(tmp_path), (tmp_path / "console.log").read_text()) == (7, "said\n")


@pytest.mark.root
def test_a_sites_groups_are_found_and_removed_without_a_trace(site, cell, tmp_path):
    assert layout() in {"v1", "v2"}
    started(cell, tmp_path, "sleep", "60")
    assert groups(site) == [cell]
    cell.kill()
    cell.remove()
    assert groups(site) == []


@contextlib.contextmanager
def shell_held(cell, folder):
    """Start a command, stop the shell that waits to note its code, and kill the command; yield the shell."""
    started(cell, folder, "sleep", "60")
    status = Path(f"/proc/{cell.processes()[0]}/status").read_text()
    shell = Process.find(int(status.partition("PPid:")[2].split()[0]))
    os.kill(shell.pid, signal.SIGSTOP)
    try:
        cell.kill()
        yield shell
    finally:
        os.kill(shell.pid, signal.SIGCONT)


by_shell = pytest.mark.skipif(layout() != "v1", reason="systemd keeps the codes of its units itself")


@by_shell
@pytest.mark.root
def test_a_command_has_ended_only_once_its_code_is_noted(cell, tmp_path):
    with shell_held(cell, tmp_path):
        assert (cell.processes(), cell.has_ended(tmp_path)) == ([], False)
    assert wait_until(lambda: cell.has_ended(tmp_path), 60)
    assert cell.exit_code(tmp_path) == 128 + signal.SIGKILL


@by_shell
@pytest.mark.root
def test_the_code_of_a_command_that_was_killed_is_not_taken_for_that_of_the_next(cell, tmp_path):
    with ThreadPoolExecutor() as pool:
        with shell_held(cell, tmp_path) as shell:
            launched = pool.submit(cell.launch, ("sleep", "60"), 64 << 20, tmp_path)
            assert wait_until(lambda: launched.done() or is_waited_for(tmp_path / "console.log"), 60)
        launched.result()
    assert wait_until(lambda: not shell.alive() and cell.processes(), 60)
    assert cell.exit_code(tmp_path) is None
