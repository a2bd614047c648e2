"""uvicorn as the dashboard runs it: on a socket of our own, ready for systemd, ended by a signal."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from dashboard.connections import Connection, look
from dashboard.settings import Settings
from wire.systemd import Notify

ACCEPTED, QUEUED = 64, 2048
"""Connections that asyncio takes at once, and those that the kernel holds until it does."""
SEND_BUFFER = 64 * 1024
"""Bytes of an answer that the kernel takes from us before its reader does."""


class Server(uvicorn.Server):
    """uvicorn that tells systemd when it serves, and looks at its connections each second."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say READY=1 where $NOTIFY_SOCKET asks for it (sd_notify(3))."""
        await super().startup(sockets)
        for listener in sockets or ():
            # asyncio takes as many at once as it lets wait: a thousand would use up descriptors before any is closed.
            listener.listen(QUEUED)
        Notify(os.environ.get("NOTIFY_SOCKET")).ready()

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second."""
        if counter % 10 == 0:
            look(cast("set[Connection]", self.server_state.connections), asyncio.get_running_loop().time())
        return await super().on_tick(counter)


def listen(settings: Settings) -> socket.socket:
    """Bind the port; raises OSError that names it."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    # The protocol is named, or asyncio leaves TCP_NODELAY off, and each answer waits for a delayed ACK: 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # The kernel's own limit is megabytes a connection, which a slow reader empties too seldom to be seen reading.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # A restart must not wait until the old connections' TIME_WAIT is over.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.address, settings.port))
    except OSError as error:
        listener.close()
        message = f"can't listen on {settings.address} port {settings.port}: {error.strerror}"
        raise OSError(message) from error
    return listener


def listen_locally(path: Path) -> socket.socket:
    """Bind the Unix socket for the members of our group; raises OSError that names it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        # Only one process has the state's lock: what lies here was left behind by a kill.
        if path.is_socket():
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o660)
    except OSError as error:
        listener.close()
        raise OSError(f"can't listen on {path}: {error.strerror}") from error
    return listener


def serve(application: ASGIApp, listeners: list[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT."""
    # uvicorn raises the signal again when it is done, for the handler before its own: a quiet one, so that we end well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    asyncio.run(Server(config(application)).serve(sockets=listeners))


def config(application: ASGIApp, connection: type[Connection] = Connection) -> uvicorn.Config:
    """Return what uvicorn is given."""
    return uvicorn.Config(
        application,
        loop="asyncio",
        http=connection,
        ws="none",
        backlog=ACCEPTED,
        access_log=False,
        # uvicorn's own configuration would give its lines another form than ours.
        log_config=None,
        server_header=False,
        # Longer than any pause between two looks of the notifier: at uvicorn's own 5 s, which are also that pause, a
        # request meets the closing of its connection about once a minute, and is lost with a warning.
        timeout_keep_alive=75,
        # A request that hangs must not hold up a restart.
        timeout_graceful_shutdown=8,
    )
