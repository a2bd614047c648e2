"""`fab ssh`: a shell on a host."""

import subprocess

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import ONE_HOST, task
from provision.progress import Progress
from provision.reach.keyfiles import materialised
from provision.target import load_target


@task(help={**ONE_HOST, "command": "what to run there; a shell otherwise"})
def ssh(_context: Context, command: str = "", stack: str | None = None, host: str | None = None) -> None:
    """Log in to a host with a temporary certificate."""
    target = load_target(stack)
    with materialised(target.access(host, Progress(aside=True))) as keys:
        code = subprocess.run(keys.ssh("{host}", *([command] if command else [])), check=False).returncode
    if code:
        raise Exit(code=code)
