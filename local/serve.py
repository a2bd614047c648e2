"""Serve one double over HTTP: as a program of its own, or inside a test."""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from local.site import Site, add_options, chosen

_GRACE_S = 1
"""How long a request in flight may still run at the end: a double that plays a hang must not hold up `make down`."""


class _Server(uvicorn.Server):
    """A server that says when it listens: `ready` is set once the application has started and the port is open."""

    def __init__(self, app: ASGIApp, announcement: str = "") -> None:
        # At uvicorn's own 5 s a client that pauses for as long, as on a busy machine, meets the end of its connection.
        config = uvicorn.Config(app, log_config=None, timeout_keep_alive=75, timeout_graceful_shutdown=_GRACE_S)
        self._exits, self._wake = False, _nothing
        super().__init__(config)
        self.ready = threading.Event()
        self._announcement = announcement

    @property
    def should_exit(self) -> bool:
        """Whether it is to end; set by another thread, or a signal's handler."""
        return self._exits

    @should_exit.setter
    def should_exit(self, exits: bool) -> None:
        self._exits = exits
        self._wake()

    async def main_loop(self) -> None:
        """Wait for the end, for which uvicorn looks ten times a second: at rest that is most of a double's CPU."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(over.set)

        self._wake = wake
        # Each second, because a look makes the date that answers bear.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then announce it."""
        await super().startup(sockets)
        if self._announcement:
            sys.stdout.write(self._announcement + "\n")
            sys.stdout.flush()
        self.ready.set()


def _nothing() -> None:
    """Stand in for the waking of what does not wait yet."""


def parser(name: str, port: int, **about: Any) -> argparse.ArgumentParser:
    """Return the command line that all programs of a cloud have: where to listen, and which site they belong to."""
    made = argparse.ArgumentParser(prog=f"python -m {name}", **about)
    made.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    made.add_argument("--port", type=int, default=port, help="port to listen on; 0 takes any (default: %(default)s)")
    add_options(made, {})
    made.add_argument("--state", type=Path, help="folder of what it keeps (default: one named after site and program)")
    return made


def site(name: str, given: argparse.Namespace) -> Site:
    """Return the site a program belongs to, with the program's own folder as its state."""
    whole = chosen(given)
    return replace(whole, folder=given.state or whole.state / name)


def health(name: str, site: Site) -> dict[str, str]:
    """Say who answers: a site that meets another site's double at its address must not take it for its own."""
    return {"name": name, "site": site.name, "network": site.network}


def run(name: str, app: Starlette, given: argparse.Namespace) -> None:
    """Serve `app` and its health until SIGTERM or SIGINT, at the place that `parser` has read; port 0 takes any.

    Prints the one line `NAME ready http://HOST:PORT` to stdout when it listens; the log goes to stderr. A port that
    can't be had ends the program with exit code 1 and one line that names it.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {name} %(message)s")
    try:
        listener = _listen(given.host, given.port)
    except OSError as error:
        place, reason = f"{given.host}:{given.port}", error.strerror or error
        sys.exit(f"{name}: can't listen on {place}: {reason}. End what holds port {given.port}, or choose another.")
    answer = JSONResponse(health(name, site(name, given)))
    # First, because a relay has a route for every path.
    app.router.routes.insert(0, Route("/_local/health", answer))
    server = _Server(app, f"{name} ready {_url(listener)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        # Before uvicorn takes signals this ends it at its start; uvicorn raises them again after a clean end, for this
        # handler, which then does nothing more.
        signal.signal(number, lambda _number, _frame: setattr(server, "should_exit", True))
    server.run(sockets=[listener])


@contextlib.contextmanager
def running(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve `app` in a thread while the block runs; yields its URL. Raises `OSError` when the port can't be had."""
    listener = _listen(host, port)
    server = _Server(app)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    url = _url(listener)
    thread.start()
    try:
        while not server.ready.wait(timeout=0.1):
            if not thread.is_alive():
                raise RuntimeError(f"the application did not start on {url}: its log says why")
        yield url
    finally:
        server.should_exit = True
        thread.join()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=128)
    # asyncio switches Nagle's algorithm off only where the socket says that it is TCP, and create_server leaves it
    # unsaid: every answer would wait 40 ms for the other side's delayed acknowledgement.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
