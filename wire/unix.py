"""Calls over a Unix socket, by httptools: what runs on a host needs no TLS, and urllib3 would double its memory.

Tries, pauses and time-outs are those of `wire.tcp`. Connections are kept, and looked at before they are used again.
"""

import re
import select
import socket
import time
from collections import deque
from collections.abc import Mapping

import httptools

from wire.exchange import AGAIN, JOINED_LIMIT, Answer, NoAnswer, pause_s

_KEPT = 4
"""Connections that wait for the next call: more threads than these make their own."""
# More than a Unix socket holds (net.core.wmem_default, 208 KB): each call takes all that is there.
_READ_AT_ONCE = 256 * 1024
_NO_TARGET, _NO_HEADER = re.compile(r"[\x00-\x20\x7f]"), re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a line of a request, or a part of its first line."""


class OverUnix:
    """The way to the socket at a path."""

    def __init__(self, path: str, timeout_s: float, retries: int) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._retries = retries
        self._idle: deque[_Connection] = deque(maxlen=_KEPT)

    def request(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Make a call; raises `NoAnswer` once the tries are used up."""
        head, failed = _head(method, target, body, headers), 0
        while True:
            try:
                answer = self._try(head, body or b"")
                if answer.status not in AGAIN or failed >= self._retries:
                    return answer
            except NoAnswer:
                if failed >= self._retries:
                    raise
            failed += 1
            time.sleep(pause_s(failed))

    def _try(self, head: bytes, body: bytes) -> Answer:
        connection = self._connection()
        try:
            answer = connection.ask(head, body)
        except TimeoutError as error:
            connection.close()
            raise NoAnswer(f"{self._path}: timed out after {self._timeout_s:g} s") from error
        except (OSError, httptools.HttpParserError) as error:
            connection.close()
            raise NoAnswer(f"{self._path}: {(isinstance(error, OSError) and error.strerror) or error}") from error
        if connection.is_kept:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _connection(self) -> "_Connection":
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if connection.is_quiet():
                return connection
            connection.close()
        try:
            return _Connection(self._path, self._timeout_s)
        except OSError as error:
            why = "takes no connection" if isinstance(error, TimeoutError) else error.strerror
            raise NoAnswer(f"{self._path}: {why}") from error


class _Connection:
    """One connection, for one call after the other; the parser calls its `on_` methods."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._status = self._ended = 0
        self.is_kept = True

    def ask(self, head: bytes, body: bytes) -> Answer:
        """Send a request and wait for its answer; raises OSError and what the parser finds wrong."""
        self._ended = 0
        try:
            for part in (head + body,) if len(head) + len(body) <= JOINED_LIMIT else (head, body):
                self._socket.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            # A body that is refused unread was answered before: that answer is here.
            self.is_kept = False
        while not self._ended:
            data = self._socket.recv(_READ_AT_ONCE)
            if not data:
                raise ConnectionError("the connection was closed before the answer was whole")
            self._parser.feed_data(data)
        if self._ended > 1:
            raise ConnectionError("there was more than one answer")
        return Answer(self._status, self._headers, b"".join(self._body))

    def is_quiet(self) -> bool:
        """Say whether nothing came since the last answer: what has ended, or talks unasked, is of no use."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def on_message_begin(self) -> None:
        """See an answer's first byte."""
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """See an answer's end."""
        self._status = self._parser.get_status_code()
        self.is_kept = self.is_kept and self._parser.should_keep_alive()
        self._ended += 1


def _head(method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
    """Write a request's head. Raises ValueError for what would be another request."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if _NO_TARGET.search(target) or any(_NO_HEADER.search(line) for line in lines):
        raise ValueError("a request's address and headers hold no control characters")
    if body is not None or method != "GET":
        lines.append(f"Content-Length: {len(body or b'')}")
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: localhost", *lines, "", "")).encode("latin-1")
