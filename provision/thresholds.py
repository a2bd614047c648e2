"""From where on an audit says that something should be looked at, and from where on that it is bad: [audit]."""

from typing import Annotated, Any

from msgspec import Meta

from wire.values import Invalid, Value, decode

Pair = Annotated[
    tuple[Annotated[float, Meta(ge=0, le=1_000_000)], Annotated[float, Meta(ge=0, le=1_000_000)]],
    Meta(description="two numbers: from where on to look, and from where on it is bad"),
]


class Thresholds(Value, frozen=True, kw_only=True):
    """The section [audit]. A pair is *look from, bad from*; `burst_percent` counts downwards."""

    cpu_percent: Pair = (20, 60)
    burst_percent: Pair = (50, 20)
    memory_percent: Pair = (80, 95)
    load: Pair = (1, 4)
    disk_percent: Pair = (80, 90)
    uptime_hours: Annotated[float, Meta(ge=0, le=8760)] = 24
    restarts: Pair = (1, 5)
    queued_hours: Pair = (24, 72)
    failed_percent: Pair = (10, 30)
    turn_limit_percent: Annotated[float, Meta(ge=0, le=100)] = 30
    sync_minutes: Pair = (35, 65)
    token_hours: Pair = (168, 48)
    log_errors: Pair = (1, 100)
    security_updates: Pair = (1, 20)


DOWNWARDS = ("burst_percent", "token_hours")
"""Pairs whose bad end is the lower one."""


def read(section: Any) -> Thresholds:
    """Make the thresholds of a section's plain data; raises `Invalid`, which names the key."""
    found = decode(Thresholds, section, "audit")
    for name in Thresholds.__struct_fields__:
        require_ordered(name, getattr(found, name))
    return found


def require_ordered(name: str, value: Any) -> None:
    """Raise `Invalid` for a pair whose bad end comes first."""
    if not isinstance(value, tuple):
        return
    look, bad = value
    if (look < bad) if name in DOWNWARDS else (look > bad):
        order = "fall" if name in DOWNWARDS else "rise"
        raise Invalid(f"audit.{name}", f"[{look:g}, {bad:g}]: look from, bad from; the two must {order}")
