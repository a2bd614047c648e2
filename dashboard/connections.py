"""Connections that end: one that keeps us waiting is closed, and the oldest idle one where there are too many.

uvicorn waits for a request without end and takes every connection, so that whoever opened a thousand of them, or never
read an answer, stopped the queue. Here what the other side owes is known from what its request has come to; the server
looks at all connections each second. The parser keeps a header of any length, so that its length is bounded here too.
"""

import asyncio
import enum
import logging
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboard.callers import PAGE_ONLY, PAGE_SOCKET, UID
from wire.exchange import JOINED_LIMIT
from wire.types import Problem
from wire.values import dump

log = logging.getLogger(__name__)


class Owes(enum.Enum):
    """What the other side must do next."""

    NOTHING = "nothing"
    NEXT = "another request, whenever it likes"
    HEADER = "a request"
    BODY = "its body"
    READING = "reading its answer"


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may take of us."""

    connections: int = 768
    """Under the 1,024 descriptors that a process has, and over the readers of live pages, which stay."""
    header_s: float = 10
    """From the connection, or the first byte of another request, to a request's whole header."""
    grace_s: float = 30
    """How long a body or an answer may stand still: kernels move it in lumps."""
    pace: int = 4096
    """Bytes a second: a body of 32 MB over a phone is slow, and none is slower."""
    header: int = 64 * 1024
    """Bytes of a request's header, and of what may stand behind its body, beside what came with one read."""
    pipelined: int = 8
    """Requests of one connection that wait for the answer before theirs: a single read may hold ten thousand."""
    unread: int = 64 * 1024 * 1024
    """Bytes of all answers that wait for their readers."""

    def is_late(self, owes: Owes, waited_s: float, moved: int) -> bool:
        """Say whether a connection kept us waiting for too long; `moved` are the bytes it took or gave meanwhile."""
        if owes in (Owes.NOTHING, Owes.NEXT):  # an idle one is uvicorn's to close (timeout_keep_alive)
            return False
        if owes is Owes.HEADER:
            return waited_s > self.header_s
        return moved < (waited_s - self.grace_s) * self.pace


@dataclass(frozen=True, slots=True)
class Wait:
    """What we wait for since when: one wait ends where another request or another debt begins."""

    owes: Owes
    cycle: object
    since: float
    progress: int


