"""`fab dashboard`: a host's page on this machine."""

from invoke.context import Context

from provision import stage
from provision.commands.options import WHERE, task
from provision.progress import Progress
from provision.reach import tunnel
from provision.reach.keyfiles import materialised


@task(help={**WHERE, "port": "the port on this machine"})
def dashboard(_context: Context, port: int = 8765, stack: str | None = None, host: str | None = None) -> None:
    """Open a tunnel to a host's dashboard and print its address, until Ctrl-C."""
    progress = Progress(aside=True)
    here = stage.load(stack)
    with materialised(here.access(host, progress)) as keys, tunnel.opened(keys, here.source.queue, port=port) as opened:
        progress.say(f"{opened.url}  (Ctrl-C closes the tunnel)", "bold")
        try:
            opened.wait()
        except KeyboardInterrupt:
            progress.say("closed")
