"""What failed requests mean: whether they can have cost anything, whether to try again, when, and what the operator
can do about it.
"""

import email.utils
from collections.abc import Callable

from agent.record.times import rfc3339
from agent.session.endings import Fault, Unavailable

_PASSING = (408, 409, 429)
"""Refusals below 500 that the same request can get past later."""


class Rejected(Exception):
    """A definite refusal before any answer: nothing is billed. `status` 0: the API was not reached."""

    def __init__(self, status: int, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Cut(Exception):
    """No answer, or half of one: whether it is billed is not known."""


def retry_after(header: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or a date (RFC 9110, 10.2.3); None for one that is absent or neither."""
    if not header:
        return None
    try:
        return max(float(header), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(header).timestamp() - now, 0.0)
    except ValueError:
        return None


class Retries:
    """How often and how long to try again. `random` gives 0 to 1, `now` the seconds since the epoch."""

    REJECTED, CUT = 6, 3
    """Tries in a row that may fail: a cut one costs a turn and may cost money, a rejected one nothing."""
    LONGEST_S = 60.0
    """A longer Retry-After suspends: a session that sleeps holds its lease and its memory for nothing."""
    LATER_S, KEY_LATER_S = 120.0, 900.0
    """When a suspended task is due again: an overload passes in minutes, an operator takes longer."""

    def __init__(self, random: Callable[[], float], now: Callable[[], float]) -> None:
        self._random = random
        self._now = now
        self._rejected = 0
        self._cut = 0

    def succeeded(self) -> None:
        """Count anew."""
        self._rejected = self._cut = 0

    def after(self, error: Rejected | Cut) -> float:
        """Return the seconds to wait before the next try; raises `Unavailable` or `Fault` when there is to be none."""
        if isinstance(error, Cut):
            self._cut += 1
            return self._backoff(error, self._cut, self.CUT)
        if error.status in _KEY:
            raise self._later(f"{error.reason}. {_KEY[error.status]}", self.KEY_LATER_S)
        reached_and_at_fault = 0 < error.status < 500
        if reached_and_at_fault and error.status not in _PASSING:
            raise Fault(f"the API refused the request: {error.status} {error.reason}")
        if (error.retry_after or 0) > self.LONGEST_S:
            raise self._later(f"the API asks to come back later: {error.status} {error.reason}", error.retry_after or 0)
        self._rejected += 1
        return error.retry_after or self._backoff(error, self._rejected, self.REJECTED)

    def _backoff(self, error: Exception, tries: int, most: int) -> float:
        if tries >= most:
            raise self._later(f"the API failed {tries} times in a row, the last time so: {error}", self.LATER_S)
        # Half of it by chance: workers that failed together must not all come back together.
        return float(min(2 ** (tries - 1), 30) * (0.5 + self._random() / 2))

    def _later(self, reason: str, seconds: float) -> Unavailable:
        return Unavailable(reason, not_before=rfc3339(self._now() + seconds))


_KEY = {
    401: "The API does not take the key: put a valid one in place with `fab secrets`; the task waits for it.",
    402: "The API wants payment: settle the account's billing; the task waits for it.",
    403: "The key may not do this: give one that may with `fab secrets`; the task waits for it.",
}
