"""sshd's settings at a real host: what would lock everyone out is not put there, or is taken back by itself."""

import pytest

from local.process import wait_until
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import programs
from provision.reach.connection import connected
from provision.release.deploy import confirm_way_in
from provision.release.installer import Errand
from tests.e2e.provision.host import probed

pytestmark = pytest.mark.root
PATH = "/etc/ssh/sshd_config.d/10-jada.conf"
MAIN = ["systemctl", "show", "ssh", "--property=MainPID", "--value"]
PUT = """
from pathlib import Path
from provision.onhost import system
from functools import partial
reload = partial(system.load, [["systemctl", "reload", "ssh"]])
sshd.put(Path({path!r}), {content!r}, "admin", reload, undo_s=600)
"""
ELAPSES = """
from pathlib import Path
sshd._arm(Path({path!r}), undo_s=1)
"""


def run(box, program, **given):
    packed = programs.base64.b64encode(programs.packed()).decode()
    text = programs.LOAD.format(packed=packed, name="sshd") + program.format(path=PATH, **given)
    box.run(["python3", "-I", "-"], text.encode())


def put(box, content):
    run(box, PUT, content=content)


def in_place(box):
    return box.run(["cat", PATH]).decode()


def lets_in(cloud):
    try:
        with connected(cloud.access(), 15):
            return True
    except CommandError:
        return False


@pytest.fixture
def before(deployed):
    """What a deploy put there, which a login confirmed; it is there again afterwards."""
    deployed.program("confirm", {})
    text = in_place(deployed)
    yield text
    put(deployed, text)
    deployed.program("confirm", {})


@pytest.mark.parametrize(
    "line", ["Nonsense yes", "AllowUsers nobody", "CASignatureAlgorithms -ssh-rsa,ssh-ed25519", "Port 2222"]
)
def test_what_sshd_refuses_or_would_shut_the_operators_out_is_never_in_force(deployed, before, line):
    with pytest.raises(CommandError, match="would lock us out, and was not put there"):
        put(deployed, f"{before}{line}\n" if line != "AllowUsers nobody" else f"{line}\n")
    assert in_place(deployed) == before


def test_what_locks_everyone_out_all_the_same_is_taken_back_without_a_login(cloud, deployed, before):
    put(deployed, f"{before}DenyUsers admin\n")
    assert not lets_in(cloud)
    # Only now: a time that began with the settings could be over before that look.
    run(deployed, ELAPSES)
    assert wait_until(lambda: lets_in(cloud), seconds=60)
    assert in_place(deployed) == before
    errand = Errand(again=lambda: connected(cloud.access(), 15))
    with pytest.raises(CommandError, match="took sshd's new settings back"):
        confirm_way_in("deployed", Progress(aside=True), errand)
    put(deployed, before)
    confirm_way_in("deployed", Progress(aside=True), errand)


def test_what_a_new_login_confirms_stays(cloud, deployed, before):
    put(deployed, f"{before}ClientAliveInterval 77\n")
    with connected(cloud.access(), 15) as fresh:
        assert fresh.program("confirm", {}) == {"confirmed": True, "taken_back": False}
        assert b"jada-sshd-undo" not in fresh.run(["systemctl", "list-timers", "--no-legend"])
    assert "ClientAliveInterval 77" in in_place(deployed)


def test_a_boot_that_took_the_timer_keeps_neither_the_next_settings_nor_a_login_from_their_work(
    cloud, deployed, before
):
    timer = ["systemctl", "is-active", "jada-sshd-undo.timer"]
    put(deployed, f"{before}ClientAliveInterval 77\n")
    # As a boot does: a timer that is not on disk is forgotten.
    deployed.run(["systemctl", "stop", timer[-1]])
    put(deployed, f"{before}ClientAliveInterval 78\n")
    assert deployed.run(timer) == b"active\n"
    deployed.run(["systemctl", "stop", timer[-1]])
    with connected(cloud.access(), 15) as fresh:
        assert fresh.program("confirm", {}) == {"confirmed": True, "taken_back": False}
    assert "ClientAliveInterval 78" in in_place(deployed)
    assert deployed.run(["sh", "-c", "ls /opt/jada-agent | grep sshd || true"]) == b""


def has_read(box):
    return probed(box).found["in force"]["ssh.service"]


def test_a_reload_by_a_hand_is_known_though_systemd_forgot_it(deployed):
    deployed.run(["touch", PATH])
    assert not has_read(deployed)
    deployed.run(["sh", "-c", "systemctl reload ssh && systemctl daemon-reload"])
    assert wait_until(lambda: has_read(deployed), seconds=60)


def test_another_sshd_that_was_started_proves_nothing_of_the_one_that_serves(deployed):
    deployed.run(["touch", PATH])
    deployed.run(["/usr/sbin/sshd", "-p", "2222"])
    other = ["sh", "-c", "cat /run/sshd.pid || true"]
    try:
        assert wait_until(lambda: deployed.run(other) not in (b"", deployed.run(MAIN)), seconds=60)
        assert not has_read(deployed)
    finally:
        # Never the one that serves, whose id is there where the other did not come so far.
        # Its end is waited for: at that it removes the file, which the one that serves writes when it is reloaded.
        ended = "kill $pid && timeout 60 tail --pid=$pid -f /dev/null"
        kill = f"pid=$(cat /run/sshd.pid); [ $pid = $(systemctl show ssh -P MainPID) ] || {{ {ended}; }}"
        deployed.run(["sh", "-c", f"{kill}; systemctl reload ssh"])
    assert wait_until(lambda: has_read(deployed), seconds=60)
