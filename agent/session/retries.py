"""What failed requests mean: whether they can have cost anything, whether to try again, when, and what the operator
can do about it.
"""

import email.utils
import math
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

from agent.record.host_wide import HOST_WIDE
from agent.record.times import rfc3339
from agent.session.endings import Fault, Unavailable
from wire.types import Event, EventKind, Exit

_PASSING = (408, 409, 429)
"""Refusals below 500 that the same request can get past later."""
LONGEST_PAUSE_S = 86_400.0
"""A Retry-After of more than a day is a server's mistake, and an infinite one has no date."""


class Rejected(Exception):
    """A definite refusal before any answer: nothing is billed. `status` 0: the API was not reached."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def of_conversation(self) -> bool:
        """Whether it is what was sent that the API does not take: the same request would be refused for ever."""
        return self.status in (400, 413) and not self.of_billing

    @property
    def of_billing(self) -> bool:
        """Whether the account lacks money; the API says so by 400 as well as by 402."""
        return self.status == 402 or (self.status == 400 and "credit balance" in self.reason.lower())


class Cut(Exception):
    """No answer, or half of one. `usage` is the most that it can have cost, as the API counts; None: not known."""

    def __init__(self, reason: str, usage: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.usage = usage


def retry_after(header: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or a date (RFC 9110, 10.2.3); None for one that is absent or neither."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_PAUSE_S)


def in_vain(events: Sequence[Event]) -> int:
    """Return how often in a row the session was suspended because its answers broke off: by claims before this one,
    and without a whole answer since.
    """
    since = takewhile(lambda event: event.kind is not EventKind.SETTLE, reversed(events))
    suspended = [event.data for event in since if event.kind is EventKind.SUSPEND]
    away = [data for data in suspended if data.get("exit") == Exit.UNAVAILABLE and not data.get("host_wide")]
    return len(away)


class Retries:
    """How often and how long to try again. `random` gives 0 to 1, `now` the seconds since the epoch; `in_vain` counts
    the claims before this one that ended because answers broke off.
    """

    REJECTED, CUT = 6, 3
    """Tries in a row that may fail: a cut one costs a turn and may cost money, a rejected one nothing."""
    LONGEST_S = 60.0
    """A longer Retry-After suspends: a session that sleeps holds its lease and its memory for nothing."""
    LATER_S, KEY_LATER_S = 120.0, 900.0
    """When a suspended task is due again: an overload passes in minutes, an operator takes longer."""
    LATEST_S = 3600.0
    """And at the latest. Each claim of a session whose answers break off costs turns, and may cost money: the next one
    waits twice as long. What would meet every task is the host's to wait for (`agent.daemon.breaker`).
    """

    def __init__(self, random: Callable[[], float], now: Callable[[], float], in_vain: int = 0) -> None:
        self._random = random
        self._now = now
        self._in_vain = in_vain
        self._rejected = 0
        self._cut = 0

    def succeeded(self) -> None:
        """Count anew."""
        self._rejected = self._cut = self._in_vain = 0

    def after(self, error: Rejected | Cut) -> float:
        """Return the seconds to wait before the next try; raises `Unavailable` or `Fault` when there is to be none."""
        if isinstance(error, Cut):
            self._cut += 1
            return self._backoff(error, self._cut, self.CUT)
        cure = HOST_WIDE.get(402 if error.of_billing else error.status)
        if cure:
            raise self._later(f"{error.reason}. {cure}", self.KEY_LATER_S)
        reached_and_at_fault = 0 < error.status < 500
        if reached_and_at_fault and error.status not in _PASSING:
            raise Fault(f"the API refused the request: {error.status} {error.reason}")
        if (error.retry_after or 0) > self.LONGEST_S:
            raise self._later(f"the API asks to come back later: {error.status} {error.reason}", error.retry_after or 0)
        self._rejected += 1
        # First: a pause that is asked for again and again ends as others do.
        pause = self._backoff(error, self._rejected, self.REJECTED)
        return error.retry_after or pause

    def _backoff(self, error: Exception, tries: int, most: int) -> float:
        if tries >= most:
            reason = f"the API failed {tries} times in a row, the last time so: {error}"
            if isinstance(error, Cut):  # these may be this conversation's own; refusals are not
                pause = min(self.LATER_S * 2**self._in_vain, self.LATEST_S)
                raise self._later(reason, pause, host_wide=False)
            raise self._later(reason, self.LATER_S)
        # Half of it by chance: workers that failed together must not all come back together.
        return float(min(2 ** (tries - 1), 30) * (0.5 + self._random() / 2))

    def _later(self, reason: str, seconds: float, *, host_wide: bool = True) -> Unavailable:
        return Unavailable(reason, not_before=rfc3339(self._now() + seconds), host_wide=host_wide)
