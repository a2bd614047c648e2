"""Units on this host: reload, restart, and how they run."""

import errno
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provision.onhost import whole
from provision.onhost.errors import Unhealthy
from provision.onhost.health import Run

RELEASES = Path("/opt/jada-agent/releases")
CREDENTIALS = Path("/run/credentials")
SECRETS = Path("/home/jada/secrets")
DASHBOARD = "jada-dashboard.service"
WORKER = "jada-agent.service"
RUN, POLL = ("ActiveState", "InvocationID", "NRestarts", "Job"), ("MainPID", "StatusText")
"""What systemd is asked of a unit that is watched, and of the worker besides."""
POLLED = "the queue answered;"
"""How the status of a worker begins whose poll was answered; agent/daemon/worker.py says it."""


def reload() -> None:
    """Make systemd read its units again: links did not change, what they lead to did."""
    _systemctl("daemon-reload")


def reload_for(unit: str) -> None:
    """Make systemd know a unit by its file as it is now. One that it did not know it reads when it is asked for it: to
    have it read all of its units again takes ten programs.
    """
    known = shown(unit, "LoadState", "NeedDaemonReload")
    if known != {"LoadState": "loaded", "NeedDaemonReload": "no"}:
        reload()


def restart(unit: str) -> None:
    """Restart a unit and wait for its READY; raises `Unhealthy`."""
    # A unit that failed too often before gets a fresh start.
    subprocess.run(["systemctl", "reset-failed", unit], capture_output=True, check=False)
    try:
        _systemctl("restart", unit)
    except Unhealthy:
        raise Unhealthy(f"{unit} did not start", unit) from None


def stop(unit: str) -> None:
    """Stop a unit: there is no release to go back to."""
    subprocess.run(["systemctl", "stop", unit], capture_output=True, check=False)


def runs(names: list[str], *, worker: bool = False) -> tuple[dict[str, Run] | None, dict[str, Any]]:
    """Return how each unit runs now, None where systemd does not say it of one; and, by the same question, what
    systemd has of the `worker`, if it is asked for that.
    """
    asked = [*names, *([WORKER] if worker and WORKER not in names else [])]
    # Without a name, systemctl would show systemd itself.
    states = shown_all(asked, (*RUN, *(POLL if worker else ()))) if asked else {}
    if not all(states[name]["ActiveState"] for name in names):
        return None, states.get(WORKER, {})
    seen = {name: states[name] for name in names}
    return {
        name: Run(state["ActiveState"], state["InvocationID"], int(state["NRestarts"] or 0), bool(state["Job"]))
        for name, state in seen.items()
    }, states.get(WORKER, {})


def is_busy(unit: str) -> bool:
    """Whether a unit that ends by itself is at work."""
    return shown(unit, "ActiveState").get("ActiveState") in ("active", "activating", "deactivating")


def main_pid(unit: str) -> str:
    """Return the id of a unit's main process; "0" when it has none."""
    return shown(unit, "MainPID").get("MainPID") or "0"


def running_release(unit: str) -> str | None:
    """Return the release from which a unit runs, by its working folder: the kernel says so, whatever `current` says."""
    return release_of(main_pid(unit))


def release_of(pid: str) -> str | None:
    """Return the release from which a process runs."""
    try:
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
    parts = folder.relative_to(RELEASES).parts if folder.is_relative_to(RELEASES) else ()
    return parts[0] if parts else None


def stale_secrets(unit: str) -> list[str]:
    """Return the secrets of which a unit holds another copy than what is kept now: systemd copies at its start."""
    folder = CREDENTIALS / unit
    try:
        copies = {path.name: path.read_bytes() for path in folder.iterdir()}
    except OSError:
        return []
    kept = {name: SECRETS / name for name in copies}
    return sorted(name for name, path in kept.items() if path.is_file() and path.read_bytes() != copies[name])


def is_stale(unit: str, release: str, home: Path) -> bool:
    """Whether a unit must restart to be what a release says: it does not run, or runs from something else."""
    wanted = (whole.manifest(home / "releases" / release) or {}).get("units", {}).get(unit)
    running = running_release(unit)
    has = (whole.manifest(home / "releases" / running) or {}).get("units", {}).get(unit) if running else None
    return wanted is None or has != wanted or shown(unit, "ActiveState").get("ActiveState") != "active"


def youngest_s(names: list[str]) -> float | None:
    """Return for how many seconds the unit that started last has been active; None where one is not, or none is."""
    began = [shown(name, "ActiveState", "ActiveEnterTimestampMonotonic") for name in names]
    if not began or any(state.get("ActiveState") != "active" for state in began):
        return None
    latest = max(int(state.get("ActiveEnterTimestampMonotonic") or 0) for state in began)
    return time.clock_gettime(time.CLOCK_MONOTONIC) - latest / 1e6


def poll_problem(release: str, said: Mapping[str, str]) -> str | None:
    """Return what is wrong with the worker's poll, by what systemd has of it, where it runs from this release."""
    if release_of(said.get("MainPID") or "0") != release:
        return None
    status = said.get("StatusText", "")
    return (
        None if status.startswith(POLLED) else f"the worker has had no answer of the queue: {status or 'no word yet'}"
    )


def report(unit: str) -> None:
    """Send a message about a unit to the notification targets, as for one that failed."""
    subprocess.run(["systemctl", *report_words(unit)], capture_output=True, check=False)


def report_words(unit: str) -> list[str]:
    """Return systemctl's words that send that message."""
    return ["start", "--no-block", f"jada-failed@{unit}.service"]


def explained(error: Exception) -> str:
    """Return what went wrong, with the end of the journal of the unit that says why."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "a file of the release"
        return f"the host's disk is full: no room for {where}. Make some (`df -h`, `journalctl --vacuum-size=100M`)"
    unit = getattr(error, "unit", None)
    return f"{error}; its journal ends:\n{journal(unit)}" if unit else str(error)


def journal(unit: str, lines: int = 15) -> str:
    """Return the end of a unit's journal, each line set in."""
    # What was said just now may be on its way there.
    subprocess.run(["journalctl", "--sync"], capture_output=True, check=False)
    command = ["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--output", "cat"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return "\n".join(f"    {line}" for line in said.splitlines())


def shown(unit: str, *names: str) -> dict[str, str]:
    """Return properties of a unit as systemd has them."""
    command = ["systemctl", "show", unit, f"--property={','.join(names)}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def shown_all(names: Iterable[str], properties: Iterable[str], *, exact: bool = False) -> dict[str, dict[str, Any]]:
    """Return properties of several units, by one question; `exact`: times to the microsecond, in UTC."""
    asked = [*names]
    style = ["--timestamp=us+utc"] if exact else []
    command = ["systemctl", "show", *asked, f"--property={','.join(properties)}", *style]
    blocks = subprocess.run(command, capture_output=True, text=True, check=False).stdout.rstrip("\n").split("\n\n")
    read = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    # Without systemd there is no answer at all.
    of_each = dict(zip(asked, read, strict=False))
    return {name: {**dict.fromkeys(properties, ""), **of_each.get(name, {})} for name in asked}


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unhealthy(f"systemctl {' '.join(words)}: {done.stderr.strip()}")
