"""The session's side of its proxy: starts it when a call first needs the network, and tells it of each sandbox."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.sandbox.egress.listener import listen_inside
from agent.settings import Egress, Settings
from wire.values import encode

# As `MESSAGE` at the other end: of a message that is longer, recv drops the rest without a word.
_MESSAGE = 128 * 1024
# A start has a key and a certificate made; the other end answers within its own second.
_START_S, _CLOSE_S = 20.0, 10.0
_APP = Path(__file__).resolve().parents[3]


class NoProxy(Exception):
    """The proxy can't be had: a fault of the host or of its settings, with its cure."""


def rules(settings: Settings) -> dict[str, Any] | None:
    """Return what a proxy is told of the settings, as plain data; None where nothing may leave a sandbox."""
    egress = settings.egress or Egress()
    if not (egress.allow or egress.credentials or settings.repositories):
        return None
    credentials = [encode(credential) for credential in egress.credentials.values()]
    repositories = [{**encode(each), "at": each.place} for each in settings.repositories.values()]
    return {**encode(egress), "credentials": credentials, "repositories": repositories}


class Proxy:
    """One session's proxy, by `rules`; `environment` says where credentials are."""

    def __init__(self, rules: dict[str, Any], environment: Mapping[str, str]) -> None:
        self._rules = rules
        self._environment = environment
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._certificate = b""
        self._opened = 0

    @property
    def certificate(self) -> bytes:
        """The certificate of the authority that a sandbox must trust, PEM. Raises `NoProxy`."""
        if self._control is None:
            self._start()
        return self._certificate

    def admit(self, pid: int) -> int:
        """Let the sandbox of a process out; return the number under which its connections are counted."""
        self._opened += 1
        try:
            with listen_inside(pid) as listening:
                order = json.dumps({"open": self._opened}).encode()
                socket.send_fds(self._running, [order], [listening.fileno()])
        except OSError as error:
            self.close()
            raise NoProxy(f"a sandbox can't be given its way out: {error}") from error
        return self._opened

    def ended(self, number: int) -> list[dict[str, Any]]:
        """End what is left of a sandbox's connections; return what they came to."""
        try:
            self._running.send(json.dumps({"close": number}).encode())
            outcomes: list[dict[str, Any]] = json.loads(self._running.recv(_MESSAGE))
        except (OSError, ValueError):
            # It was killed, perhaps for want of memory: the next call has another one.
            self.close()
            return [{"failed": "the proxy died; what its connections came to is not known"}]
        return outcomes

    def close(self) -> None:
        """End the proxy; a later call starts another one."""
        if self._control:
            self._control.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._control = self._process = None

    @property
    def _running(self) -> socket.socket:
        if self._control is None:
            raise BrokenPipeError("the proxy is gone")
        return self._control

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_S)
        with theirs:
            command = [sys.executable, "-m", "agent.sandbox.egress", str(theirs.fileno())]
            environment = {name: self._environment[name] for name in ("PATH", "CREDENTIALS_DIRECTORY")
                           if name in self._environment}  # fmt: skip
            self._process = subprocess.Popen(
                command, cwd=_APP, env={**environment, "PYTHONPATH": str(_APP)}, stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        try:
            ours.send(json.dumps({"rules": self._rules}).encode())
            said = json.loads(ours.recv(_MESSAGE) or b"{}")
        except (OSError, ValueError) as error:
            said = {"error": str(error)}
        if "certificate" not in said:
            ours.close()
            self.close()
            raise NoProxy(f"the sandbox's proxy does not start: {said.get('error', 'it ended at once')}")
        ours.settimeout(_CLOSE_S)
        self._control, self._certificate = ours, said["certificate"].encode()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()
