"""`fab deploy` and `fab attach`: make hosts workers, and find a deploy again that is at work."""

import getpass
import socket
import time
from functools import partial

from invoke.context import Context

from provision.commands.options import EACH_HOST, ONE_HOST, task
from provision.progress import Progress
from provision.reach import access
from provision.reach.inventory import Inventory, require_one_queue
from provision.release import deploy as deployment
from provision.release import installer
from provision.release.installer import Errand
from provision.target import load_target

DETACH = "only start it; the host carries it out, and `fab attach` follows it"


@task(help={**EACH_HOST, "detach": DETACH}, example="fab deploy --stack prod")
def deploy(_context: Context, *, stack: str | None = None, host: str | None = None, detach: bool = False) -> None:
    """Make a host a worker: first its system, then this release; put the last proven one back if it fails.

    It ends when the release has held for 10 s (deployed). The host itself watches on until it is proven, 75 s after the
    switch; until then its worker takes no task. The connection may break, and Ctrl-C may end this command: the host
    finishes what it began, or undoes it.
    """
    progress = Progress()
    target = load_target(stack)
    require_one_queue(target.inventory, target.source.table, target.source.file.name)
    for each in target.hosts(host):
        began = time.monotonic()
        again = partial(target.connected, each.name, progress)
        errand = Errand(run=installer.new_run(), who=who(target.inventory), detach=detach, again=again)
        with target.connected(each.name, progress) as box:
            word = deployment.deploy(box, target.source, progress, errand)
        said = word or "nothing changed, nothing restarted"
        progress.say(f"{each.name}: {said}  ({time.monotonic() - began:.1f} s)", "bold")


@task(help=ONE_HOST, example="fab attach --stack prod")
def attach(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Follow the deploy that is at work on a host, or say how the latest one ended; waits until it is proven."""
    progress = Progress()
    target = load_target(stack)
    with target.connected(host, progress) as box:
        errand = Errand(again=partial(target.connected, box.name, progress))
        said = installer.follow(box, None, progress, errand, until_deployed=False)
        progress.say(f"{box.name}: {said}", "bold")


def who(inventory: Inventory) -> str:
    """Return who deploys, for the host's history: as AWS knows them, or as this machine does on the local stack."""
    return access.caller(inventory) or f"{getpass.getuser()}@{socket.gethostname()}"
