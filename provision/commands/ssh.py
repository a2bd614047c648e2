"""`fab ssh`: a shell on a host."""

import subprocess
import sys

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import FORWARDED, ONE_HOST, require_free_port, task, whole
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.keyfiles import materialised
from provision.target import load_target


@task(
    positional=[],
    iterable=["forward"],
    help={
        **ONE_HOST,
        "command": "what to run there; a shell otherwise",
        "forward": "LOCAL:REMOTE, a port of this machine that leads to the host's own; may be given several times",
    },
    example="fab ssh --forward 8085:8085 --command 'systemctl status jada-agent'",
)
def ssh(
    _context: Context, forward: list[str], command: str = "", stack: str | None = None, host: str | None = None
) -> None:
    """Log in to a host with a temporary certificate."""
    options = [word for text in forward for word in forwarding(text)]
    target = load_target(stack)
    with materialised(target.access(host, Progress(aside=True))) as keys:
        # With a terminal of its own the command hears Ctrl-C; without, it would go on on the host.
        terminal = ["-t"] if command and sys.stdin.isatty() else []
        words = keys.ssh(*options, *terminal, "{host}", *([command] if command else []))
        code = subprocess.run(words, check=False).returncode
    if code:
        raise Exit(code=code)


def forwarding(text: str) -> list[str]:
    """Return ssh's options for LOCAL:REMOTE; raises `CommandError` for another text, and for a port that is taken."""
    local, colon, remote = text.partition(":")
    if not colon:
        raise CommandError(f"--forward {text}: not two ports", "give it as --forward 8085:8085")
    port = whole("--forward", local, FORWARDED)
    require_free_port("--forward", port)
    leads = f"127.0.0.1:{port}:localhost:{whole('--forward', remote, FORWARDED)}"
    # Without the first, ssh goes on with a warning when the port was taken after all.
    return ["-o", "ExitOnForwardFailure=yes", "-L", leads]
