"""The proof that the queue can be written and read back, for a page: fresh, and not made anew for each reader."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from dashboard.record import Busy, Clock, Full, Unready

FRESH = timedelta(seconds=5)
"""How old a proof may be: it is a write that is forced to the disk, and many readers are no reason for many of them."""


class Proof:
    """The latest proof, and when it was made; a failed one is as good as another for as long."""

    def __init__(self, prove: Callable[[], None], clock: Clock) -> None:
        self._prove = prove
        self._clock = clock
        # Those who come while one is made wait for it, and use it.
        self._lock = threading.Lock()
        self._made_at: datetime | None = None
        self._failure: Busy | Full | Unready | None = None

    def latest(self) -> datetime:
        """Return when the queue was proven last, at most `FRESH` ago; raises what the proof raised."""
        with self._lock:
            now = self._clock()
            if self._made_at is None or not timedelta() <= now - self._made_at < FRESH:
                self._failure = self._tried()
                self._made_at = now
            if self._failure:
                raise self._failure.with_traceback(None)
            return self._made_at

    def _tried(self) -> Busy | Full | Unready | None:
        try:
            self._prove()
        except (Busy, Full, Unready) as error:
            return error
        return None
