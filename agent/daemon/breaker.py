"""A circuit breaker for the host: what would meet every task stops claims, not tasks.

It opens when a session, or a look at the host, finds such a fault. After a pause, which grows from one fault to the
next, the host is looked at again; when that finds nothing one claim may try, and only a session that gets on closes it.
"""

from collections.abc import Callable

FIRST_S, LONGEST_S = 60.0, 1800.0
"""Seconds of the first pause and of the longest."""
LASTING = 2
"""Faults in a row from which on it is no passing one: users are told."""


class Breaker:
    """Whether this host may claim. `look` returns what is wrong with it, with its cure, or None; `clock` is a time in
    seconds that only goes on. The host is first looked at before the first claim.
    """

    def __init__(self, look: Callable[[], str | None], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock
        self._faults = 0
        self._again_at = clock()
        self._looked = False
        self.trouble: str | None = None
        """What is wrong, while it is; None as soon as a claim may try."""
        self._met: str | None = None
        """What a session met, until one gets on: a look at the host does not see it."""

    @property
    def lasting(self) -> str | None:
        """What has been met more than once in a row, and is not known to be over."""
        return (self.trouble or self._met) if self._faults >= LASTING else None

    def may_claim(self) -> bool:
        """Whether a claim may be made; looks at the host when that is due."""
        due = self._clock() >= self._again_at
        if due and (self.trouble or not self._looked):
            self._looked = True
            found = self._look()
            if found:
                self.open(found)
            else:
                self.trouble = None
        return self.trouble is None

    def open(self, trouble: str, *, by_session: bool = False) -> None:
        """Stop claims for a while: a fault was met that would meet every task."""
        self._faults += 1
        self.trouble = trouble
        if by_session:
            self._met = trouble
        self._again_at = self._clock() + min(FIRST_S * 2 ** (self._faults - 1), LONGEST_S)

    def close(self) -> None:
        """Begin anew: a session got on."""
        self._faults, self.trouble, self._met = 0, None, None
