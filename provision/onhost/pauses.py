"""Which units of a host are paused, by whom, since when and why: a file for each, outside of all releases.

A drop-in of each unit looks for its file, so that neither a boot, a deploy, cron nor a release from before starts it.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from provision.onhost import durable

FOLDER = Path("/opt/jada-agent/paused")
WORKER, SENDER, SYNC, QUEUE = (
    "jada-agent.service",
    "jada-notify.service",
    "port-sheet-sync.service",
    "jada-dashboard.service",
)
BACKUP = "jada-backup.service"
WORK = (WORKER, SYNC)
"""What works: nothing is begun while these are paused; the page is there, and users are told of what waits."""
RESTORED = (*WORK, SENDER, BACKUP)
"""What must rest on a box that holds a copy of another one's queue: each would do again what that one does."""
ALL = (*RESTORED, QUEUE)
"""The queue too: nothing can be added any more, and a backup is the last word."""
DROP_INS = {unit: f"/etc/systemd/system/{unit}.d/10-jada-paused.conf" for unit in ALL}
DROP_IN = f"""\
# Written by `fab deploy`. `fab pause` makes the file, `fab resume` removes it.
[Unit]
ConditionPathExists=!{FOLDER}/%n
"""


class Pauses:
    """The files in a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the paused units, each with {"by", "since", "why"}; what can't be read is paused too."""
        words = {path.name: _read(path) for path in sorted(self._folder.glob("[!.]*"))}
        return {unit: word for unit, word in words.items() if word is not None}

    def begin(self, units: Iterable[str], word: dict[str, Any]) -> None:
        """Say that units are paused; one that is paused already stays so by its first word."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for unit in units:
            if not (self._folder / unit).exists():
                # Readable: the page says it too.
                durable.write(self._folder / unit, json.dumps(word).encode(), 0o644)

    def end(self, units: Iterable[str]) -> None:
        """Say that units are paused no more."""
        for unit in units:
            durable.remove(self._folder / unit)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # resumed since it was listed
        return None
    except (OSError, ValueError):
        read = None
    unknown = {"by": "?", "since": "?", "why": ""}
    return {**unknown, **read} if isinstance(read, dict) else unknown
