"""One local cloud for all tests of the chain: made by the demo itself, after a demo that was killed, and removed after.

What is on the machine before and after is compared: `make down` leaves nothing behind.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import environment, tools
from local.process import wait_until
from local.site import Site
from local.steps import Steps
from wire.client import Client, Unreachable
from wire.secret import Secret

LOCAL = [sys.executable, "-m", "local"]


class Chain:
    """The cloud that is up, as an operator's shell sees it; `told` is what the demo printed."""

    def __init__(self, site, told):
        self.site, self.told = site, told
        engine = tools.engine(Steps(site.state / "logs"))
        self.env = {**os.environ, **environment.variables(site, engine, os.environ["PATH"])}

    def run(self, *command, check=True):
        done = subprocess.run(
            command, env=self.env, cwd=environment.ROOT, capture_output=True, text=True, timeout=280, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def fab(self, task, *args, check=True):
        return self.run("fab", task, *args, check=check)

    def host(self, command, check=True):
        """Run a command on the host as root, over SSH."""
        return self.fab("ssh", "--command", f"sudo sh -c '{command}'", check=check).stdout

    @contextlib.contextmanager
    def dashboard(self):
        """A tunnel to the page and its API."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        token = Secret((self.site.state / "secrets" / "dashboard_token").read_text())
        client = Client(f"http://127.0.0.1:{port}", token)
        command = ["fab", "dashboard", "--port", str(port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=self.env, cwd=environment.ROOT, **quiet) as tunnel:
            try:
                assert wait_until(lambda: _healthy(client), 30)
                yield client
            finally:
                tunnel.send_signal(signal.SIGINT)


def _healthy(client):
    try:
        return client.health()["status"] == "ok"
    except Unreachable:
        return False


def traces():
    """All that this local cloud could leave on the machine, where other clouds of tests may be up too."""
    mounts = {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()}
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return {
        "mounts": {mount for mount in mounts if mount.startswith("/var/lib/jada-local")},
        "namespaces": {path.name for path in Path("/run/netns").glob("jada-*")},
        "links": {path.name for path in Path("/sys/class/net").glob("jada-*")},
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("*/jada/*")},
        "processes": {command for command in commands if b"/var/lib/jada-local" in command},
        "rules": subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout,
        "routes": subprocess.run(
            ["ip", "route", "show", "10.77.0.0/16"], capture_output=True, text=True, check=True
        ).stdout,
        "state": Site().state.exists(),
    }


@pytest.fixture(scope="session")
def chain():
    site = Site()
    if site.state.exists():
        pytest.exit("a demo is up, and these tests make one of their own: `make down` first", returncode=2)
    before = traces()
    try:
        second = _killed_halfway(site)
        done = subprocess.run([*LOCAL, "demo"], capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        chain = Chain(site, done.stdout)
        chain.second = second
        yield chain
    finally:
        down = subprocess.run([*LOCAL, "down"], capture_output=True, text=True, timeout=120, check=False)
        assert down.returncode == 0, down.stderr
    assert traces() == before


def _killed_halfway(site):
    """Start a demo, try a second beside it, and kill the first while Pulumi makes the box; returns what it said."""
    with subprocess.Popen([*LOCAL, "demo"], stdout=subprocess.DEVNULL, start_new_session=True) as first:
        assert wait_until((site.state / "logs" / "up.log").exists, 120)
        second = subprocess.run([*LOCAL, "demo"], capture_output=True, text=True, timeout=60, check=False)
        os.killpg(first.pid, signal.SIGKILL)
    return first.pid, second
