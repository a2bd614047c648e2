"""What the host keeps beside the queue, and the page tells: what is paused, and how the night's backup stands.

Others write these files; here they are only read, each time anew.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.settings import OffBox
from dashboard.stores.files import free_for_all
from wire import called
from wire.types import NightlyBackup
from wire.values import Invalid, read

WORKER, SYNC, BACKUP = "jada-agent.service", "port-sheet-sync.service", "jada-backup.service"
PAUSES, NIGHTLY = Path("/opt/jada-agent/paused"), Path("/var/lib/jada-backup/nightly.json")


@dataclass(frozen=True, slots=True)
class Beside:
    """The folder that names paused units, the backup's file, and what the settings say of it; nothing without. `host`
    is the name that this host has itself, `called` the file of the one that operators know; `state` is a folder on the
    disk that its worker writes to.
    """

    pauses: Path | None = None
    nightly: Path | None = None
    off_box: OffBox = field(default_factory=OffBox)
    host: str = ""
    state: Path | None = None
    called: Path | None = None

    def name(self) -> str:
        """Return how operators call this host; nothing where no deploy said it yet."""
        return called.called(self.called) if self.called else ""

    def free_bytes(self) -> int | None:
        """Return what is free on the host's disk."""
        return free_for_all(self.state) if self.state else None

    def load(self) -> tuple[float, int]:
        """Return the load of the last minute, and how many processors there are."""
        return round(os.getloadavg()[0], 2), os.cpu_count() or 1

    def paused(self) -> dict[str, str]:
        """Return the paused units, each with by whom, since when and why."""
        words = {path.name: _word(path) for path in sorted(self.pauses.glob("[!.]*"))} if self.pauses else {}
        return {unit: word for unit, word in words.items() if word is not None}

    def backup(self) -> NightlyBackup | None:
        """Return how the night's backup stands; None where none was tried, or its file can't be read."""
        try:
            return read(NightlyBackup, self.nightly.read_bytes()) if self.nightly else None
        except (OSError, Invalid):
            return None


def lines(paused: Mapping[str, str]) -> tuple[str, ...]:
    """Say what is paused, those of one word together."""
    return tuple(
        f"{', '.join(unit for unit, said in paused.items() if said == word)}: {word}"
        for word in dict.fromkeys(paused.values())
    )


def _word(path: Path) -> str | None:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        why = f" ({said['why']})" if said["why"] else ""
        return f"paused by {said['by']} since {said['since']}{why}"
    except FileNotFoundError:  # resumed since it was listed
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return "paused; by whom and since when can't be read"
