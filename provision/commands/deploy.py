"""`fab deploy`: make hosts workers."""

import time

from invoke.context import Context

from provision import stage
from provision.commands.options import EACH, task
from provision.progress import Progress
from provision.release import deploy as deployment


@task(help=EACH)
def deploy(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Make a host a worker: first its system, then this release; put the one before back if it fails."""
    progress = Progress()
    here = stage.load(stack)
    for each in here.hosts(host):
        began = time.monotonic()
        with here.connected(each.name, progress) as box:
            changed = deployment.deploy(box, here.source, progress)
        word = "deployed" if changed else "nothing changed, nothing restarted"
        progress.say(f"{each.name}: {word}  ({time.monotonic() - began:.1f} s)", "bold")
