"""`fab deploy`: make hosts workers."""

import time

from invoke.context import Context

from provision.commands.options import EACH_HOST, task
from provision.progress import Progress
from provision.release import deploy as deployment
from provision.target import load_target


@task(help=EACH_HOST, example="fab deploy --stack prod")
def deploy(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Make a host a worker: first its system, then this release; put the one before back if it fails."""
    progress = Progress()
    target = load_target(stack)
    for each in target.hosts(host):
        began = time.monotonic()
        with target.connected(each.name, progress) as box:
            changed = deployment.deploy(box, target.source, progress)
        word = "deployed" if changed else "nothing changed, nothing restarted"
        progress.say(f"{each.name}: {word}  ({time.monotonic() - began:.1f} s)", "bold")
