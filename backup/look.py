"""What a host holds, as the operator is shown before a restore replaces it."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backup.place import UNFINISHED
from backup.sources import QUEUE, TABLE, Places, Skipped, walk

KNOWS = ("-m", "dashboard.restore", "--knows")
"""The queue's own program, which says how many steps of the schema its release knows."""


def look(places: Places, app: Path, ask: Callable[[Sequence[str]], str] | None = None) -> dict[str, Any]:
    """Return the current release, the schema that its queue knows, entries and bytes of each part, in which table its
    queue is, if in one, and whether a restore was begun and not finished.
    """
    return {
        "release": app.parent.resolve().name,
        "schema": int((ask or _asked)([str(app.parent / "venv/bin/python"), *KNOWS])),
        "parts": {**{tree.part: _sum(tree) for tree in places.trees}, "dashboard": _queue(places)},
        "table": table(places),
        "unfinished": (places.restores / UNFINISHED).exists(),
    }


def _sum(tree: Any) -> dict[str, int]:
    infos = [entry[0] for entry in walk(tree) if not isinstance(entry, Skipped)]
    return {"entries": len(infos), "bytes": sum(info.size for info in infos)}


def _queue(places: Places) -> dict[str, int]:
    queue = places.queue / QUEUE
    return {"entries": int(queue.exists()), "bytes": queue.stat().st_size if queue.exists() else 0}


def table(places: Places) -> str:
    """Return the table that the queue is in; nothing where it is a file."""
    file = places.queue / TABLE
    return file.read_text(encoding="utf-8").split()[0] if file.exists() else ""


def _asked(command: Sequence[str]) -> str:
    app = Path(command[0]).parents[2] / "app"
    return subprocess.run(command, cwd=app, capture_output=True, text=True, check=True).stdout
