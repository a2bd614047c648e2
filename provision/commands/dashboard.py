"""`fab dashboard`: a host's page on this machine, and the link that signs in to it."""

import os
import re
import sys
from pathlib import Path

from invoke.context import Context

from provision.commands.options import FORWARDED, ONE_HOST, operator, require_free_port, require_place, task, whole
from provision.commands.queue import answering
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import tunnel
from provision.reach.keyfiles import materialised
from provision.target import load_target
from wire.client import Client

SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
"""What the address of a Unix socket has room for."""


@task(
    help={
        **ONE_HOST,
        "port": "the port on this machine",
        "socket": "a path on this machine: a socket there leads to the queue's API, for programs of yours",
    },
    example="fab dashboard --port 8766",
)
def dashboard(
    _context: Context,
    port: str = "8765",
    socket: str | None = None,
    stack: str | None = None,
    host: str | None = None,
) -> None:
    """Open a tunnel to a host's page until Ctrl-C, and print a link that signs you in: once, within 5 minutes."""
    number = whole("--port", port, FORWARDED)
    require_socket_place("--socket", socket)
    require_free_port("--port", number)
    progress = Progress(aside=True)
    target = load_target(stack)
    with (
        materialised(target.access(host, progress)) as keys,
        tunnel.opened(
            keys, target.source.queue, at=Path(socket).absolute() if socket else None, page_port=number
        ) as opened,
    ):
        with answering(keys.name):
            invitation = Client(opened.url).invite(operator())
        progress.say(address(target.name, number, invitation.path), "bold")
        progress.note("it signs you in once, within 5 minutes; Ctrl-C closes the tunnel")
        try:
            opened.wait()
        except KeyboardInterrupt:
            progress.note("closed")
            return
    raise CommandError("the connection to the host ended", "`fab dashboard` opens it anew")


def require_socket_place(option: str, path: str | None) -> None:
    """Raise `CommandError` where no socket can be made at a path, or would take the place of something else."""
    require_place(option, path)
    if not path:
        return
    place = Path(path).absolute()
    if os.path.lexists(place) and not tunnel.is_socket(place):
        raise CommandError(f"{option} {path}: there is something, and it is no socket", f"give {option} a free path")
    if len(os.fsencode(place)) > SOCKET_PATH_BYTES:
        said = f"a socket's path has at most {SOCKET_PATH_BYTES} bytes, and {place} has {len(os.fsencode(place))}"
        raise CommandError(f"{option} {path}: {said}", f"give {option} a shorter one")


def address(stack: str, port: int, path: str) -> str:
    """Return the page's address: a name of its own, because cookies of 127.0.0.1 are shared by all its ports."""
    label = re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")
    return f"http://jada-{label}.localhost:{port}{path}"
