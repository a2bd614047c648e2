"""Deploys in which something is killed: the operator's side, the connection, the installer, or the host's power.

A seed chooses who dies, and after which of the installer's events.
"""

import contextlib
import random
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from local.hosts import container
from local.process import wait_until
from provision.errors import CommandError
from provision.reach.connection import connected
from provision.release.deploy import deploy
from provision.release.installer import Errand

WHO = ("operator", "connection", "installer", "host")
EVENTS = 16
"""About as many as a deploy says that makes no environment."""
OPERATOR = """
import sys
from pathlib import Path
from provision.progress import Progress
from provision.reach import access, inventory
from provision.reach.connection import connected
from provision.release.deploy import Source, deploy
from provision.settings import Settings
url, name, public, private, root = sys.argv[1:]
host = inventory.Host(name=name, username="admin", address=public, private_address=private)
cloud = access.client(inventory.Inventory(region="us-east-1", endpoint=url, hosts=(host,)))
settings = Settings(health_s=60, deployed_s=1, proven_s=2)
source = Source(Path(root), Path(root) / "jada.local.toml", settings, "/run/jada-dashboard/queue.sock")
with connected(access.obtain(cloud, host, access.utc_now()), 15) as box:
    deploy(box, source, Progress(aside=True))
"""


@dataclass(frozen=True)
class Kill:
    """Who dies, after how many events of the installer (0: before it begins), and how many milliseconds later."""

    who: str
    after: int
    then_ms: int


def chosen(seed):
    """The kill of a seed; of four seeds in a row each kills another."""
    dice = random.Random(seed)
    return Kill(WHO[seed % len(WHO)], dice.randrange(EVENTS), dice.randrange(400))


def deploy_and_kill(cloud, source, progress, kill):
    """Begin a deploy and kill; returns what it said, or its refusal, once it has ended."""
    before = set(_runs(cloud))
    if kill.who == "operator":
        return _kill_operator(cloud, source, lambda: _aim(cloud, before, kill))
    with connected(cloud.access(), 15) as box:
        said = []
        errand = Errand(again=lambda: connected(cloud.access(), 15), again_s=90)
        thread = threading.Thread(target=lambda: said.append(_outcome(box, source, progress, errand)), daemon=True)
        thread.start()
        _aim(cloud, before, kill)
        {"connection": _cut, "installer": _kill_installer, "host": _cut_power}[kill.who](cloud, box)
        thread.join(150)
        assert said, f"the deploy never ended after {kill}"
        return said[0]


def _outcome(box, source, progress, errand):
    try:
        return deploy(box, source, progress, errand)
    except CommandError as refused:
        return refused


def _kill_operator(cloud, source, aim):
    host = cloud.inventory.hosts[0]
    places = [cloud.url, host.name, host.address, host.private_address, str(source.root)]
    with subprocess.Popen([sys.executable, "-c", OPERATOR, *places], stderr=subprocess.PIPE) as operator:
        aim()
        operator.kill()
        return operator.stderr.read().decode()


def _cut(_cloud, box):
    box._client.get_transport().close()


def _kill_installer(cloud, _box):
    with connected(cloud.access(), 15) as other:
        other.run(["sh", "-c", "systemctl kill --signal=KILL --kill-whom=main jada-deploy || true"])


def _cut_power(cloud, _box):
    container.crash(cloud.site, 1)


def _aim(cloud, before, kill):
    """Wait for the moment: so many events of a run that was not there before, or its last word, and a little more."""
    if kill.after:
        assert wait_until(lambda: _said(cloud, before) >= kill.after, 60, 0.01), f"{kill}: the installer never began"
    time.sleep(kill.then_ms / 1000)


def _said(cloud, before):
    lines = [_lines(run / "events") for run in _runs(cloud, before)]
    ended = any(word in line for each in lines for line in each for word in ('"proven"', '"failed"', '"finished"'))
    return EVENTS if ended else max(map(len, lines), default=0)


def _runs(cloud, before=()):
    # On this machine the host's disk is a folder: nothing of what is killed takes part in the look.
    found = cloud.disk.glob("opt/jada-agent/deploys/*")
    return [path for path in found if path not in before and (path / "orders.json").exists()]


def _lines(path):
    with contextlib.suppress(OSError):
        return path.read_text().splitlines()
    return []
