"""A unit that failed or could not start, reported straight to the targets: what systemd and its journal say of it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from notify import direct
from wire.types import Message

PAUSE_S = 600
"""Between two messages of one unit: what fails again and again is one cause."""
LINES = 12
"""Lines of the unit's journal in a message."""
REPORTED = {
    "port-sheet-sync.service": ("10", "11", "12", "13", "14", "15"),
    "jada-backup.service": ("10",),
}
"""Exit statuses by which a unit says that it has reported its failure itself: an alarm is on its way."""
CREDENTIALS = "243"
"""The exit status that systemd gives a unit which lacks a secret, before its program runs (systemd.exec(5))."""


def is_reported(unit: str, monitored: Mapping[str, str]) -> bool:
    """Whether the unit has reported its failure itself."""
    return monitored.get("MONITOR_EXIT_STATUS") in REPORTED.get(unit, ())


def report(unit: str, monitored: Mapping[str, str], journal: str, *, whole: bool, host: str = "") -> Message:
    """Make the message; `monitored` are the variables that systemd gives a unit started by OnFailure=, `host` is how
    operators call the host that it is of.
    """
    at = f" --host {host}" if host else ""
    result, status = monitored.get("MONITOR_SERVICE_RESULT", "unknown"), monitored.get("MONITOR_EXIT_STATUS", "unknown")
    what = f"{unit} failed, or could not start: {result}, exit status {status}."
    cure = "A secret of it is missing on the host: run `fab secrets`.\n" if status == CREDENTIALS else ""
    lines = f"\nIts journal ends:\n{journal}" if whole and journal else ""
    run = monitored.get("MONITOR_INVOCATION_ID", "unknown")
    return direct.message(
        f"failed.{unit}.{run}", direct.on(f"Failed: {unit}", host), f"{what}\n{cure}{lines}\nfab logs{at} --unit {unit}"
    )


def journal(unit: str) -> str:
    """Return the end of a unit's journal."""
    command = ["journalctl", "--unit", unit, "--lines", str(LINES), "--no-pager", "--output", "cat"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


class LastReport:
    """When a unit's last message went out, kept in a file."""

    def __init__(self, state: Path, unit: str) -> None:
        self._path = state / f"failed-{Path(unit).name}"

    def is_recent(self, now: float) -> bool:
        """Whether one went out within the pause."""
        try:
            return 0 <= now - float(self._path.read_text(encoding="utf-8")) < PAUSE_S
        except (OSError, ValueError):
            return False

    def keep(self, now: float) -> None:
        """Keep that one went out now."""
        self._path.write_text(str(now), encoding="utf-8")
