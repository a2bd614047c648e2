"""`fab dashboard`: a host's page on this machine."""

from invoke.context import Context

from provision.commands.options import FORWARDED, ONE_HOST, require_free_port, task, whole
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import tunnel
from provision.reach.keyfiles import materialised
from provision.target import load_target


@task(help={**ONE_HOST, "port": "the port on this machine"}, example="fab dashboard --port 8766")
def dashboard(_context: Context, port: str = "8765", stack: str | None = None, host: str | None = None) -> None:
    """Open a tunnel to a host's dashboard and print its address, until Ctrl-C."""
    number = whole("--port", port, FORWARDED)
    require_free_port("--port", number)
    progress = Progress(aside=True)
    target = load_target(stack)
    with (
        materialised(target.access(host, progress)) as keys,
        tunnel.opened(keys, target.source.queue, port=number) as opened,
    ):
        progress.say(f"{opened.url}  (Ctrl-C closes the tunnel)", "bold")
        try:
            opened.wait()
        except KeyboardInterrupt:
            progress.note("closed")
            return
    raise CommandError("the connection to the host ended", "`fab dashboard` opens it anew")
