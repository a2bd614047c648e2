"""A tool that takes all memory of the worker's unit, on a host: the kernel takes the call, and its session goes on."""

import io
import json
import platform
import tarfile
import zipfile
from pathlib import Path

import pytest

from agent.tools.result import OUT_OF_MEMORY
from provision.release import bundle, wheels

pytestmark = pytest.mark.root
ROOT = Path(bundle.__file__).parents[2]
UNIT = ROOT / "provision" / "release" / "files" / "units" / "jada-agent.service"
OWN = ("Type", "Exec", "Load", "SetC", "Restart", "Watchdog", "Timeout", "Working", "Environment", "KillMode")
"""What the worker's unit has for its daemon, and not as walls: beginnings of names."""
HOG = (
    "for n in 1 2 3 4 5 6; do python3 -c 'import time; x = bytearray(180_000_000); time.sleep(30)' & done; "
    "for job in $(jobs -p); do wait $job || exit $?; done"
)
SESSION = f"""
import json, math, os, pathlib, time
from agent.sandbox.memory import Kills
from agent.sandbox.run import Sandbox
from agent.settings import ToolLimits
from agent.tools.bash import Bash
workspace = pathlib.Path("/var/lib/jada-agent/hog/workspace")
workspace.mkdir(parents=True, exist_ok=True)
bash = Bash(Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf), workspace.with_name("shell"))
hog = bash.run({{"command": {HOG!r}}})
after = bash.run({{"command": "echo alive"}})
print(json.dumps([hog.content, hog.is_error, after.content, Kills()()]))
"""


def walls():
    """The properties of the worker's unit, as options of systemd-run."""
    service = UNIT.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0]
    lines = [line for line in service.splitlines() if "=" in line and not line.startswith(("#", *OWN))]
    return [word for line in lines for word in ("-p", line)]


HOST = wheels.Platform("3.11", platform.machine(), "2.36")
"""Debian 12's, whatever this machine is."""


def packages(folder):
    """The worker's packages and what they need, as an archive: the release that these tests deploy has none of it."""
    house, made = wheels.wheelhouse_for(ROOT, HOST), io.BytesIO()
    wheels.fetch(house)
    for name in ("msgspec", "typing_extensions"):
        (wheel,) = house.folder.glob(f"{name}-*.whl")
        zipfile.ZipFile(wheel).extractall(folder)
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path in (ROOT / "agent", ROOT / "wire", *folder.iterdir()):
            tar.add(path, path.name)
    return made.getvalue()


def test_a_hog_of_the_units_memory_ends_its_call_and_not_the_session(deployed, tmp_path):
    box = deployed
    box.run(["sh", "-c", "mkdir -p /opt/hog && tar -x -C /opt/hog"], packages(tmp_path))
    command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--unit=hog", *walls(),
               "-p", "Environment=PYTHONPATH=/opt/hog", "-p", "Environment=PYTHONDONTWRITEBYTECODE=1",
               "/usr/bin/python3", "-c", SESSION]  # fmt: skip
    said, is_error, after, kills = json.loads(box.run(command))
    assert after == "alive\n"
    assert (said.splitlines()[-2:], is_error) == (["[exit code 137]", OUT_OF_MEMORY], True)
    assert kills >= 1
