import os
import signal
import subprocess
import sys

import pytest

from provision.errors import CommandError
from provision.reach import door
from provision.reach.firewall import Firewall
from tests.unit.provision.reach.lightsail import PortsApi, ssh

OFFICE, HOME, LEFT = "203.0.113.7/32", "198.51.100.9/32", "192.0.2.44/32"
ADDRESS = HOME.removesuffix("/32")


class Doors:
    """One host's firewall, the locks of this machine, and what a command says."""

    def __init__(self, folder, *cidrs):
        self.api, self.folder, self.said = PortsApi(ssh(*cidrs)), folder, []
        self.wall = Firewall(self.api, "box", lambda _seconds: None)

    def opened(self, address=ADDRESS):
        return door.opened([self.wall], address, [OFFICE], self.folder, self.said.append)


@pytest.fixture
def doors(tmp_path):
    return Doors(tmp_path, OFFICE)


def test_an_address_is_in_while_the_command_runs_and_out_after_it(doors):
    with doors.opened():
        assert doors.api.ssh() == [HOME, OFFICE]
    assert doors.api.ssh() == [OFFICE]


def test_it_is_taken_out_of_what_is_there_at_the_end(doors):
    with doors.opened():
        doors.api.ports = [ssh(OFFICE, HOME, "192.0.2.0/24"), {"fromPort": 443, "toPort": 443, "protocol": "tcp"}]
    assert doors.api.ssh() == ["192.0.2.0/24", OFFICE]
    assert [port["fromPort"] for port in doors.api.ports] == [22, 443]


@pytest.mark.parametrize("ending", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_taken_out_however_the_command_ends(doors, ending):
    with pytest.raises(ending), doors.opened():
        raise ending
    assert doors.api.ssh() == [OFFICE]


def test_it_is_taken_out_when_a_signal_ends_the_command(doors):
    with pytest.raises(SystemExit), doors.opened():
        signal.raise_signal(signal.SIGTERM)
    assert doors.api.ssh() == [OFFICE]


def test_an_operators_own_address_is_neither_put_nor_taken_out(doors):
    with doors.opened("203.0.113.7"):
        assert doors.api.puts == 0
    assert (doors.api.ssh(), doors.api.puts) == ([OFFICE], 0)


def test_what_a_killed_command_left_is_swept_by_the_next_and_named(tmp_path):
    doors = Doors(tmp_path, OFFICE, LEFT)
    with doors.opened():
        assert doors.api.ssh() == [HOME, OFFICE]
    assert LEFT in doors.said[0]


def test_ones_own_address_that_a_killed_command_left_is_taken_out_after_this_one(tmp_path):
    doors = Doors(tmp_path, OFFICE, HOME)
    with doors.opened():
        assert doors.api.ssh() == [HOME, OFFICE]
    assert doors.api.ssh() == [OFFICE]


def test_two_commands_of_this_machine_share_a_door_and_the_last_one_closes_it(doors):
    with doors.opened():
        with doors.opened():
            pass
        assert doors.api.ssh() == [HOME, OFFICE]
        assert "another command" in doors.said[-1]
    assert doors.api.ssh() == [OFFICE]


def test_a_door_that_a_command_here_still_holds_is_not_swept(doors):
    with doors.opened("192.0.2.44"):
        with doors.opened():
            assert doors.api.ssh() == [LEFT, HOME, OFFICE]
        assert doors.api.ssh() == [LEFT, OFFICE]


def test_a_copy_of_its_lock_in_a_program_that_just_starts_holds_no_door(tmp_path):
    with door._held(tmp_path, "box", HOME) as lock:
        copy = os.dup(lock)  # what a fork does
        assert door.is_held(tmp_path, "box", HOME)
    try:
        assert not door.is_held(tmp_path, "box", HOME)
    finally:
        os.close(copy)


def test_a_door_that_can_not_be_closed_is_said_to_be_open(doors):
    with pytest.raises(CommandError, match=r"198.51.100.9/32 is still let in to box") as failed, doors.opened():
        doors.api.refuses = True
    assert "fab door --out" in failed.value.cure
    assert not any("taken out again" in line for line in doors.said)


HOLD = """
import sys, time
from pathlib import Path
from provision.reach import door
with door._held(Path(sys.argv[1]), "box", sys.argv[2]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.process
def test_a_killed_command_holds_nothing(tmp_path):
    doors = Doors(tmp_path, OFFICE, LEFT)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), LEFT], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        assert door.sweep(doors.wall, [OFFICE], tmp_path) == ()
        other.kill()
        other.wait()
    assert door.sweep(doors.wall, [OFFICE], tmp_path) == (LEFT,)
    assert doors.api.ssh() == [OFFICE]
