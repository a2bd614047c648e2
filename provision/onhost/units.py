"""Units on this host: reload, restart, and wait until they prove that they work."""

import json
import subprocess
import time
import urllib.error
import urllib.request
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


def wait_healthy(units: list[str], url: str, seconds: float) -> None:
    """Wait until all units are active and the queue is ready at `url`; raises `Unhealthy` when time is over."""
    deadline = time.monotonic() + seconds
    while (wrong := _problem(units, url)) is not None:
        if time.monotonic() > deadline:
            raise Unhealthy(f"not healthy after {seconds:g} s: {wrong}")
        time.sleep(0.3)  # a small plan has a tenth of a CPU: each look costs two processes


def _problem(units: list[str], url: str) -> str | None:
    for unit in units:
        state = _show(unit, "ActiveState")
        if state != "active":
            return f"{unit} is {state}; its journal ends:\n{journal(unit)}"
    return _dashboard_problem(url)


def _dashboard_problem(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the dashboard's own address
            status = json.load(answer).get("status")
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND and url.endswith("/readyz"):
            # A release from before that question: going back to it must stay possible.
            return _dashboard_problem(url.removesuffix("/readyz") + "/v1/health")
        return f"the queue is not ready: {_detail(error)}"
    except (OSError, ValueError) as error:
        return f"the dashboard does not answer at {url}: {error}; its journal ends:\n{journal(DASHBOARD)}"
    return None if status in ("ok", "ready") else f"the dashboard says {status!r} at {url}"


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)


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
