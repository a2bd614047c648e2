"""The lease on a task, as the holder reckons it.

It lives `ttl_s` from before the heartbeat was sent, so the holder's reckoning ends before the store's. The clock is
CLOCK_BOOTTIME: it goes on while the machine sleeps, and no operator sets it. Past it the holder starts nothing; expiry
permits another claim and revokes nothing, so a heartbeat with the current fence revives it.
"""

import time
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Lease:
    """Permission to work under `fence`: `ttl_s` seconds from `sent_at`, which is boot time before the asking."""

    fence: int
    ttl_s: float
    sent_at: float

    @property
    def due_at(self) -> float:
        """When to renew it: after a third, so that two heartbeats may fail."""
        return self.sent_at + self.ttl_s / 3

    def lapsed(self, now: float) -> bool:
        """Whether it is past."""
        return now >= self.sent_at + self.ttl_s

    def renewed(self, ttl_s: float, sent_at: float) -> Self:
        """Return the lease after a heartbeat was answered."""
        return replace(self, ttl_s=ttl_s, sent_at=sent_at)


def boottime() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
