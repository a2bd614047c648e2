"""The operator's settings file, jada.<stack>.toml, read from disk; each part reads its own section of it."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from wire.values import Invalid

T = TypeVar("T")


def sections(path: Path) -> dict[str, Any]:
    """Read a settings file, TOML; raises `Invalid`, which names the file and what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(str(path), f"can't be read: {error.strerror}; give the path of a jada.<stack>.toml") from error
    except ValueError as error:  # TOML and UTF-8 alike
        raise Invalid(str(path), f"is not valid TOML: {error}") from error


def load(path: Path, name: str, read: Callable[[Any], T]) -> T:
    """Return what `read` makes of one section of a settings file; an absent one is empty. Raises `Invalid`."""
    return read(sections(path).get(name, {}))
