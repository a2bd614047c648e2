"""`fab ssh`: a shell on a host."""

import subprocess

from invoke.context import Context
from invoke.exceptions import Exit

from provision import stage
from provision.commands.options import WHERE, task
from provision.progress import Progress
from provision.reach.keyfiles import materialised


@task(help={**WHERE, "command": "what to run there; a shell otherwise"})
def ssh(_context: Context, command: str = "", stack: str | None = None, host: str | None = None) -> None:
    """Log in to a host with a temporary certificate."""
    here = stage.load(stack)
    with materialised(here.access(host, Progress(aside=True))) as keys:
        code = subprocess.run(keys.ssh("{host}", *([command] if command else [])), check=False).returncode
    if code:
        raise Exit(code=code)
