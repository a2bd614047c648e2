"""What this host has used of its UTC day: sessions begun and dollars spent, kept over restarts in state.json."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agent.record import durable
from wire.values import Written


class Used(Written, frozen=True, kw_only=True):
    """One day's use: the ids of the sessions begun, and micro-dollars by session and fence.

    Keyed, because a daemon that was killed between counting and going on counts again at its next start.
    """

    day: str
    sessions: tuple[str, ...] = ()
    usd_micros: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def spent(self) -> int:
        """Micro-dollars of the whole day."""
        return sum(self.usd_micros.values())


class Day:
    """The counters of today; `clock` gives Unix seconds. A new day begins with nothing used."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)

    @property
    def used(self) -> Used:
        """Return today's use. Raises `Invalid` when the file is damaged."""
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        kept = durable.read(Used, self._path)
        return kept if kept and kept.day == today else Used(day=today)

    def begin(self, session: str) -> None:
        """Count a session that now begins."""
        used = self.used
        if session not in used.sessions:
            durable.write(self._path, replace(used, sessions=(*used.sessions, session)))

    def spend(self, session: str, fence: int, usd_micros: int) -> None:
        """Count what a session spent under one fence."""
        used = self.used
        spent = {**used.usd_micros, f"{session}/{fence}": usd_micros}
        durable.write(self._path, replace(used, usd_micros=spent))
