"""Asking the queue on this host over HTTP: whether it is ready, and what an audit wants of it.

By itself: HTTP's modules are a quarter of what a program that only looks would load.
"""

import http.client
import json
import socket
from http import HTTPStatus
from urllib.parse import urlsplit


def queue_problem(url: str, port: str | None = None) -> str | None:
    """Return why the queue is not ready at `url`; None when it is. A release without a socket answers at `port`."""
    problem = _queue_problem(url)
    return None if problem and port and _queue_problem(port) is None else problem


def _queue_problem(url: str) -> str | None:
    try:
        status, body, _ = ask(url, "/readyz")
        if status == HTTPStatus.NOT_FOUND:
            # A release from before that question: going back to it must stay possible.
            status, body, _ = ask(url, "/v1/health")
    except (OSError, http.client.HTTPException) as error:
        return f"the dashboard does not answer at {url}: {error}"
    if status != HTTPStatus.OK:
        return f"the queue is not ready: {_said(body, 'detail') or f'HTTP Error {status}'}"
    said = _said(body, "status")
    return None if said in ("ok", "ready") else f"the dashboard says {said!r} at {url}"


def _said(body: bytes, name: str) -> str | None:
    try:
        found = json.loads(body)[name]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)


def ask(url: str, path: str) -> tuple[int, bytes, str | None]:
    """Ask at unix:PATH, or at http://ADDRESS:PORT, as an earlier release wrote it into what is pending; return status,
    body, and the address of what follows.
    """
    kind, _, where = url.partition(":")
    connection = _OverSocket(where) if kind == "unix" else http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Link")
    finally:
        connection.close()


class _OverSocket(http.client.HTTPConnection):
    """HTTP over the Unix socket at a path."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
