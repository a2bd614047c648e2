"""One connection out of a sandbox: a CONNECT, TLS that ends here, and requests that are judged one by one before they
are passed on (RFC 9110, 9112). Blocking: each connection has a thread of its own.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import h11

from agent.sandbox.egress.identity import Identity
from agent.sandbox.egress.mask import Mask
from agent.sandbox.egress.push import PushHead
from agent.sandbox.egress.rules import EgressRefused, Rule, Rules, is_push, plain_path

IDLE_S = 60.0
"""Seconds without a byte after which a connection is ended; the call's own time bounds it as a whole."""
# Less than clients wait themselves: they are to get our 502 with its reason, not their own time-out.
_CONNECT_S = 10.0
_CHUNK = 64 * 1024
# Of an upload that was refused so much is still read (see `_linger`), and for so long.
_LINGER, _LINGER_S = 16 * 1024 * 1024, 2.0
_WORDS = 300
"""Characters that are told of what was asked for: a path may be as long as a client likes."""
# RFC 9110, 7.6.1; and Range on requests with a credential, by which one would come back in pieces too small to find.
_OF_ONE_HOP = {b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"proxy-authorization",
               b"proxy-authenticate", b"transfer-encoding", b"expect", b"http2-settings"}  # fmt: skip
_UNMASKABLE = {b"accept-encoding", b"range", b"if-range"}


class Allowance:
    """Bytes that the connections of one call may still move; raises `EgressRefused` when they are used up."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._most = most
        self._lock = threading.Lock()

    def take(self, number: int) -> None:
        """Count bytes before they are passed on."""
        with self._lock:
            self._left -= number
            if self._left < 0:
                raise EgressRefused("the network", f"is used up: one call may move {self._most >> 20} MB")


@dataclass
class Connection:
    """What is told of a connection, of which the session's journal keeps a line."""

    to: str = ""
    address: str = ""
    requests: int = 0
    sent: int = 0
    received: int = 0
    refused: list[dict[str, str | None]] = field(default_factory=list)
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Outside:
    """What all connections share: the rules, who we are, whom we trust, secrets to mask, and how a name is resolved."""

    rules: Rules
    identity: Identity
    trust: ssl.SSLContext
    secrets: tuple[bytes, ...]
    resolve: Callable[[str, int], Iterable[str]]


