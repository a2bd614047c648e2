"""Which leases are past: by what this server has seen for how long on its own clock, never by a time of day.

A time of day in the store gave a living holder's task away when a clock was set forward, and kept a dead one's for
hours when it was set back. So a record holds a fence, a beat that each heartbeat moves on, and a time to live. A server
that begins, also after a reboot, begins to watch anew.
"""

import threading
from collections.abc import Callable, Iterable
from time import CLOCK_BOOTTIME, clock_gettime

from dashboard.record import Holder, Record

LOOK_EVERY_S = 1.0
"""Seconds between two looks at all that runs: claims come more often than leases end."""
LOOKS_A_LEASE = 4
"""In a table, where each record that is looked at is paid for, and each host looks."""


def boottime() -> float:
    """Return the seconds since this machine booted, time asleep among them."""
    return clock_gettime(CLOCK_BOOTTIME)


class Leases:
    """What was seen of each holder, and since when; may be used from any thread."""

    def __init__(self, ttl_s: float, clock: Callable[[], float] = boottime, look_every_s: float = LOOK_EVERY_S) -> None:
        """`ttl_s` is for what a release before this rule gave out: its records hold no time to live."""
        self._ttl_s = ttl_s
        self._look_every_s = look_every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Holder, float] = {}
        self._past: dict[Holder, Record] = {}
        self._looked_at: float | None = None

    def saw(self, record: Record) -> None:
        """Note a holder that was alive just now."""
        with self._lock:
            self._seen[record.holder] = self._clock()

    def forget(self, holder: Holder) -> None:
        """Look no more at a holder that was dealt with."""
        with self._lock:
            self._past.pop(holder, None)

    def past(self, leased: Callable[[], Iterable[Record]]) -> dict[Holder, Record]:
        """Return the tasks whose lease is past; `leased` reads those that hosts hold, and is asked so often at most."""
        with self._lock:
            now = self._clock()
            if self._looked_at is None or now - self._looked_at >= self._look_every_s:
                self._looked_at = now
                self._look({record.holder: record for record in leased()}, now)
            return dict(self._past)

    def _look(self, leased: dict[Holder, Record], now: float) -> None:
        self._seen = {holder: self._seen.get(holder, now) for holder in leased}
        self._past = {
            holder: record
            for holder, record in leased.items()
            if now - self._seen[holder] > (record.ttl_s or self._ttl_s)
        }
