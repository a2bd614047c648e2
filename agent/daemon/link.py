"""The dashboard as the daemon knows it: there, or away. That is logged once, and asked again with pauses."""

import logging
from collections.abc import Callable
from typing import TypeVar

from agent.daemon.lease import boottime
from wire.client import Client, RequestRefused, Unreachable
from wire.values import Invalid

T = TypeVar("T")
PAUSE_S = 2.0
"""Seconds between two tries while it is away."""
_PASSING = (401, 403, 408, 425, 429)
"""Refusals that say nothing about what was sent: a wrong token can be put right, the work need not be lost."""

log = logging.getLogger(__name__)


class DashboardAway(Exception):
    """The dashboard could not be asked now; ask again later."""


class Link:
    """All calls to the dashboard go through here; `clock` is a time in seconds that only goes on."""

    def __init__(self, client: Client, clock: Callable[[], float] = boottime) -> None:
        self._client = client
        self._clock = clock
        self._away_since: float | None = None
        self._again_at = 0.0

    def __call__(self, ask: Callable[[Client], T]) -> T:
        """Ask the dashboard; raises `DashboardAway`, at once within the pause, and `RequestRefused`."""
        now = self._clock()
        if now < self._again_at:
            raise DashboardAway
        try:
            answer = ask(self._client)
        except RequestRefused as error:
            if error.problem.status < 500 and error.problem.status not in _PASSING:
                self._back()
                raise
            self._away(error)
            raise DashboardAway from error
        # Invalid: an answer that is not the dashboard's own, from a proxy or a half-written release.
        except (Unreachable, Invalid) as error:
            self._away(error)
            raise DashboardAway from error
        self._back()
        return answer

    def _away(self, error: Exception) -> None:
        self._again_at = self._clock() + PAUSE_S
        if self._away_since is None:
            self._away_since = self._clock()
            log.warning("%s. Nothing is lost: it is asked again every %.0f s until it answers.", error, PAUSE_S)

    def _back(self) -> None:
        if self._away_since is not None:
            log.info("the dashboard answers again, after %.0f s", self._clock() - self._away_since)
        self._away_since, self._again_at = None, 0.0
