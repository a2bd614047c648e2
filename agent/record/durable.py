"""Small JSON files that are whole at any moment: written beside, synced, renamed, and the folder synced."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from wire.values import Invalid, decode, encode

T = TypeVar("T")


def write(path: Path, value: Any) -> None:
    """Replace a file by a value made of dataclasses; mode 0600. A power cut leaves the old file or the new one."""
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(encode(value), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def read(cls: type[T], path: Path) -> T | None:
    """Read a file written by `write`; None when there is none. Raises `Invalid`, which names the file."""
    try:
        return decode(cls, json.loads(path.read_text("utf-8")), str(path))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise Invalid(str(path), f"is damaged: {error}. Look at it, then move it away") from error


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
