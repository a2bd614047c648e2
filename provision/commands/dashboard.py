"""`fab dashboard`: a host's page on this machine."""

from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.progress import Progress
from provision.reach import tunnel
from provision.reach.keyfiles import materialised
from provision.target import load_target


@task(help={**ONE_HOST, "port": "the port on this machine"})
def dashboard(_context: Context, port: int = 8765, stack: str | None = None, host: str | None = None) -> None:
    """Open a tunnel to a host's dashboard and print its address, until Ctrl-C."""
    progress = Progress(aside=True)
    target = load_target(stack)
    with (
        materialised(target.access(host, progress)) as keys,
        tunnel.opened(keys, target.source.queue, port=port) as opened,
    ):
        progress.say(f"{opened.url}  (Ctrl-C closes the tunnel)", "bold")
        try:
            opened.wait()
        except KeyboardInterrupt:
            progress.say("closed")
