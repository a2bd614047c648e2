"""The folder beside a settings file that a release takes along for the worker's tools to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wire.values import Invalid

MOST_MB = 20
"""A release is in memory as a whole when it is made, and is sent as a whole when a price in it changes."""


def beside(settings: Path, sections: Mapping[str, Any]) -> Path | None:
    """Return the folder that a settings file's `sections` name beside it, None where there is none, or a whole path."""
    name = sections.get("agent", {}).get("reference")
    return settings.parent / name if name and not Path(name).is_absolute() else None


def require_portable(folder: Path | None) -> None:
    """Raise `Invalid` for a folder that is not there, or too big to go along."""
    if folder is None:
        return
    if not folder.is_dir():
        raise Invalid("agent.reference", f"there is no folder {folder.name} beside this file: make it, or give a path")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MOST_MB << 20:
        raise Invalid(
            "agent.reference",
            f"{folder.name} holds {size / 2**20:.0f} MB, and a release takes {MOST_MB} along: put it on the host"
            " yourself, and give its path there",
        )
