"""The [dashboard] section of the settings file: standard library and `wire.values` only, so that it can be checked
on the operator's machine before it travels.
"""

from dataclasses import dataclass
from pathlib import Path

from wire.values import rule, section


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set; the settings file's comments say what each key does."""

    address: str = rule(default="127.0.0.1", choices=("127.0.0.1", "::1"))
    port: int = rule(default=8765, least=0, most=65535)
    lease_s: int = rule(default=120, least=5, most=3600)
    freshness_minutes: int = rule(default=65, least=0, most=7 * 24 * 60)
    token_warning_hours: int = rule(default=48, least=0, most=30 * 24)
    watch_s: int = rule(default=60, least=1, most=3600)


def load(path: Path) -> Settings:
    """Read the section [dashboard] of a settings file; raises `Invalid`, which names the key or the file."""
    return section(Settings, path, "dashboard")
