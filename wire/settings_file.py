"""The operator's settings file, jada.<stack>.toml, read from disk."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from wire.values import Invalid, decode

T = TypeVar("T")
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?\Z", description="an address like https://host/path")]
"""An address without spaces; nothing more is checked before it is called."""
QUEUE = "unix:/run/jada-dashboard/queue.sock"
"""Where the queue is for everything on its host."""
QueueUrl = Annotated[
    str,
    Meta(
        # A socket's path has a limit of 108 bytes in the kernel.
        pattern=r"^(https?://[^\s/]+(/\S*)?|unix:/[!-~]{1,99})\Z",
        description="unix: and a socket's path, as unix:/run/queue.sock, or an address like https://host/path",
    ),
]
"""Where a client finds the queue: its socket on the same host, or an address on another."""


def needs_token(url: str) -> bool:
    """Say whether the queue at this address asks for a token: over its socket it asks the kernel who calls."""
    return not url.startswith("unix:")


def sections(path: Path) -> dict[str, Any]:
    """Read a settings file, TOML; raises `Invalid`, which names the file and what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(str(path), f"can't be read: {error.strerror}; give the path of a jada.<stack>.toml") from error
    except ValueError as error:  # TOML and UTF-8 alike
        raise Invalid(str(path), f"is not valid TOML: {error}") from error


def section(cls: type[T], path: Path, name: str) -> T:
    """Make a `cls` from one section of a settings file; an absent one is empty. Raises `Invalid`."""
    return decode(cls, sections(path).get(name, {}), name)