class Exchange:
    """Carries one connection of a sandbox to its end; `outcome` is filled in as it goes on."""

    def __init__(self, client: socket.socket, outside: Outside, allowance: Allowance) -> None:
        self.outcome = Connection()
        self._outside = outside
        self._allowance = allowance
        self._client = _Peer(h11.SERVER, client)
        self._server: _Peer | None = None
        self._host, self._port = "", 0

    def run(self) -> None:
        """Do all that the client asks for, until one of the two sides has enough."""
        try:
            self._tunnel()
            while self._request():
                pass
        except EgressRefused as error:
            self._refuse(error)
        except (OSError, h11.ProtocolError, _Gone) as error:
            self.outcome.failed = str(error)[:_WORDS]
            self._say(502, f"{self._host} can't be asked: {self.outcome.failed}")
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, from any thread."""
        for peer in (self._client, self._server):
            if peer:
                peer.close()

    def _tunnel(self) -> None:
        asked = self._client.next()
        if not isinstance(asked, h11.Request):
            raise _Gone("left before asking")
        if asked.method != b"CONNECT":
            # Not passed on: what is not encrypted can be changed on its way, and a credential read.
            raise EgressRefused(asked.target.decode()[:_WORDS], "is not encrypted, and only https is let out")
        self.outcome.to = asked.target.decode()[:_WORDS]
        self._host, self._port = self._outside.rules.host(asked.target.decode())
        self._client.begin_tls(self._outside.identity.context(), self._host)

    def _request(self) -> bool:
        """Carry one request and its answer; return whether another may follow."""
        asked = self._client.next()
        if not isinstance(asked, h11.Request):
            return False
        self.outcome.requests += 1
        method, target = asked.method.decode(), asked.target.decode()
        rule = self._judged(asked, method, target)
        push = PushHead(f"{method} {self._host}{target}") if is_push(plain_path(target)) else None
        if push:
            self._read_head(push, asked)
        server = self._connected()
        server.send(h11.Request(method=asked.method, target=asked.target, headers=self._passed_on(asked, rule)))
        self._send_body(server, push)
        self._answer(server, rule)
        return self._next_cycle(server)

    def _judged(self, asked: h11.Request, method: str, target: str) -> Rule:
        names = [name for name, _ in asked.headers]
        host = next((value for name, value in asked.headers if name == b"host"), b"").decode().lower()
        if host not in (self._host, f"{self._host}:{self._port}"):
            raise EgressRefused(f"{method} {host}{target}"[:200], f"is refused: this connection is to {self._host}")
        if b"upgrade" in names:
            raise EgressRefused(
                f"{method} {host}{target}"[:_WORDS], "is refused: no connection becomes another protocol here"
            )
        return self._outside.rules.request(self._host, self._port, method, target)

    def _read_head(self, push: PushHead, asked: h11.Request) -> None:
        """Read a push as far as its commands go: nothing is passed on before they are known."""
        if any(name == b"content-encoding" for name, _ in asked.headers):
            raise EgressRefused(self.outcome.to, "is refused: a push that is compressed can't be read")
        while not push.whole:
            event = self._client.next()
            if not isinstance(event, h11.Data):
                push.end()
                raise _Gone("left in the middle of a push")
            push.take(bytes(event.data))

    def _passed_on(self, asked: h11.Request, rule: Rule) -> list[tuple[bytes, bytes]]:
        """Return the request's headers as the server gets them: framed anew, and with the credential."""
        dropped = _OF_ONE_HOP | (_UNMASKABLE | {rule.header[0].lower()} if rule.header else set())
        named = {word.strip().lower() for name, value in asked.headers if name == b"connection"
                 for word in value.split(b",")}  # fmt: skip
        chunked = any(name == b"transfer-encoding" for name, _ in asked.headers)
        # Both would let two servers see two different ends of the request.
        dropped |= named | ({b"content-length"} if chunked else set())
        headers = [(name, value) for name, value in asked.headers if name not in dropped]
        headers += [(b"transfer-encoding", b"chunked")] if chunked else []
        return [*headers, (b"accept-encoding", b"identity"), rule.header] if rule.header else headers

    def _send_body(self, server: "_Peer", push: PushHead | None) -> None:
        if push:
            self._pass_on(server, push.seen)
        while not isinstance(event := self._client.next(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise _Gone("left in the middle of a request")
            self._pass_on(server, bytes(event.data))
        server.send(h11.EndOfMessage())

    def _pass_on(self, server: "_Peer", data: bytes) -> None:
        self._allowance.take(len(data))
        self.outcome.sent += len(data)
        server.send(h11.Data(data=data))

    def _answer(self, server: "_Peer", rule: Rule) -> None:
        mask = Mask(self._outside.secrets)
        answer = server.next()
        while isinstance(answer, h11.InformationalResponse):
            answer = server.next()
        if not isinstance(answer, h11.Response):
            raise _Gone(f"{self._host} closed without an answer")
        self._require_readable(answer, rule)
        headers = [(name, mask.whole(value)) for name, value in answer.headers if name not in _OF_ONE_HOP]
        self._client.send(h11.Response(status_code=answer.status_code, headers=headers))
        while not isinstance(event := server.next(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise _Gone(f"{self._host} broke off")
            self._allowance.take(len(event.data))
            self.outcome.received += len(event.data)
            self._client.send(h11.Data(data=mask.take(bytes(event.data))))
        self._client.send(h11.Data(data=mask.end()))
        self._client.send(h11.EndOfMessage())

    def _require_readable(self, answer: h11.Response, rule: Rule) -> None:
        """Refuse an answer that leads to where nothing may go, or could hold a credential that is not found in it."""
        for name, value in answer.headers:
            if name == b"location":
                self._require_listed(value.decode("latin-1"))
            if rule.header and name == b"content-encoding" and value.strip().lower() != b"identity":
                raise EgressRefused(
                    self.outcome.to, "is refused: its answer is compressed although it was asked not to be"
                )

    def _require_listed(self, location: str) -> None:
        scheme, found, rest = location.partition("://")
        if location.startswith("//"):
            scheme, found, rest = "https", "//", location[2:]
        if not found:
            return  # to a path of this host: judged when it is asked for
        authority, slash, path = rest.partition("/")
        what = f"a redirect to {location[:_WORDS]}"
        if scheme.lower() != "https":
            raise EgressRefused(what, "is not encrypted, and only https is let out")
        try:
            host, port = self._outside.rules.host(authority if ":" in authority else f"{authority}:443")
            self._outside.rules.request(host, port, "GET", (slash + path) or "/")
        except EgressRefused as error:
            raise EgressRefused(what, error.why, error.allow) from error

    def _connected(self) -> "_Peer":
        """Return the connection to the server: the one that is open, unless the server has ended it meanwhile."""
        if self._server and self._server.is_idle():
            return self._server
        if self._server:
            self._server.close()
        self._server = None
        addresses = [*self._outside.resolve(self._host, self._port)]
        allowed = self._outside.rules.dialable(addresses)
        if not allowed:
            where = f"{self._host} ({', '.join(addresses)})"
            raise EgressRefused(where, "is no public address, and its network is not listed as private on purpose")
        self.outcome.address = allowed[0]
        # The address that was looked at, not the name: another answer of the name's server would pass by the check.
        raw = socket.create_connection((allowed[0], self._port), timeout=_CONNECT_S)
        self._server = _Peer(h11.CLIENT, raw)
        self._server.begin_client_tls(self._outside.trust, self._host)
        return self._server

    def _next_cycle(self, server: "_Peer") -> bool:
        if server.may_go_on:
            server.start_next_cycle()
        else:
            server.close()
            self._server = None
        if not self._client.may_go_on:
            return False
        self._client.start_next_cycle()
        return True

    def _refuse(self, error: EgressRefused) -> None:
        """Record what was refused, and answer so where an answer can still be given."""
        allow = error.allow and error.allow[:_WORDS]
        self.outcome.refused.append({"what": error.what[:_WORDS], "why": error.why[:_WORDS], "allow": allow})
        self._say(403, f"{error.what[:_WORDS]} {error.why}")

    def _say(self, status: int, why: str) -> None:
        with contextlib.suppress(OSError, h11.ProtocolError):
            self._client.answer(status, f"jada's proxy: {why}\n".encode())


class _Gone(Exception):
    """A side ended before its time."""


class _Peer:
    """One side of the proxy: a socket, and HTTP/1.1 upon it."""

    def __init__(self, role: Any, sock: socket.socket) -> None:
        sock.settimeout(IDLE_S)
        self._role = role
        self._socket = sock
        self._http = h11.Connection(role, max_incomplete_event_size=_CHUNK)
        self._answerable = True

    def begin_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Answer a CONNECT, and be `host` from here on; raises `EgressRefused` for a client that means another one."""
        if self._http.trailing_data[0]:
            raise EgressRefused(host, "is refused: something was sent before the tunnel stood")
        self._socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        names: list[str | None] = []

        def check(_: object, name: str | None, __: object) -> int | None:
            names.append(name)
            return None if (name or "").lower() == host else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

        context.sni_callback = check
        self._answerable = False
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True)
        except ssl.SSLError:
            if names and (names[0] or "").lower() != host:
                said = names[0] or "none"
                raise EgressRefused(said, f"is refused: TLS must name the host that was asked for, {host}") from None
            raise
        self._http = h11.Connection(self._role, max_incomplete_event_size=_CHUNK)
        self._answerable = True

    def begin_client_tls(self, trust: ssl.SSLContext, host: str) -> None:
        """Make sure that the server is `host`."""
        self._socket = trust.wrap_socket(self._socket, server_hostname=host)
        self._socket.settimeout(IDLE_S)

    def next(self) -> Any:
        """Return the next event; raises `_Gone` when the other side left in the middle of something."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(self._socket.recv(_CHUNK))
        if event is h11.PAUSED:
            raise _Gone("sent more than was asked for")
        return event

    def send(self, event: Any) -> None:
        """Send an event."""
        if data := self._http.send(event):
            self._socket.sendall(data)

    def answer(self, status: int, text: bytes) -> None:
        """Answer a request that is not passed on, and end the connection."""
        if not self._answerable or self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("content-type", "text/plain"), ("content-length", str(len(text))), ("connection", "close")]
        self.send(h11.Response(status_code=status, headers=headers))
        self.send(h11.Data(data=text))
        self.send(h11.EndOfMessage())
        self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: closing a socket that has unread bytes resets it, and the answer is lost."""
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(_LINGER_S)
        left = _LINGER
        while left > 0 and (read := len(self._socket.recv(_CHUNK))):
            left -= read

    @property
    def may_go_on(self) -> bool:
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def start_next_cycle(self) -> None:
        self._http.start_next_cycle()

    def is_idle(self) -> bool:
        """Whether nothing was said since the last answer, not even an end."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
