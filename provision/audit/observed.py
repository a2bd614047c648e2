"""What an audit observed, as values. What could not be observed says why, and no good word can rest on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class NotKnown(Exception):
    """What a verdict would rest on was not observed; the text says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was looked at: its `value`, or why it is `unknown`."""

    value: Any = None
    unknown: str | None = None

    def get(self) -> Any:
        """Return what was seen; raises `NotKnown`."""
        if self.unknown is not None:
            raise NotKnown(self.unknown)
        return self.value


@dataclass(frozen=True, slots=True)
class Point:
    """A metric's value over the time that begins `at`."""

    at: datetime
    average: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What someone paused: the units, and who did it when, in lines."""

    units: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that was observed of a host. `parts` are by the names of `onhost/checkup.py`, metrics by Lightsail's; `cidrs`
    are the operators' addresses, as the stack says, `held` those that a command of this machine has let in for as long
    as it runs, as this one does by --door; `drift` has (action, what) for each thing a deploy would change, `rest` what
    is paused.
    """

    host: str
    stack: str
    at: datetime
    hours: int
    instance: Seen
    metrics: Mapping[str, Seen] = field(default_factory=dict)
    doors: Seen = field(default_factory=lambda: Seen(unknown="the firewall was not asked for"))
    held: tuple[str, ...] = ()
    cidrs: Seen = field(default_factory=lambda: Seen(unknown="the stack does not say whose addresses are let in"))
    parts: Mapping[str, Seen] = field(default_factory=dict)
    drift: Seen = field(default_factory=lambda: Seen(unknown="no plan was made"))
    rest: Seen = field(default_factory=lambda: Seen(unknown="no plan was made"))

    def part(self, name: str) -> Any:
        """Return a part that was seen on the host; raises `NotKnown`."""
        return self.parts.get(name, Seen(unknown=f"the host said nothing of its {name}")).get()

    def metric(self, name: str) -> tuple[Point, ...]:
        """Return a metric's points, the oldest first, of which there is one at least; raises `NotKnown`."""
        points = self.metrics.get(name, Seen(unknown=f"{name} was not asked for")).get()
        if not points:
            raise NotKnown(f"Lightsail has no {name} of the last 2 hours yet")
        return tuple(points)
