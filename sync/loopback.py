"""Where the consent page's answer arrives: a port of this machine's loopback, for one answer and one state.

Each connection has a thread and a few seconds of its own, so that one that says nothing holds up no other; the port is
free again at once. What does not carry our `state` is answered, and counts for nothing.
"""

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
# A browser opens connections beforehand and sends nothing: one must not keep the answer waiting.
_CONNECTION_S = 5
_THANKS = b"<!DOCTYPE html><title>jada</title><p>jada has its answer; you may close this page.</p>"
_NOT_OURS = b"<!DOCTYPE html><title>jada</title><p>This is not the answer that is waited for: use the last address.</p>"


class Silent(Exception):
    """No answer came in time."""


class InputEnded(Exception):
    """Whoever started us went away."""


class Loopback:
    """A port that waits for the answer; made by `listening`."""

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self.port: int = server.server_address[1]
        self.redirect_uri = f"http://{HOST}:{self.port}/"

    def expect(self, state: str) -> None:
        """From now on the answer that carries `state` counts: said before its address is shown to anybody."""
        self._server.expect(state)

    def wait(self, timeout_s: float) -> Mapping[str, str]:
        """Return the parameters of the answer that was expected. Raises `Silent`, `InputEnded`."""
        try:
            answer = self._server.answers.get(timeout=timeout_s)
        except queue.Empty:
            raise Silent from None
        if answer is None:
            raise InputEnded
        return answer

    def end_with(self, stream: IO[str]) -> None:
        """Stop waiting when a stream ends: an operator whose connection broke listens no more."""

        def follow() -> None:
            while stream.read(1024):
                pass
            self._server.answers.put(None)

        threading.Thread(target=follow, daemon=True).start()


@contextmanager
def listening(port: int) -> Iterator[Loopback]:
    """Listen on a port of the loopback, 0 being any free one, for the block's duration. Raises `OSError`."""
    server = _Server((HOST, port), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield Loopback(server)
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    # SO_REUSEPORT would let a second run take the answers of the first.
    allow_reuse_port = False
    daemon_threads = True
    # The end does not wait for connections that say nothing.
    block_on_close = False

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.answers: queue.Queue[Mapping[str, str] | None] = queue.Queue()
        self._state = ""

    def expect(self, state: str) -> None:
        self._state = state

    def take(self, path: str) -> Mapping[str, str] | None:
        """Take a request's path; return its parameters if it is the answer that is waited for."""
        url = urlsplit(path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path != "/" or not self._state or query.get("state") != self._state:
            return None
        self._state = ""  # one answer: the page loaded again is none
        return query

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that breaks: the next one may bring the answer."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _CONNECTION_S
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.take(self.path)
        try:
            self._show(200 if answer else 404, _THANKS if answer else _NOT_OURS)
        finally:
            # Behind its page: who waits for the answer may end at once, and the browser would show a broken connection.
            if answer:
                self.server.answers.put(answer)

    def _show(self, status: int, page: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        # The address holds the code: it goes to no other page, and into no cache.
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_words: Any) -> None:
        """Say nothing: the address holds the code."""
