"""What is left of the example in an operator's settings file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wire.settings_file import sections

PLACEHOLDERS = re.compile(
    r"(^|[/@.])example\.(com|org|net)\b|\.example\b|^1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg\Z"
)
"""Values of jada.prod.toml as shipped that stand for the operator's own, and names that RFC 2606 keeps for examples."""


def placeholders(path: Path) -> tuple[str, ...]:
    """Return the keys of a settings file that still have an example's value; a sync that is off doesn't count."""
    found = sections(path)
    if not sync_is_on(path):
        found.pop("sync")
    return tuple(f"{key} = {value}" for key, value in _texts(found, "") if PLACEHOLDERS.search(value))


def sync_is_on(path: Path) -> bool:
    """Whether the settings say that there is a sheet to keep in step."""
    return sections(path).get("sync", {}).get("enabled") is not False


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the value of each text, also of those in lists."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, key)
