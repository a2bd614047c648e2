"""What deploys leave on a host: a folder for each with orders and events, what is proven, and what is pending."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provision.onhost import durable

HOME = Path("/opt/jada-agent")
UNIT = "jada-deploy.service"
"""The transient unit that every deploy runs in: one name, so that there can't be two."""
UNDO = "undo"
"""The file in a deploy's folder by which an operator asks that it be undone."""
KEPT = 50
"""Deploys whose orders and events are kept; releases that are remembered as proven."""


class Record:
    """The files that say how a host's releases stand, each written whole or not at all."""

    def __init__(
        self, home: Path = HOME, clock: Callable[[], float] = time.time, cron: Path = Path("/etc/cron.d")
    ) -> None:
        self.home, self.cron = home, cron
        self._clock = clock
        # The worker reads it too: what is named in it takes no task yet.
        self._pending, self._proven = home / "pending.json", home / "proven.json"

    def current(self) -> str | None:
        """Return the release that `current` leads to."""
        link = self.home / "current"
        return link.readlink().name if link.is_symlink() else None

    def pending(self) -> dict[str, Any] | None:
        """Return what was switched to and not proven yet: {"release", "run", "restart", "healthy", "health"}."""
        read = _read(self._pending)
        return read if isinstance(read, dict) and read.get("release") else None

    def begin(self, release: str, run: str, orders: dict[str, Any]) -> None:
        """Say that a release is about to be switched to; from now on a boot goes back to the last proven one."""
        pending = {"release": release, "run": run, **{key: orders[key] for key in ("restart", "healthy", "health")}}
        durable.write(self._pending, json.dumps(pending).encode(), 0o644)

    def end(self) -> None:
        """Say that nothing is pending."""
        durable.remove(self._pending)

    def changed_since(self, orders: dict[str, Any], own: str) -> str | None:
        """Say what changed since the plan of these orders saw the host, but for the deploy `own`; None: nothing did."""
        seen, now = orders["seen"], self.current()
        if now != seen:
            return f"the host changed since the plan: current was {seen}, now it is {now}; run again"
        # Another deploy may have come and gone, or still be unproven, with the same release.
        latest = next((run for run in self.runs() if run != own), None)
        if latest != orders.get("after", latest):
            return f"the host changed since the plan: deploy {latest} was carried out meanwhile; run again"
        return None

    def call(self, name: str) -> None:
        """Keep how operators call this host: the dashboard tells it."""
        durable.write(self.home / "called", f"{name}\n".encode(), 0o644)

    def proven(self) -> list[str]:
        """Return the releases that were proven, the latest first."""
        return [str(each["id"]) for each in self._listed()]

    def prove(self, release: str) -> None:
        """Say that a release is proven: what a later one is taken back to."""
        others = [each for each in self._listed() if each["id"] != release]
        now = {"id": release, "at": round(self._clock())}
        durable.write(self._proven, json.dumps({"releases": [now, *others][:KEPT]}).encode(), 0o644)

    def _listed(self) -> list[dict[str, Any]]:
        read = _read(self._proven)
        listed = read.get("releases") if isinstance(read, dict) else None
        return [each for each in listed if isinstance(each, dict) and "id" in each] if isinstance(listed, list) else []

    def run(self, name: str) -> Path:
        """Return the folder of a deploy."""
        return self.home / "deploys" / name

    def runs(self) -> list[str]:
        """Return the names of all deploys, the latest first: by this host's clock, a name has the operator's."""
        found = [(durable.written_at(path), path.parent.name) for path in self.home.glob("deploys/*/orders.json")]
        return [name for at, name in sorted(((at, name) for at, name in found if at is not None), reverse=True)]


def is_active() -> bool:
    """Whether a deploy is at work, or watches what it deployed."""
    done = subprocess.run(["systemctl", "is-active", UNIT], capture_output=True, text=True, check=False)
    # It says nothing while systemd executes itself anew, as its upgrade has it do: nothing ends by that.
    return done.stdout.strip() in ("active", "activating", "deactivating", "reloading", "")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
