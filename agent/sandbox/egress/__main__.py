"""`python -m agent.sandbox.egress FD`: the proxy of one session, which gives its orders over the socket FD.

One message each way: first {"rules": …} and its answer, the authority's certificate; then {"open": n} with a listening
socket, without an answer, and {"close": n} with what its connections came to. The end of the socket is ours.
"""

import contextlib
import ctypes
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.sandbox.egress.exchange import Allowance, Exchange, Outside
from agent.sandbox.egress.identity import Identity
from agent.sandbox.egress.mask import SHORTEST
from agent.sandbox.egress.rules import METHODS, Place, Rule, Rules, git_header

MESSAGE = 128 * 1024
"""Bytes of a message at most."""
AT_ONCE = 32
"""Connections of one call at a time; more wait."""
_MOST_LISTED = 40
"""Connections of a call that are told one by one."""
# For threads that note at their end what they were refused; and for the making of a key on a slow host.
_END_S, _ISSUE_S = 1.0, 15.0
_PR_SET_PDEATHSIG = 1


class Unusable(Exception):
    """Rules that can't be followed, with what would cure them."""


class Admitted:
    """One call's listener, and the connections that came over it."""

    def __init__(self, listening: socket.socket, outside: Outside, most: int) -> None:
        self._listening = listening
        self._outside = outside
        self._allowance = Allowance(most)
        self._exchanges: list[tuple[Exchange, threading.Thread]] = []
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> list[dict[str, Any]]:
        """End all of it, and return what it came to."""
        with self._lock:
            self._over = True
            exchanges = [*self._exchanges]
        # shutdown before close: closing would leave the other thread waiting in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for exchange, _ in exchanges:
            exchange.stop()
        # What a connection was refused is told by its own thread, which may be about to.
        ends = time.monotonic() + _END_S
        for _, thread in exchanges:
            thread.join(max(ends - time.monotonic(), 0))
        outcomes = [vars(exchange.outcome) for exchange, _ in exchanges]
        return (
            [*outcomes[:_MOST_LISTED], {"more": len(outcomes) - _MOST_LISTED}]
            if len(outcomes) > _MOST_LISTED
            else outcomes
        )

    def _accept(self) -> None:
        with self._listening:
            while True:
                self._room.acquire()
                try:
                    client, _ = self._listening.accept()
                except OSError:
                    return
                exchange = Exchange(client, self._outside, self._allowance)
                with self._lock:
                    if self._over:
                        exchange.stop()
                        return
                    thread = threading.Thread(target=self._carry, args=(exchange,), daemon=True)
                    self._exchanges.append((exchange, thread))
                    thread.start()

    def _carry(self, exchange: Exchange) -> None:
        try:
            exchange.run()
        finally:
            self._room.release()


def outside(asked: dict[str, Any], credentials: Path) -> Outside:
    """Make what all connections share, of what the session asks for. Raises `Unusable`."""
    secrets = _secrets(credentials)
    masked: list[bytes] = []
    rules = [Rule(Place.read(text)) for text in asked["allow"]]
    for given in asked["credentials"]:
        secret = _secret(secrets, given["secret"])
        value = given["value"].replace("{}", secret).encode()
        rules.append(
            Rule(Place.read(given["at"]), frozenset(given["methods"]), (given["header"].lower().encode(), value))
        )
        masked += [secret.encode(), quote(secret, safe="").encode()]
    for given in asked["repositories"]:
        header = None
        if given["secret"]:
            secret = _secret(secrets, given["secret"])
            value = git_header(given["user"], secret)
            header = (b"authorization", value)
            masked += [secret.encode(), quote(secret, safe="").encode(), value.partition(b" ")[2]]
        rules.append(Rule(Place.read(given["at"]), METHODS, header, git=True))
    trust = ssl.create_default_context()
    try:
        if asked["trust"]:
            trust.load_verify_locations(asked["trust"])
    except OSError as error:
        raise Unusable(f"agent.egress.trust: {asked['trust']} can't be used: {error}") from error
    private = tuple(ipaddress.ip_network(text) for text in asked["private"])
    identity = _issued({rule.place.host for rule in rules})
    return Outside(Rules(tuple(rules), private), identity, trust, tuple(masked), _resolve)


def _issued(hosts: set[str]) -> Identity:
    """Have a certificate made for all listed hosts, in a process that takes its 13 MB along."""
    command = [sys.executable, "-m", "agent.sandbox.egress.authority", *sorted(hosts)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_ISSUE_S)
    if done.returncode:
        raise Unusable(f"no certificate could be made: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return Identity(**json.loads(done.stdout))


def _secrets(credentials: Path) -> dict[str, str]:
    """Read the lines `name = value` of the secret egress_secrets."""
    try:
        text = (credentials / "egress_secrets").read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"the secret egress_secrets can't be read: {error}") from error
    pairs = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _secret(secrets: dict[str, str], name: str) -> str:
    value = secrets.get(name, "")
    if not value:
        raise Unusable(f"the secret egress_secrets has no line `{name} = …`, which [agent] names: `fab secrets`")
    if len(value) < SHORTEST or not value.isascii() or not value.isprintable() or " " in value:
        raise Unusable(f"the secret {name} of egress_secrets is no token: {SHORTEST} or more characters without spaces")
    return value


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [*dict.fromkeys(str(address[0]) for *_, address in found)]


def serve(control: socket.socket, credentials: Path) -> int:
    """Follow the session's orders until it closes its end; returns the exit code."""
    first = json.loads(control.recv(MESSAGE) or b"{}")
    try:
        shared = outside(first["rules"], credentials)
    except Unusable as error:
        control.send(json.dumps({"error": str(error)}).encode())
        return 1
    most = first["rules"]["megabytes"] << 20
    control.send(json.dumps({"certificate": shared.identity.authority}).encode())
    admitted: dict[int, Admitted] = {}
    while True:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE, 1)
        if not message:
            return 0
        order = json.loads(message)
        if "open" in order:
            admitted[order["open"]] = Admitted(socket.socket(fileno=fds[0]), shared, most)
        else:
            control.send(json.dumps(admitted.pop(order["close"]).close()).encode()[:MESSAGE])


def main(arguments: list[str]) -> int:
    """Be the proxy of the session that started us."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The session drains at SIGTERM and Ctrl-C, and ends us by closing the socket: a call under way may end well.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    control = socket.socket(fileno=int(arguments[0]))
    with control:
        return serve(control, Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
