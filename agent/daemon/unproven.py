"""Whether the release that this daemon runs from is still to be proven: until then it polls, and takes no paid work."""

import json
from pathlib import Path


class Unproven:
    """Reads what the installer keeps beside all releases; `app` is the folder of this release's packages.

    Outside of a release's folder, as on a developer's machine, nothing is to be proven.
    """

    def __init__(self, app: Path) -> None:
        self.release = app.parent.name
        # /opt/jada-agent/releases/ID/app
        self._file = app.parents[2] / "pending.json" if app.parent.parent.name == "releases" else None

    def __call__(self) -> bool:
        """Whether this release was switched to and is not proven yet."""
        if self._file is None:
            return False
        try:
            pending = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            # There is something that we can't read: better no work than work by what may be taken back.
            return True
        return isinstance(pending, dict) and pending.get("release") == self.release
