"""The [dashboard] section of the settings file: `wire` only, so that it can be checked
on the operator's machine before it travels.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from wire.settings_file import section
from wire.values import Value

Days = Annotated[int, Meta(ge=0, le=3650)]


class Settings(Value, frozen=True, kw_only=True):
    """What an operator may set; the settings file's comments say what each key does."""

    address: Literal["127.0.0.1", "::1"] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8765
    lease_s: Annotated[int, Meta(ge=5, le=3600)] = 120
    freshness_minutes: Annotated[int, Meta(ge=0, le=7 * 24 * 60)] = 65
    token_warning_hours: Annotated[int, Meta(ge=0, le=30 * 24)] = 48
    backup_hour: Annotated[int, Meta(ge=0, le=23)] = 3
    backup_days: Annotated[int, Meta(ge=0, le=365)] = 7
    keep_tasks_days: Days = 365
    keep_journals_days: Days = 90
    keep_sync_runs_days: Days = 90
    watch_s: Annotated[int, Meta(ge=1, le=3600)] = 60


def load(path: Path) -> Settings:
    """Read the section [dashboard] of a settings file; raises `Invalid`, which names the key or the file."""
    return section(Settings, path, "dashboard")
