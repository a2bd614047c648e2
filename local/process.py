"""A process as this machine knows it for certain: its id and the moment it started, because ids are used again."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process by id and start time (clock ticks since boot, field 22 of /proc/PID/stat)."""

    pid: int
    started: int

    @classmethod
    def find(cls, pid: int) -> "Process | None":
        """Return the process that has this id now, or None; a zombie is none."""
        try:
            # The command's name, in parentheses, may hold anything: split behind the last one.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else cls(pid, int(fields[19]))

    @classmethod
    def recorded(cls, path: Path) -> "Process | None":
        """Return the process that `record` wrote to a file, if it still runs."""
        try:
            process = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return process if process.alive() else None

    def record(self, path: Path) -> None:
        """Write this process to a file, whole or not at all."""
        # A file cut short would read as no process, and a double that runs would be started twice.
        half = path.with_suffix(".half")
        half.write_text(json.dumps(asdict(self)), encoding="utf-8")
        half.replace(path)

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return Process.find(self.pid) == self

    def end(self, grace_s: float = 5) -> None:
        """Ask it to stop, wait `grace_s` seconds, then kill it; returns when it is gone."""
        for sign, limit_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10)):
            if not self.alive():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sign)
            wait_until(lambda: not self.alive(), limit_s)


def wait_until(condition: Callable[[], bool], seconds: float, every_s: float | None = None) -> bool:
    """Poll until `condition()` holds or `seconds` are over; returns whether it held.

    It looks less often the longer it takes, unless `every_s` is given: each look takes CPU from what it waits for.
    """
    deadline = time.monotonic() + seconds
    pause_s = every_s or 0.05
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = every_s or min(1.2 * pause_s, 0.25)
    return held
