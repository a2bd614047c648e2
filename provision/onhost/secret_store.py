"""Keep secrets, each written whole or not at all, in a folder that only root can read. Answers with names only."""

import base64
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provision.onhost import durable, found, units
from provision.onhost.errors import Unhealthy


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Write the secrets of `order`, restart their readers; say which changed, and which reader did not start."""
    folder = Path(order["folder"])
    if "secrets" not in order:
        return {"held": held(folder)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.chmod(0o755)
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, 0, 0)
    folder.chmod(0o700)
    given = {name: base64.b64decode(text) for name, text in order["secrets"].items()}
    with durable.locked(folder):
        changed = [name for name, content in given.items() if _write(folder / name, content)]
    if found.FOUND.exists():
        # What is given is what should be there; a host that was never deployed to records it then.
        found.keep([("secret", name) for name in given], ())
    restarted, failed = _restart(order["readers"], given, changed)
    return {"changed": changed, "held": held(folder), "restarted": restarted, "failed": failed}


def held(folder: Path) -> list[str]:
    """Return the names of the secrets in a folder, without one that is being written."""
    return sorted(path.name for path in folder.glob("[!.]*")) if folder.is_dir() else []


def _write(path: Path, content: bytes) -> bool:
    """Write a secret unless it is the same; set its owner and mode right. Returns whether it changed."""
    if path.is_file() and path.read_bytes() == content:
        os.chown(path, 0, 0)
        path.chmod(0o600)
        return False
    durable.write(path, content, 0o600)
    return True


def _restart(
    readers: Mapping[str, list[str]], given: Iterable[str], changed: list[str]
) -> tuple[list[str], dict[str, str]]:
    """Restart the units that hold a copy of what changed; return those that started, and why the others did not."""
    pairs = [(unit, name) for name in given for unit in readers.get(name, [])]
    # Also what changed before: the program that wrote it may have been cut off before it came to its readers.
    wanted = dict.fromkeys(unit for unit, name in pairs if name in changed or name in units.stale_secrets(unit))
    restarted, failed = [], {}
    for unit in [unit for unit in wanted if _holds_a_copy(unit)]:
        try:
            units.restart(unit)
            restarted.append(unit)
        except Unhealthy as error:
            failed[unit] = units.explained(error)
    return restarted, failed


def _holds_a_copy(unit: str) -> bool:
    """Whether a unit runs, or is being started: it was given its copies before its program. One that waits to be
    started again is given them then.
    """
    state = units.shown(unit, "ActiveState", "SubState")
    return state.get("ActiveState") in ("active", "reloading", "activating") and state.get("SubState") != "auto-restart"
