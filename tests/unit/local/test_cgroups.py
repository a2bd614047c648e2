import os
import signal

import pytest

from local.cgroups import group, groups, layout
from local.process import Process, wait_until
from local.temporary import temporary_site


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
    own = 1 if layout() == "v1" else 0  # what notes the code
    started(cell, tmp_path, "sh", "-c", "setsid sleep 60 & sleep 60")
    assert wait_until(lambda: len(cell.processes()) == 3 + own, 10)
    found = cell.processes()
    cell.kill()
    assert cell.processes() == []
    assert not any(map(Process.find, found))


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


@pytest.mark.root
def test_nothing_is_left_inside_only_once_the_code_is_noted(cell, tmp_path):
    """A host that shut itself down and has not noted that yet would be taken for one that crashed."""
    if layout() == "v2":
        pytest.skip("systemd keeps the code")
    gate, code, pid = tmp_path / "gate", tmp_path / "exit", tmp_path / "pid"
    os.mkfifo(gate)
    started(cell, tmp_path, "sh", "-c", f"echo $$ >{pid}; read line <{gate}")
    # To write into one that no one reads takes for ever.
    os.mkfifo(code)
    gate.write_text("end\n")
    assert wait_until(lambda: int(pid.read_text()) not in cell.processes(), 60)
    assert cell.processes()
    assert code.read_text() == "0\n"
    assert wait_until(lambda: cell.processes() == [], 60)
