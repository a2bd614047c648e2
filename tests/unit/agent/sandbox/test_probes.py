"""What a model may try against its sandbox, each try first shown to succeed without it."""

import math
import os
import platform
import shlex
import socket
import subprocess
import time
from pathlib import Path

import pytest

from agent.sandbox.run import Sandbox
from agent.sandbox.waiting import Job
from agent.settings import ToolLimits
from tests.unit.agent.sandbox.probes import PRELUDE, PROBES

pytestmark = [pytest.mark.process, pytest.mark.root]
SECRET = "canary-0123456789"
DOCUMENT = Path(__file__).parents[4] / "docs" / "security.md"
only_here = pytest.mark.skipif(platform.machine() != "x86_64", reason="system calls have other numbers elsewhere")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A host around one workspace: files, a process, sockets and memory that belong to it and not to the call."""
    folder = tmp_path_factory.mktemp("probes")
    (folder / "workspace").mkdir()
    canary, sock = folder / "canary", folder / "queue.sock"
    canary.write_text(SECRET)
    # Where the whole machine's are, also those of another run of tests.
    name = f"jada-probes-{os.getpid()}"
    tmp, shm = Path("/tmp", name), Path("/dev/shm", name)
    segment = subprocess.run(["ipcmk", "-M", "100"], capture_output=True, text=True, check=True).stdout.split()[-1]
    victim = subprocess.Popen(["sleep", "600"], cwd=folder, env={"SECRET": SECRET})
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(1) as abstract, socket.socket(1) as path:
        abstract.bind(f"\0{folder}")
        path.bind(str(sock))
        for server in (abstract, path):
            server.listen(100)
        for file in (tmp, shm):
            file.write_text(SECRET)
        names = {
            "CANARY": canary, "SECRET": SECRET, "VICTIM": victim.pid, "PORT": tcp.getsockname()[1], "ABSTRACT": folder,
            "SOCKET": sock, "SEGMENT": segment, "HOST_TMP": tmp, "HOST_SHM": shm,
        }  # fmt: skip
        yield folder, "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in names.items()) + PRELUDE
    for file in (tmp, shm):
        file.unlink()
    victim.kill()
    victim.wait()
    subprocess.run(["ipcrm", "-m", segment], check=True)


@pytest.fixture(scope="module")
def sandbox(site):
    limits = ToolLimits(memory_mb=64, seconds=20)
    return Sandbox(site[0] / "workspace", limits, time.monotonic, lambda: math.inf)


def free(folder, script):
    """Run it without walls, but for mounts of its own, which go with it: returns its exit code and words."""
    with (folder / "canary").open() as canary:
        # As an inherited descriptor: what a session that forgot to close one would leave to its call.
        script = f"exec 9</dev/fd/{canary.fileno()}\n{script}"
        done = subprocess.run(
            ["unshare", "--mount", "/bin/bash", "-c", script], cwd=folder / "workspace", capture_output=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TOKEN": SECRET}, timeout=60,
            pass_fds=[canary.fileno()], check=False,
        )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@only_here
@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_a_try_that_succeeds_without_walls_fails_within(probe, site, sandbox):
    folder, names = site
    code, said = free(folder, f"{names}{probe.command}")
    assert code == 0, said
    held = sandbox.run(Job(["/bin/bash", "-c", f"{names}{probe.command}"]))
    assert held.code not in (0, None), held
    assert SECRET.encode() not in held.head + held.tail


def test_the_documents_table_is_of_these_tries():
    table = DOCUMENT.read_text("utf-8").partition("| a call tries to |")[2].partition("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines()[2:]]
    assert rows == [(probe.name, probe.wall) for probe in PROBES]
    assert len({probe.name for probe in PROBES}) >= 60
