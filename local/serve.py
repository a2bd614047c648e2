"""Serve one double over HTTP: as a program of its own, or inside a test."""

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_GRACE_S = 1
"""How long a request in flight may still run at the end: a double that plays a hang must not hold up `make down`."""


class _Server(uvicorn.Server):
    """A server that says when it listens: `ready` is set once the application has started and the port is open."""

    def __init__(self, app: ASGIApp, announcement: str = "") -> None:
        super().__init__(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=_GRACE_S))
        self.ready = threading.Event()
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then announce it."""
        await super().startup(sockets)
        if self._announcement:
            sys.stdout.write(self._announcement + "\n")
            sys.stdout.flush()
        self.ready.set()


def run(name: str, app: ASGIApp, host: str, port: int) -> None:
    """Serve `app` until SIGTERM or SIGINT; port 0 takes any.

    Prints the one line `NAME ready http://HOST:PORT` to stdout when it listens; the log goes to stderr. A port that
    can't be had ends the program with exit code 1 and one line that names it.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {name} %(message)s")
    try:
        listener = _listen(host, port)
    except OSError as error:
        reason = error.strerror or error
        sys.exit(f"{name}: can't listen on {host}:{port}: {reason}. End what holds port {port}, or choose another.")
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again after a clean end, for the handler that was there before it: a quiet one.
        signal.signal(number, lambda _number, _frame: None)
    _Server(app, f"{name} ready {_url(listener)}").run(sockets=[listener])


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
    return socket.create_server((host, port), family=family, backlog=128)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
