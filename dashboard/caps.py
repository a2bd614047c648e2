"""The day's caps of a whole fleet: what a claim may take of them. Pure.

A claim takes its session and its dollars of the UTC day before it is written, and gives back what it did not get or did
not use; what lies between is counted as used. So the cap is never passed, and what a dashboard had taken when it was
killed stays taken until the day is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.settings import FleetCaps, WorkLimits


class DayUse(NamedTuple):
    """Sessions that began on a UTC day, and micro-dollars that they spent or may still spend."""

    sessions: int
    usd_micros: int


DayMove = Callable[[DayUse | None], DayUse]
"""From what is used of a day, None before the first, to what is used then; the same says: write nothing."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What all hosts together may use of a day; None: any number."""

    sessions: int | None = None
    usd_micros: int | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is one at all: without, nothing is counted."""
        return self.sessions is not None or self.usd_micros is not None

    def sessions_left(self, used: DayUse) -> bool:
        """Whether a session may begin."""
        return self.sessions is None or used.sessions < self.sessions

    def usd_left(self, used: DayUse, asked: int) -> int:
        """Return how many of the micro-dollars that are asked for are left."""
        return asked if self.usd_micros is None else max(0, min(asked, self.usd_micros - used.usd_micros))


def caps(fleet: FleetCaps, limits: WorkLimits | None, *, is_shared: bool) -> Caps:
    """Return the caps: those of the section [dashboard.fleet], else, over a table, the worker's for a day."""
    limits = limits if is_shared else None
    sessions, usd = fleet.sessions_per_day, fleet.usd_per_day
    sessions = limits.sessions_per_day if sessions is None and limits else sessions
    usd = limits.usd_per_day if usd is None and limits else usd
    return Caps(sessions or None, round(usd * 1_000_000) if usd else None)


def share(asked: DayUse, most: Caps, used: DayUse, held: int) -> DayUse | None:
    """Return what is taken of a day for what is asked: all sessions, and as many dollars as are left, beside those
    `held` that an earlier holder of the task has taken; None where that is not enough to begin.
    """
    usd = most.usd_left(used, asked.usd_micros - held) if asked.usd_micros > held else 0
    fits = usd + held > 0 and (not asked.sessions or most.sessions_left(used))
    return DayUse(asked.sessions, usd) if fits else None


def add(used: DayUse, taken: DayUse) -> DayUse:
    """Return what is used with what was taken."""
    return DayUse(used.sessions + taken.sessions, used.usd_micros + taken.usd_micros)


def give_back(left: DayUse) -> DayMove:
    """Return the move that gives back what was taken and not used; of a day that was not begun, nothing."""

    def move(old: DayUse | None) -> DayUse:
        used = old or DayUse(0, 0)
        return DayUse(max(0, used.sessions - left.sessions), max(0, used.usd_micros - left.usd_micros))

    return move
