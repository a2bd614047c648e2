"""Files that are whole at any moment: written beside, synced, renamed, and the folder synced."""

import os
from pathlib import Path
from typing import Any, TypeVar

from wire.disk import sync_folder
from wire.values import Invalid, dump
from wire.values import read as parse_leniently

T = TypeVar("T")


def write(path: Path, value: Any) -> None:
    """Replace a file by a value as JSON, see `write_bytes`."""
    write_bytes(path, dump(value))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file; mode 0600. A power cut leaves the old file or the new one."""
    # In the same folder: a rename across file systems is no single step.
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        # Before the rename: otherwise a power cut may leave the new name without its content.
        os.fsync(file.fileno())
    fresh.replace(path)
    # The rename itself is not safe from a power cut until its folder is on disk.
    sync_folder(path.parent)


def read(cls: type[T], path: Path) -> T | None:
    """Read a file written by `write`, of this release or another; None when there is none. Raises `Invalid`, which
    names the file.
    """
    try:
        return parse_leniently(cls, path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except Invalid as error:
        raise Invalid(error.field, f"{error.reason}. The file is damaged: look at it, then move it away") from error
