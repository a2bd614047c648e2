"""The [dashboard] section of the settings file: `wire` only, so that it can be checked
on the operator's machine before it travels.
"""

import ipaddress
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dashboard.cron import require_cron
from wire.addresses import QUEUE, Url
from wire.types import SESSIONS_LIMIT, USD_MICROS_LIMIT, Label, Line, Text, require_short
from wire.values import Invalid, Value, decode

TargetName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z", description="a name like ops-mail")]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z", description="a time of day like 22:00")]


class Notify(Value, frozen=True, kw_only=True):
    """What is sent to users, and when; each target's address is in the secret notify_targets under its name."""

    targets: tuple[TargetName, ...] = ()
    text: Literal["whole", "pointer"] = "whole"
    burst: Annotated[int, Meta(ge=1, le=1000)] = 6
    remind_hours: Annotated[int, Meta(ge=0, le=30 * 24)] = 24
    quiet: tuple[TimeOfDay, TimeOfDay] | None = None
    time_zone: str = "UTC"
    link: Url | None = None

    def __post_init__(self) -> None:
        """Refuse a time zone that is not known, and a target that is there twice."""
        if len(set(self.targets)) < len(self.targets):
            raise Invalid("targets", "names a target twice")
        require_zone(self.time_zone)


def require_zone(name: str) -> None:
    """Raise `Invalid` for a time zone that is not known."""
    try:
        zone(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise Invalid("time_zone", f"is unknown: {name!r}; a name like Europe/Lisbon") from None


def zone(name: str) -> tzinfo:
    """Return a time zone; UTC is known where no zones are installed."""
    return UTC if name == "UTC" else zoneinfo.ZoneInfo(name)


Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z", description="a name like season-report")]


class Template(Value, frozen=True, kw_only=True):
    """A task as it is often wanted."""

    title: Line
    description: Text = ""
    labels: Annotated[tuple[Label, ...], Meta(max_length=10)] = ()
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    sessions: Annotated[int, Meta(ge=1, le=SESSIONS_LIMIT)] = 5
    dollars: Annotated[float, Meta(ge=0.01, le=USD_MICROS_LIMIT / 1_000_000)] = 5.0

    def __post_init__(self) -> None:
        """Refuse what a schema cannot count."""
        require_short("description", self.description)

    @property
    def usd_micros(self) -> int:
        """Its dollars as the queue counts them."""
        return round(self.dollars * 1_000_000)


class Recurring(Value, frozen=True, kw_only=True):
    """A template's task again and again: when, where that is the time, and whether a run that was missed is made up."""

    template: Name
    cron: str
    time_zone: str = "UTC"
    catch_up: bool = False

    def __post_init__(self) -> None:
        """Refuse an expression that is none or is never due, and a time zone that is not known."""
        require_cron(self.cron)
        require_zone(self.time_zone)


class FleetCaps(Value, frozen=True, kw_only=True):
    """What all hosts over one table together may use of a UTC day: 0 is no cap beside each host's own, and what is left
    out is the worker's limit for a host, which then holds for all.
    """

    sessions_per_day: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    usd_per_day: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None


Days = Annotated[int, Meta(ge=0, le=3650)]


class Settings(Value, frozen=True, kw_only=True):
    """What an operator may set; the settings file's comments say what each key does."""

    socket: Annotated[str, Meta(pattern=r"^/[!-~]{1,99}\Z", description="an absolute path")] = QUEUE.removeprefix(
        "unix:"
    )
    listen: Annotated[
        str,
        Meta(
            pattern=r"^([0-9.]+:[0-9]{1,5}|\[[0-9a-f:.]+\]:[0-9]{1,5})?\Z",
            description="an IP address and a port like 10.0.0.5:8765, or empty",
        ),
    ] = ""
    table: Annotated[
        str,
        Meta(
            pattern=r"^(([a-z]{2}(-[a-z]+)+-[0-9]|http://[0-9.]+:[0-9]{1,5})/[A-Za-z0-9_.-]{3,255})?\Z",
            description="a region and a table like us-east-1/jada-queue, or empty",
        ),
    ] = ""
    lease_s: Annotated[int, Meta(ge=5, le=3600)] = 120
    freshness_minutes: Annotated[int, Meta(ge=0, le=7 * 24 * 60)] = 65
    token_warning_hours: Annotated[int, Meta(ge=0, le=30 * 24)] = 48
    backup_hour: Annotated[int, Meta(ge=0, le=23)] = 3
    backup_days: Annotated[int, Meta(ge=0, le=365)] = 7
    keep_tasks_days: Days = 365
    keep_journals_days: Days = 90
    keep_files_days: Days = 0
    keep_sync_runs_days: Days = 90
    least_free_mb: Annotated[int, Meta(ge=64, le=1024 * 1024)] = 256
    watch_s: Annotated[int, Meta(ge=1, le=3600)] = 60
    worker_minutes: Annotated[int, Meta(ge=1, le=24 * 60)] = 15
    sign_in_days: Annotated[int, Meta(ge=1, le=90)] = 7
    notify: Notify = Notify()
    fleet: FleetCaps = FleetCaps()
    templates: dict[Name, Template] = msgspec.field(default_factory=dict)
    recurring: dict[Name, Recurring] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a recurring task whose template is not there."""
        for name, each in self.recurring.items():
            if each.template not in self.templates:
                known = ", ".join(self.templates) or "none is set up"
                raise Invalid(f"recurring.{name}.template", f"is no template: {each.template!r}; known: {known}")


class WorkLimits(Value, frozen=True, kw_only=True):
    """What the page shows beside what was used: limits of the section [agent], which the worker checks and keeps."""

    turns: int = 30
    sessions_per_day: int = 5
    usd_per_day: float = 10.0
    hand_over_tokens: int = 90_000


def work_limits(agent: Mapping[str, Any]) -> WorkLimits:
    """Take the worker's limits from the plain data of its section; raises `Invalid`, which names the key."""
    return decode(WorkLimits, {name: agent[name] for name in WorkLimits.__struct_fields__ if name in agent}, "agent")


class OffBox(Value, frozen=True, kw_only=True):
    """What the page and the watch know of the section [backup]: whether a backup is sent, and when its absence is
    told.
    """

    target: str = ""
    alarm_hours: int = 36


def off_box(backup: Mapping[str, Any]) -> OffBox:
    """Take it from the plain data of the section; raises `Invalid`, which names the key."""
    return decode(OffBox, {name: backup[name] for name in OffBox.__struct_fields__ if name in backup}, "backup")


GONE = ("address", "port")
"""Keys of an earlier release, which had a port on its own host."""


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    for key in GONE:
        if isinstance(section, dict) and key in section:
            reason = "is gone: on its host the queue has a socket only. Take out address, port and every dashboard_url"
            raise Invalid(f"dashboard.{key}", f"{reason}; for other hosts there is `listen`")
    settings = decode(Settings, section, "dashboard")
    if settings.listen:
        endpoint(settings.listen)
    return settings


def endpoint(listen: str) -> tuple[str, int]:
    """Return the IP address and the port of `listen`; raises `Invalid`."""
    address, _, port = listen.rpartition(":")
    bare = address.strip("[]")
    try:
        ipaddress.ip_address(bare)
    except ValueError as error:
        raise Invalid("dashboard.listen", f"holds no IP address: {error}") from None
    if not 0 <= int(port) <= 65535:
        raise Invalid("dashboard.listen", f"holds no port: {port}")
    return bare, int(port)
