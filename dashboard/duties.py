"""What of the fleet's work this dashboard does: the watch and the outbox, while it holds their roles.

A queue in a file has one dashboard, which does all. Over a table each dashboard calls `keep` again and again; it counts
its own time from before each renewal was sent, and does nothing of a role once that is over, until a renewal succeeds.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from dashboard.leases import boottime
from dashboard.record import Busy, Conflict, Unready
from dashboard.role_lease import OUTBOX, WATCH, Under
from dashboard.roles import Roles

log = logging.getLogger(__name__)

TTL_S, EVERY_S = 20, 6
"""Two renewals may fail before a role is lost; the next dashboard has the watch within half a minute, and the outbox
within about one.
"""
REQUEST_S = {WATCH: 0, OUTBOX: 35}
"""Each write of the watch carries its fence. A message that was given out is being sent for 30 s, by `notify.send`, and
was asked for by a call that waits 5 s.
"""


class Duties:
    """See the module. `holder` names this process, never twice; None: it is the only dashboard of its queue."""

    def __init__(self, roles: Roles, holder: str | None, clock: Callable[[], float] = boottime) -> None:
        self._roles = roles
        self.holder = holder
        self._clock = clock
        self._lock = threading.Lock()
        self._mine: dict[str, tuple[int, float]] = {}
        self.is_new = False
        """Whether it has the watch since the last look: that need not wait for its time."""

    @property
    def is_alone(self) -> bool:
        """Whether no other dashboard can be over this queue."""
        return self.holder is None

    def keep(self) -> None:
        """Renew what this dashboard holds, and take what is free or whose holder is past."""
        if self.holder is None:
            return
        before = self._clock()
        found = self._roles.look()
        for role, request_s in REQUEST_S.items():
            held = found.get(role)
            if role in self._mine:
                self._renew(role)
            elif held is None or self._roles.is_open(held, before):
                began = self._clock()
                taken = self._roles.take(role, self.holder, TTL_S, request_s)
                if taken.holder == self.holder:
                    log.info("this host has the %s now, under fence %s", role, taken.fence)
                    self._note(role, taken.fence, began)
                    self.is_new = self.is_new or role == WATCH

    def _renew(self, role: str) -> None:
        fence, _ = self._mine[role]
        began = self._clock()
        try:
            self._roles.renew(role, fence)
        except Conflict as error:
            log.warning("%s", error)
            self.lose(role)
        else:
            self._note(role, fence, began)

    def _note(self, role: str, fence: int, began: float) -> None:
        with self._lock:
            self._mine[role] = (fence, began + TTL_S)

    def lose(self, role: str) -> None:
        """Note that another has a role."""
        with self._lock:
            self._mine.pop(role, None)

    def has(self, role: str) -> bool:
        """Whether this dashboard may begin something of a role now."""
        return self.is_alone or self.under(role) is not None

    def under(self, role: str) -> Under | None:
        """Return the fence under which this dashboard may write for a role now; None where it has it not, or needs
        none.
        """
        with self._lock:
            fence, until = self._mine.get(role, (0, 0.0))
        return Under(role, fence) if self._clock() < until else None

    def close(self) -> None:
        """Let go of the watch, so that another need not wait. Of the outbox not: a message may be on its way."""
        with self._lock:
            fence, _ = self._mine.pop(WATCH, (None, 0.0))
        if fence is not None:
            with suppress(Busy, Unready):
                self._roles.release(WATCH, fence)
