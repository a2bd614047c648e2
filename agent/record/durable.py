"""Values in files that are whole at any moment."""

from pathlib import Path
from typing import Any, TypeVar

from wire.disk import replace_file
from wire.values import Invalid, dump
from wire.values import read as parse_leniently

T = TypeVar("T")


def write(path: Path, value: Any) -> None:
    """Replace a file by a value as JSON; mode 0600."""
    replace_file(path, dump(value))


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