class Connection(HttpToolsProtocol):
    """One connection, within its limits."""

    limits: ClassVar[Limits] = Limits()
    _lacks = Owes.HEADER
    """What is not yet here of the request that comes or came last: its header, its body, or nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, where there is room or an older idle one makes it; otherwise refuse it by 503."""
        self._sent = _Sent(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", self._sent))
        self._received = self._progress = 0
        self.app_state = {**self.app_state, **_caller(transport)}
        self._wait = self._waiting(self.loop.time())
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Count what arrives; close what sends a header, or trailers, without end."""
        self._received += len(data)
        super().data_received(data)
        if self._lacks is not Owes.NOTHING and self._received - self._progress > self.limits.header:
            self.cut()

    def on_message_begin(self) -> None:
        """See the first byte of a request."""
        super().on_message_begin()
        self._lacks, self._progress = Owes.HEADER, self._received

    def on_headers_complete(self) -> None:
        """See a request's whole header; more requests than wait for their turn are refused, and the parser ends."""
        if len(self.pipeline) >= self.limits.pipelined:
            raise ValueError("too many requests at once")
        self._lacks, self._progress = Owes.BODY, self._received
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """See that another piece of the body, or behind the last one its trailers, come."""
        self._progress = self._received

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._progress = self._received
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See the end of a request."""
        self._lacks = Owes.NOTHING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Close where the answer came before the whole body: the rest is not read, and may be endless."""
        super().on_response_complete()
        if self._lacks is Owes.BODY and self.cycle.response_complete:
            self.transport.close()

    def pause_writing(self) -> None:
        """Wait for a reader; too much that waits for others is given up, the oldest first."""
        super().pause_writing()
        others = [other for other in self._all() if other is not self and other.unread]
        total = self.unread + sum(other.unread for other in others)
        for other in sorted(others, key=Connection.age):
            if total <= self.limits.unread:
                break
            total -= other.unread
            other.cut()

    @property
    def unread(self) -> int:
        """Bytes of answers that the other side has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def owes(self) -> Owes:
        """What the other side must do before this connection can go on."""
        if self.unread:
            return Owes.READING
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self._lacks is Owes.BODY and not self.flow.read_paused:  # paused, we are who does not read
            return Owes.BODY
        if is_answering:
            return Owes.NOTHING
        return Owes.NEXT if self._lacks is Owes.NOTHING else self._lacks

    def age(self) -> float:
        """Return since when we wait, as of the last look."""
        return self._wait.since

    def look(self, now: float) -> bool:
        """See what became of the wait; close the connection where it took too long, and say so."""
        wait = self._waiting(now)
        if (wait.owes, wait.cycle) != (self._wait.owes, self._wait.cycle):
            self._wait = wait
        is_late = self.limits.is_late(wait.owes, now - self._wait.since, wait.progress - self._wait.progress)
        if is_late:
            self.cut()
        return is_late

    def cut(self) -> None:
        """Close at once, whatever was not sent: close() would wait for the reader."""
        self.connections.discard(self)
        self.transport.abort()

    def _waiting(self, now: float) -> Wait:
        owes = self.owes
        # What was written and is unread no more was read: of an answer in pieces, more is written as it is.
        read = self._sent.bytes - self.unread
        return Wait(owes, self.cycle, now, read if owes is Owes.READING else self._received)

    def _make_room(self) -> None:
        idle = [other for other in self._all() if other is not self and other.owes in (Owes.HEADER, Owes.NEXT)]
        if idle:
            # One that has had an answer is likelier a client that comes again than one that never sent a request.
            min(idle, key=lambda other: (other.cycle is not None, other.age())).cut()
        else:
            self.transport.write(_refusal())
            self.transport.close()

    def _all(self) -> set["Connection"]:
        return cast("set[Connection]", self.connections)


class _Sent:
    """A transport that counts what is written to it, and sends an answer's head together with its body: each by itself
    costs both sides a call of the kernel, and wakes the reader for half an answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._later: asyncio.Handle | None = None
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Write: what comes first is held for what follows at once, at most until the loop goes round."""
        self.bytes += len(data)
        if self._later is None:
            self._held, self._later = data, self._loop.call_soon(self.flush)
        elif len(data) <= JOINED_LIMIT:
            self._held += data
            self.flush()
        else:
            # Joining copies: an answer of megabytes goes as it is.
            self.flush()
            self._transport.write(data)

    def flush(self) -> None:
        """Hand over what is held."""
        if self._later is not None:
            self._later.cancel()
            held, self._held, self._later = self._held, b"", None
            self._transport.write(held)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes were written and not taken."""
        return self._transport.get_write_buffer_size() + len(self._held)

    def close(self) -> None:
        """Close once all was sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent is given up."""
        if self._later is not None:
            self._later.cancel()
            self._held, self._later = b"", None
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def look(connections: Iterable[Connection], now: float) -> None:
    """Close what kept us waiting for too long; the log says how many."""
    late = sum(connection.look(now) for connection in tuple(connections))
    if late:
        log.warning("closed %s connections: they sent no request, or did not read its answer, in time", late)


def _caller(transport: asyncio.Transport) -> dict[str, int | bool]:
    """Return what is known of the other end of a Unix socket: the user, as the kernel knows it (SO_PEERCRED: pid, uid,
    gid), and whether it may ask for the page only.
    """
    end = transport.get_extra_info("socket")
    if end.family != socket.AF_UNIX:
        return {}
    credentials = struct.Struct("iII")
    _, uid, _ = credentials.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))
    return {UID: int(uid), PAGE_ONLY: Path(end.getsockname()).name == PAGE_SOCKET}


def _refusal() -> bytes:
    detail = "all connections are taken: try again in a second"
    body = dump(Problem(title="Busy", status=503, detail=detail))
    head = (
        "HTTP/1.1 503 Service Unavailable",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Retry-After: 1",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
