"""What tests ask of the host that they deploy to."""

import json
import subprocess
import sys

from provision.commands import verify
from provision.reach.keyfiles import materialised
from provision.release import plan
from provision.system.units import SERVICES
from provision.target import ROOT

READY = """
import socket
with socket.socket(socket.AF_UNIX) as queue:
    queue.connect("/run/jada-dashboard/queue.sock")
    queue.sendall(b"GET /readyz HTTP/1.0\\r\\n\\r\\n")
    print(b"".join(iter(lambda: queue.recv(1000), b"")))
"""
# An installer's unit that is ending is not active any more, and its name is taken still.
IDLE = 'until test "$(systemctl is-active jada-deploy)" = inactive; do sleep 0.1; done'
PROVEN = f"while test -e /opt/jada-agent/pending.json; do sleep 0.1; done; {IDLE}"
LIMIT = ("timeout", "60", "sh", "-c")
"""The host looks itself: a command over SSH for each look was a tenth of what the tests of deploys took."""


def until_idle(box):
    """Wait until no installer is at work, whatever it leaves pending."""
    box.run([*LIMIT, IDLE])


def until_proven(box):
    """Wait until the host has proven what was deployed to it, or has given up."""
    box.run([*LIMIT, PROVEN])


def probed(box):
    """Look at the host as a plan does."""
    return plan.read_probe(box.program("probe", plan.probe_request()))


def serves_wholly(box):
    """Whether one whole release serves: no service runs from anything that differs from it, and the queue answers."""
    seen = probed(box)
    current = seen.releases.get(seen.current)
    if not current or current["damaged"] or current["lock"] not in seen.venvs:
        return False
    return all(_runs_as(seen, unit, current) for unit in SERVICES) and b"ready" in box.run(["python3", "-c", READY])


def _runs_as(seen, unit, current):
    state = seen.units[unit]
    running = seen.releases.get(state["release"], {"units": {}})
    return state["ActiveState"] == "active" and running["units"].get(unit) == current["units"][unit]


def require_verified(granted):
    """The host is as deployed, and sshd offers nothing weak."""
    # A login of its own: sshd was given new settings, and must still let us in.
    with materialised(granted) as keys:
        # A stand-in of the dashboard answers here: the chain asks the real one who may what over the queue's sockets.
        words = verify.pytest_command(keys, ["-k", "not (queues_socket or pages_socket)"])
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert _failures(granted.address) == []


def _failures(address):
    """What ssh-audit calls a failure."""
    words = [sys.executable, "-m", "ssh_audit", "--json", "--skip-rate-test", "--timeout", "60", address]
    said = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    return [
        (kind, each["algorithm"], each["notes"]["fail"])
        for kind in ("kex", "key", "enc", "mac")
        for each in said[kind]
        if "fail" in each.get("notes", {})
    ]
