"""What this host has used of its UTC days: sessions begun and dollars spent, kept over restarts in state.json."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agent.record import durable
from agent.record.times import rfc3339
from wire.types import HostDay
from wire.values import Written

KEPT = 31
"""Days: a clock that is set back by a month still finds what its date had used."""


class Used(Written, frozen=True, kw_only=True):
    """One day's use: the ids of the sessions begun, and micro-dollars by session and fence. `others` are the days
    used before it, the latest first.

    Keyed, because a daemon that was killed between counting and going on counts again at its next start.
    """

    day: str
    sessions: tuple[str, ...] = ()
    usd_micros: dict[str, int] = msgspec.field(default_factory=dict)
    others: tuple["Used", ...] = ()

    @property
    def spent(self) -> int:
        """Micro-dollars of the whole day."""
        return sum(self.usd_micros.values())


class Day:
    """The counters of today; `clock` gives Unix seconds. A new day begins with nothing used, and a day that was begun
    is never begun anew: a clock that steps back finds what its date had used.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def used(self) -> Used:
        """Return today's use. Raises `Invalid` when the file is damaged."""
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        kept = durable.read(Used, self._path)
        if kept is None or kept.day == today:
            return kept or Used(day=today)
        days = [replace(kept, others=()), *kept.others]
        others = tuple(day for day in days if day.day != today)
        begun = next((day for day in days if day.day == today), Used(day=today))
        return replace(begun, others=others[:KEPT])

    @property
    def is_kept(self) -> bool:
        """Whether there is a file: without one nothing was used here yet, or it was lost."""
        return self._path.exists()

    @property
    def next(self) -> str:
        """When the next day begins, in RFC 3339."""
        tomorrow = datetime.fromtimestamp(self._clock(), UTC) + timedelta(days=1)
        return rfc3339(tomorrow.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())

    def knows(self, session: str) -> bool:
        """Whether a session was counted, today or on another day."""
        used = self.used
        return any(session in day.sessions for day in (used, *used.others))

    def begin(self, session: str) -> None:
        """Count a session that now begins; it counts once, on the day on which it first does."""
        used = self.used
        if not self.knows(session):
            durable.write(self._path, replace(used, sessions=(*used.sessions, session)))

    def learn(self, known: HostDay) -> None:
        """Take over what the queue knows of this day and this file has lost: the larger count holds."""
        used = self.used
        if known.day != used.day:
            return
        ours = {session: _sum_of(session, used) for session in known.usd_micros}
        lost = {f"{session}/lost": usd - ours[session] for session, usd in known.usd_micros.items()}
        more = {key: usd for key, usd in lost.items() if usd > 0}
        begun = tuple(session for session in known.usd_micros if not self.knows(session))
        if more or begun or not self.is_kept:
            sessions = (*used.sessions, *begun)
            durable.write(self._path, replace(used, sessions=sessions, usd_micros={**used.usd_micros, **more}))

    def spend(self, session: str, fence: int, usd_micros: int) -> None:
        """Count what a session spent under one fence, on the day on which it is counted first."""
        used, key = self.used, f"{session}/{fence}"
        others = tuple(_counted(day, key, usd_micros) if key in day.usd_micros else day for day in used.others)
        if others == used.others:
            used = _counted(used, key, usd_micros)
        durable.write(self._path, replace(used, others=others))


def _counted(day: Used, key: str, usd_micros: int) -> Used:
    return replace(day, usd_micros={**day.usd_micros, key: usd_micros})


def _sum_of(session: str, used: Used) -> int:
    return sum(usd for key, usd in used.usd_micros.items() if key.startswith(f"{session}/"))
