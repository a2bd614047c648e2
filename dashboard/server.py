"""uvicorn as the dashboard runs it: on a socket of our own, ready for systemd, ended by a signal."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvicorn.config
import uvicorn.server
from starlette.types import ASGIApp

from dashboard.connections import Connection, look
from wire.systemd import SILENT, Notify

ACCEPTED, QUEUED = 64, 2048
"""Connections that asyncio takes at once, and those that the kernel holds until it does."""
SEND_BUFFER = 64 * 1024
"""Bytes of an answer that the kernel takes from us before its reader does."""


class Server(uvicorn.server.Server):
    """uvicorn that tells systemd when it serves and that it lives, looks at its connections each second, and ends its
    streams first of all when it is to end.
    """

    def __init__(
        self,
        config: uvicorn.config.Config,
        before_end: Callable[[], None] = lambda: None,
        systemd: Notify = SILENT,
        watchdog_s: float = 0,
    ) -> None:
        """`before_end` ends the streams; `systemd` hears of us; after `watchdog_s`
        without a sign it kills us.
        """
        super().__init__(config)
        self._before_end = before_end
        self._systemd = systemd
        self._watchdog_s = watchdog_s
        self._next_sign = 0.0

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what would go on for ever, then wait for the answers that are under way."""
        self._before_end()
        ending = asyncio.create_task(self._end_idle())
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    async def _end_idle(self) -> None:
        """End connections as they become idle. uvicorn asks each of them once: one that was just being taken would stay
        for as long as idle ones may, and so hold up a restart until its limit.
        """
        while True:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0.1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say READY=1."""
        await super().startup(sockets)
        for listener in sockets or ():
            # asyncio takes as many at once as it lets wait: a thousand would use up descriptors before any is closed.
            listener.listen(QUEUED)
        self._systemd.ready()

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second."""
        now = asyncio.get_running_loop().time()
        if counter % 10 == 0:
            look(cast("set[Connection]", self.server_state.connections), now)
        # From the loop that serves: it lives when this runs. The queue's health is no part of it, a restart mends none.
        if self._watchdog_s and now >= self._next_sign:
            self._systemd.alive()
            self._next_sign = now + self._watchdog_s / 3
        return await super().on_tick(counter)


def listen(address: str, port: int) -> socket.socket:
    """Bind a port, for other hosts; raises OSError that names it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named, or asyncio leaves TCP_NODELAY off, and each answer waits for a delayed ACK: 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # The kernel's own limit is megabytes a connection, which a slow reader empties too seldom to be seen reading.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # A restart must not wait until the old connections' TIME_WAIT is over.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        message = f"can't listen on {address} port {port}: {error.strerror}"
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
        # Between bind and here the process's umask keeps everyone else out.
        path.chmod(0o660)
    except OSError as error:
        listener.close()
        raise OSError(f"can't listen on {path}: {error.strerror}") from error
    return listener


def serve(application: ASGIApp, listeners: list[socket.socket], before_end: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; then `before_end` ends the streams."""
    systemd, watchdog_us = Notify(os.environ.get("NOTIFY_SOCKET")), os.environ.get("WATCHDOG_USEC", "0")
    server = Server(config(application), before_end, systemd, int(watchdog_us) / 1_000_000)
    # Before uvicorn takes signals this ends it at its start. Once it is done it raises them again, for the handler
    # before its own: this one, which then does nothing more, so that we end well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: setattr(server, "should_exit", True))
    asyncio.run(server.serve(sockets=listeners))


def config(application: ASGIApp, connection: type[Connection] = Connection) -> uvicorn.config.Config:
    """Return what uvicorn is given."""
    return uvicorn.config.Config(
        application,
        loop="asyncio",
        http=connection,
        ws="none",
        backlog=ACCEPTED,
        access_log=False,
        # uvicorn's own configuration would give its lines another form than ours.
        log_config=None,
        server_header=False,
        # Who calls is known by the socket or a token, never by what a header says of them.
        proxy_headers=False,
        # Longer than any pause between two looks of the notifier: at uvicorn's own 5 s, which are also that pause, a
        # request meets the closing of its connection about once a minute, and is lost with a warning.
        timeout_keep_alive=75,
        # A request that hangs must not hold up a restart.
        timeout_graceful_shutdown=8,
    )
