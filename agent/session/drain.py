"""SIGTERM as a drain: nothing new is begun, and what is under way gets 8 seconds."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

GRACE_S = 8.0
"""Less than the 12 s after which the daemon kills: the session must still write its last record."""
_FOREVER = float("inf")
_AGAIN_S = 1.0
"""Between two alarms: one that comes between the last look at signals and a call that blocks ends nothing."""
_LOOK_S = 0.2
"""Between two looks at whether a drain began: one long sleep would not hear a signal that comes just before it."""


class TimeUp(Exception):
    """What was under way has been broken off."""


class Drain:
    """Heard signals. `clock` is a monotonic time in seconds; install it in the main thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends = _FOREVER
        self._bounded = False

    def install(self) -> None:
        """Take over SIGTERM, SIGINT and the alarm; a SIGTERM that was held back since the start comes now."""
        signal.signal(signal.SIGTERM, self._asked)
        signal.signal(signal.SIGINT, self._asked)
        signal.signal(signal.SIGALRM, self._alarm)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    @property
    def requested(self) -> bool:
        """Whether to stop."""
        return self._ends < _FOREVER

    def until(self) -> float:
        """Return the time at which all that is under way must have ended."""
        return self._ends

    def sleep(self, seconds: float) -> None:
        """Wait, or less when a drain begins."""
        while seconds > 0 and not self.requested:
            time.sleep(min(seconds, _LOOK_S))
            seconds -= _LOOK_S

    @contextlib.contextmanager
    def bounded(self, ends: float) -> Iterator[None]:
        """Break off what blocks inside with `TimeUp` at the time `ends`, or when a drain's grace is over."""
        self._bounded = True
        try:
            self._arm(ends)
            yield
        finally:
            self._bounded = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _arm(self, ends: float) -> None:
        # Never 0, which would switch the timer off.
        signal.setitimer(signal.ITIMER_REAL, max(min(ends, self._ends) - self._clock(), 0.001), _AGAIN_S)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self._ends = self._clock() + GRACE_S
            # Only ever earlier: a request that must end sooner keeps its own end.
            if self._bounded and signal.getitimer(signal.ITIMER_REAL)[0] > GRACE_S:
                self._arm(self._ends)

    def _alarm(self, _number: int, _frame: FrameType | None) -> None:
        # An alarm that fires as the block ends must not hit what comes after it.
        if self._bounded:
            raise TimeUp
