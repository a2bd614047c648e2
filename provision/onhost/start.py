"""Start an installer in its transient unit, with its orders as a file beside it; asked twice, it starts once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from provision.onhost import durable
from provision.onhost.events import Events
from provision.onhost.runs import KEPT, UNIT, Record, is_active

RUN_S = 1800
"""An installer that takes longer, besides its looks at the release, is ended, and what it did is undone."""
UNDO_S = 300
"""Seconds that undoing may take, besides such looks, before systemd ends that too."""


def main(asked: dict[str, Any], record: Record | None = None) -> dict[str, Any]:
    """Start {"orders"} under the name {"run"}; answer with {"run"}, or with {"refused"} and the run that is at work."""
    record = record or Record()
    # Of two at one moment each would find that no installer is at work.
    with durable.locked(record.home / "deploys"):
        return _start(record, asked["run"], asked["orders"])


def _start(record: Record, name: str, orders: dict[str, Any]) -> dict[str, Any]:
    folder = record.run(name)
    if (folder / "orders.json").exists():
        return {"run": name}
    # Before one that watches is ended for it: what it watched would stay as it is, and no one would look.
    if changed := record.changed_since(orders, name):
        return {"refused": changed, "run": None}
    if is_active() and not _take_over(record):
        return {"refused": "another deploy is at work on this host", "run": next(iter(record.runs()), None)}
    _write(folder, orders)
    done = subprocess.run(command(folder, orders["health"]), capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(folder)
        return {"refused": f"the installer could not be started: {done.stderr.strip()}", "run": None}
    for old in record.runs()[KEPT:]:
        shutil.rmtree(record.run(old))
    return {"run": name}


def command(folder: Path, health: dict[str, Any]) -> list[str]:
    """Return the command that runs the installer of a folder as a unit of its own, for as long as its looks take."""
    looks_s = 2 * health["seconds"] + max(health["steady_s"], health["proven_s"])
    program = ["/usr/bin/python3", "-I", "-S", str(folder / "program")]
    properties = {
        "Type": "exec",
        # What the installer started must end with it; its own undoing comes first.
        "KillMode": "mixed",
        "TimeoutStopSec": f"{UNDO_S + looks_s}",
        "RuntimeMaxSec": f"{RUN_S + looks_s}",
        # A program's name and plain words: quoted shell breaks on the daemon-reload that each deploy does.
        "ExecStopPost": " ".join([*program, "ended", str(folder)]),
    }
    return [
        *("systemd-run", "--quiet", "--collect", f"--unit={UNIT}"),
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(*program, "install", str(folder)),
    ]


def _take_over(record: Record) -> bool:
    """End an installer that only watches what it deployed, or has said its last word; False for one that is at work."""
    latest = next(iter(record.runs()), None)
    events = Events(record.run(latest) / "events") if latest else None
    if events is None or not (events.says("deployed") or events.last()):
        return False
    # Waits for its end: the next one needs the unit's name.
    subprocess.run(["systemctl", "stop", UNIT], capture_output=True, check=False)
    return True


def _write(folder: Path, orders: dict[str, Any]) -> None:
    # There already where a start was cut off.
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.parent.chmod(0o700)
    # The zip that this runs from, which has the installer too.
    durable.write(folder / "program", Path(sys.path[0]).read_bytes(), 0o600)
    durable.write(folder / "events", b"", 0o600)
    # Last: it says that the folder is whole.
    durable.write(folder / "orders.json", json.dumps(orders).encode(), 0o600)
