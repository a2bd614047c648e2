"""`fab plan`: what a deploy would change."""

from invoke.context import Context

from provision import stage
from provision.commands.options import EACH, task
from provision.progress import Progress
from provision.release import deploy as deployment


@task(help=EACH)
def plan(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Say what `fab deploy` would change, and change nothing."""
    progress = Progress()
    here = stage.load(stack)
    for each in here.hosts(host):
        with here.connected(each.name, progress) as box:
            deployment.prepare(box, here.source, progress)
