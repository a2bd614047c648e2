"""Units on this host: reload, restart, and wait until they prove that they work."""

import http.client
import json
import socket
import subprocess
import time
from http import HTTPStatus

from provision.onhost.errors import Unhealthy

DASHBOARD = "jada-dashboard.service"


def reload() -> None:
    """Make systemd read its units again: links did not change, what they lead to did."""
    _systemctl("daemon-reload")


def restart(unit: str) -> None:
    """Restart a unit and wait for its READY; raises `Unhealthy`."""
    # A unit that failed too often before gets a fresh start.
    subprocess.run(["systemctl", "reset-failed", unit], capture_output=True, check=False)
    try:
        _systemctl("restart", unit)
    except Unhealthy:
        raise Unhealthy(f"{unit} did not start; its journal ends:\n{journal(unit)}") from None


def stop(unit: str) -> None:
    """Stop a unit: there is no release to go back to."""
    subprocess.run(["systemctl", "stop", unit], capture_output=True, check=False)


def wait_healthy(units: list[str], queue: str, seconds: float, port: str | None = None) -> None:
    """Wait until all units are active and the queue is ready at `queue`, as unix:PATH; raises `Unhealthy` when time is
    over. `port`, as http://…, is where a release that has no socket answers instead.
    """
    deadline = time.monotonic() + seconds
    while (wrong := _problem(units, queue, port)) is not None:
        if time.monotonic() > deadline:
            raise Unhealthy(f"not healthy after {seconds:g} s: {wrong}")
        time.sleep(0.3)  # a small plan has a tenth of a CPU: each look costs two processes


def _problem(units: list[str], queue: str, port: str | None) -> str | None:
    for unit in units:
        state = _show(unit, "ActiveState")
        if state != "active":
            return f"{unit} is {state}; its journal ends:\n{journal(unit)}"
    problem = queue_problem(queue)
    return None if problem and port and queue_problem(port) is None else problem


def queue_problem(queue: str) -> str | None:
    """Ask the queue at unix:PATH or http://ADDRESS:PORT whether it is ready; return what is wrong."""
    try:
        status, body = _asked(queue, "/readyz")
        if status == HTTPStatus.NOT_FOUND:
            # A release from before that question: going back to it must stay possible.
            status, body = _asked(queue, "/v1/health")
    except (OSError, http.client.HTTPException) as error:
        return f"the dashboard does not answer at {queue}: {error}; its journal ends:\n{journal(DASHBOARD)}"
    if status != HTTPStatus.OK:
        return f"the queue is not ready: {_said(body, 'detail') or f'HTTP Error {status}'}"
    said = _said(body, "status")
    return None if said in ("ok", "ready") else f"the dashboard says {said!r} at {queue}"


def _said(body: bytes, name: str) -> str | None:
    try:
        found = json.loads(body)[name]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)


def _asked(queue: str, path: str) -> tuple[int, bytes]:
    kind, _, address = queue.partition(":")
    connection = _OverSocket(address) if kind == "unix" else http.client.HTTPConnection(address.strip("/"), timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
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


def journal(unit: str, lines: int = 15) -> str:
    """Return the end of a unit's journal, each line set in."""
    command = ["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--output", "cat"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return "\n".join(f"    {line}" for line in shown.splitlines())


def _show(unit: str, name: str) -> str:
    command = ["systemctl", "show", unit, f"--property={name}", "--value"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unhealthy(f"systemctl {' '.join(words)}: {done.stderr.strip()}")
