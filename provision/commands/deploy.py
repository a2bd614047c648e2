"""`fab deploy` and `fab attach`: make hosts workers, and find a deploy again that is at work."""

import getpass
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

from invoke.context import Context

from provision.commands import fleet
from provision.commands.options import EACH_HOST, ONE_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import access
from provision.reach.inventory import Inventory, require_one_queue
from provision.release import deploy as deployment
from provision.release import installer
from provision.release.installer import Errand
from provision.target import load_target

ROLLING = 1
"""So many hosts of one queue are deployed at once: each drains, and the others go on with its tasks."""
DETACH = "only start it; the host carries it out, and `fab attach` follows it"


@task(help={**EACH_HOST, "detach": DETACH}, example="fab deploy --stack prod")
def deploy(_context: Context, *, stack: str | None = None, host: str | None = None, detach: bool = False) -> None:
    """Make a host a worker: first its system, then this release; put the last proven one back if it fails.

    It ends when the release has held for 10 s (deployed). The host itself watches on until it is proven, 75 s after the
    switch; until then its worker takes no task. The connection may break, and Ctrl-C may end this command: the host
    finishes what it began, or undoes it. On a terminal Ctrl-C asks whether it is to undo it.

    Of several hosts the first is deployed alone, until it is proven, then the others: one after another where they
    share a queue, so that the rest work on. A failure stops those that have not begun.
    """
    progress = Progress()
    target = load_target(stack)
    require_one_queue(target.inventory, target.source.table, target.source.file.name)
    names = [each.name for each in target.hosts(host)]
    if detach and len(names) > 1:
        raise CommandError(
            "--detach begins a deploy without waiting, so that one host could not prove a release before the others",
            f"name one host: --host {names[0]}",
        )
    builder, began, by = deployment.Builder(target.source), time.monotonic(), who(target.inventory)

    def bring(name: str) -> str:
        shown = fleet.progress_of(name, names, progress)
        again = partial(target.connected, name, shown)
        is_canary = len(names) > 1 and name == names[0]
        run, ask = installer.new_run(), at_terminal()
        errand = Errand(run=run, who=by, detach=detach, again=again, proven=is_canary, ask=ask)
        with target.connected(name, shown) as box:
            return deployment.deploy(box, target.source, shown, errand, builder) or "nothing changed, nothing restarted"

    try:
        # The first one alone: what is wrong with a release is not learnt on all hosts at once.
        at_once = ROLLING if target.source.table else fleet.AT_ONCE
        outcomes = fleet.on_each(names, bring, first_alone=True, at_once=at_once)
    except KeyboardInterrupt:
        raise CommandError(
            "stopped here; a host whose installer has begun goes on by itself",
            "`fab attach --host NAME` says how it is",
        ) from None
    if len(names) == 1:
        fleet.require_all(outcomes)
        progress.say(f"{names[0]}: {outcomes[0].value}  ({time.monotonic() - began:.1f} s)", "bold")
        return
    for line in fleet.table(outcomes, str):
        progress.say(line, "bold")
    fleet.require_all(outcomes)


@task(help=ONE_HOST, example="fab attach --stack prod")
def attach(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Follow the deploy that is at work on a host, or say how the latest one ended; waits until it is proven."""
    progress = Progress()
    target = load_target(stack)
    with target.connected(host, progress) as box:
        errand = Errand(again=partial(target.connected, box.name, progress), ask=at_terminal())
        said = installer.follow(box, None, progress, errand, until_deployed=False)
        # This login came after whatever a deploy did to sshd before it.
        deployment.confirm_way_in(box.name, progress, errand)
        progress.say(f"{box.name}: {said}", "bold")


def at_terminal() -> Callable[[str], str] | None:
    """Return what asks the operator who sits there; None where no one does."""
    return input if sys.stdin.isatty() and sys.stdout.isatty() else None


def who(inventory: Inventory) -> str:
    """Return who deploys, for the host's history: as AWS knows them, or as this machine does on the local stack."""
    return access.caller(inventory) or f"{getpass.getuser()}@{socket.gethostname()}"
