"""Calls of Google's APIs, over one connection for each host: urllib3 would be a fifth of what a quiet run costs."""

import http.client
import select
import zlib
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

TIMEOUT_S = (5, 60)
"""To connect to Google, and between two bytes of an answer."""


_PACKED = {"Accept-Encoding": "gzip", "User-Agent": "jada (gzip)"}
"""Google packs an answer only where the program's name says gzip, too: a reading of a sheet is a fifth of its size."""
# zlib's way of saying: expect gzip's header.
_GZIP = 16 + zlib.MAX_WBITS
ANSWER_BYTES = 32 * 2**20
"""Of one answer, unpacked: of a packed one the sender chooses how much comes out. Parsed, it takes some eight times as
much, and the unit has 300 MB.
"""
_CHUNK = 64 * 1024


class NoAnswer(Exception):
    """No answer came, or none that is whole: what was asked for may have been done all the same."""


class _TooLarge(http.client.HTTPException):
    """An answer is larger than can be held."""


class Origin:
    """The host of an address. It is asked once for each call, and no answer leads elsewhere: a write may be done."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        """Return status and body of an answer. Raises `NoAnswer`."""
        try:
            connection = self._open()
            # What is refused unread was answered before: that answer is here.
            with suppress(BrokenPipeError):
                connection.request(method, target, body, _PACKED | dict(headers))
            answer = connection.getresponse()
            return answer.status, _content(answer)
        except (OSError, http.client.HTTPException, zlib.error) as error:
            self.close()
            raise NoAnswer(f"{self._url.hostname}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """End the connection; the next call has another."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _open(self) -> http.client.HTTPConnection:
        """Return the connection. One that its host ended meanwhile is not used: what is lost on it looks like a write
        that got no answer.
        """
        if self._connection and (not self._connection.sock or _has_ended(self._connection)):
            self.close()
        if not self._connection:
            self._connection = _connected(self._url.scheme, self._url.hostname or "", self._port())
        return self._connection

    def _port(self) -> int | None:
        try:
            return self._url.port
        except ValueError as error:
            raise NoAnswer(str(error)) from error


def _connected(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    # The context that http.client makes by itself verifies the certificate and the host's name.
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=TIMEOUT_S[0])
    try:
        connection.connect()
    except UnicodeError as error:  # a name that no name service could be asked for
        raise NoAnswer(f"{host}: {error}") from error
    connection.sock.settimeout(TIMEOUT_S[1])
    return connection


def _content(answer: http.client.HTTPResponse) -> bytes:
    """Return the whole body, unpacked. Raises for one that is not whole, or too large to be held."""
    content = bytearray()
    unpacking = zlib.decompressobj(_GZIP) if answer.headers.get("Content-Encoding") == "gzip" else None
    while piece := answer.read(_CHUNK):
        content += unpacking.decompress(piece, ANSWER_BYTES + 1 - len(content)) if unpacking else piece
        if len(content) > ANSWER_BYTES:
            raise _TooLarge(f"its answer is larger than {ANSWER_BYTES // 2**20} MB")
    if answer.length:  # a reading by pieces does not say by itself that the connection ended before
        raise http.client.IncompleteRead(b"", answer.length)
    if unpacking and not unpacking.eof:
        raise zlib.error("a packed answer that is not whole")
    return bytes(content)


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether anything came since the last answer, its end mostly: nothing else comes unasked."""
    return bool(select.select([connection.sock], [], [], 0)[0])
