"""`fab plan`: what a deploy would change."""

from invoke.context import Context

from provision.commands.options import EACH_HOST, task
from provision.progress import Progress
from provision.release import deploy as deployment
from provision.target import load_target


@task(help=EACH_HOST)
def plan(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Say what `fab deploy` would change, and change nothing."""
    progress = Progress()
    target = load_target(stack)
    for each in target.hosts(host):
        with target.connected(each.name, progress) as box:
            deployment.prepare(box, target.source, progress)
