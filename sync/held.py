"""The sync, held for all hosts: one has its lease, and what that one settles is in the store before its next write.

A write to Sheets checks no fence. So a holder sends none that could outlast its lease, and whoever takes over from one
that was cut off gets the lease only when what that one sent is over. What comes later all the same meets the copies.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sync import carried
from sync.calls import TIMEOUT_S
from sync.failure import SyncFailed
from sync.history import History
from sync.sheet import is_write

NAME = "memory"
"""Under which name the store holds what the next holder begins from."""
REQUEST_S = sum(TIMEOUT_S) + 5
"""Seconds of lease that must be left when a request is sent: its own time-out, and a little for what precedes it."""
GOOGLE_S = 180
"""Seconds after which Google ends a call, whether or not anyone waits for its answer."""
_AGAIN = "nothing to do at once: the next run tries again; if it lasts, look at the dashboard and at the table"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease: its fence, and for how long it holds from when it was asked for or renewed."""

    fence: int
    ttl_s: float


class Store(Protocol):
    """What all hosts share: the sync's lease, and values by name under its fence. All raise `SyncFailed`."""

    def take(self) -> Grant:
        """Take the lease. Raises `Elsewhere`: another has it, or what another sent may not be over yet."""

    def renew(self, fence: int) -> bool:
        """Renew it; False: another has it, or had it since."""

    def release(self, fence: int) -> None:
        """Give it up: the next one need not wait for its end."""

    def keep(self, fence: int, name: str, value: bytes, version: int) -> int | None:
        """Keep a value in place of its version, 0 for none; return its version then, or None: another has the lease."""

    def kept(self, name: str) -> tuple[int, bytes] | None:
        """Return a value and its version."""


class Elsewhere(SyncFailed):
    """Another host has the sync: its run counts, and is reported by it."""

    def __init__(self, cause: str) -> None:
        super().__init__("elsewhere", cause, "nothing to do: that host's run counts")


class Held:
    """The sync, held by this run until `end`."""

    def __init__(self, store: Store, history: History, boottime: Callable[[], float]) -> None:
        """Take the lease, and go on from what its last holder knew. Raises `Elsewhere`, `SyncFailed`."""
        self._store, self._history, self._boottime = store, history, boottime
        asked = boottime()
        self._grant = store.take()
        self._until = asked + self._grant.ttl_s
        self._usable = True
        self._written = -1
        self._version = catch_up(store, history)

    def ready(self, path: str) -> None:
        """Be ready for a call of this path: what is known is in the store, and the lease outlasts the call.

        Raises `Elsewhere`, `SyncFailed`.
        """
        if is_write(path):
            self._keep()
        if is_write(path) or self._left < REQUEST_S:
            self._renew()
        if self._left < REQUEST_S:
            raise SyncFailed(
                "lease_short", f"the sync's lease was renewed, and only {self._left:.0f} s are left", _AGAIN
            )

    def end(self) -> None:
        """Keep what is known now, and give the lease up. Raises `Elsewhere`, `SyncFailed`."""
        if self._usable:
            self._keep(is_last=True)
            # While a write may still come, the lease's own end is what another one waits for.
            if not self._history.is_under_way:
                self._store.release(self._grant.fence)

    @property
    def _left(self) -> float:
        return self._until - self._boottime()

    def _renew(self) -> None:
        asked = self._boottime()
        self._usable, usable = False, self._usable
        if not usable or not self._store.renew(self._grant.fence):
            raise self._lost()
        self._usable, self._until = True, asked + self._grant.ttl_s

    def _keep(self, *, is_last: bool = False) -> None:
        """Have all that is known in the store; what it has already is not sent again."""
        if not is_last and self._written == self._history.writes:
            return
        # What got no answer may be there: then nothing more is sent, and the next run begins from what is there.
        self._usable, usable = False, self._usable
        if not usable:
            raise self._lost()
        kept = self._history.touched()
        data = carried.encode(kept)
        is_image = self._version == 0 or (is_last and carried.wants_image(kept, len(data)))
        if is_image:
            kept, image = self._history.image()
            data = carried.encode(kept)
            there = self._store.kept(kept.image)
            self._put(kept.image, image, there[0] if there else 0)
        self._version = self._put(NAME, data, self._version)
        self._history.note_kept(self._version, kept, is_image=is_image)
        self._written = self._history.writes
        self._usable = True

    def _put(self, name: str, data: bytes, version: int) -> int:
        kept = self._store.keep(self._grant.fence, name, data, version)
        if kept is None:
            raise self._lost()
        return kept

    def _lost(self) -> Elsewhere:
        return Elsewhere("another host took the sync over while this run stood still; it goes on from what was kept")


@contextlib.contextmanager
def holding(store: Store, history: History, boottime: Callable[[], float]) -> Iterator[Held]:
    """Hold the sync for a while. Raises as `Held` and its `end` do; a failure meanwhile is not hidden by another."""
    held = Held(store, history, boottime)
    try:
        yield held
    except SyncFailed:
        try:
            held.end()
        except SyncFailed as second:
            _log.warning("%s", second)
        raise
    held.end()


def catch_up(store: Store, history: History) -> int:
    """Have the memory that the last holder kept, where it is another one; return its version. Raises `SyncFailed`."""
    noted = history.follow()
    found = store.kept(NAME)
    if found is None:
        return 0
    version, data = found
    if version == noted:
        return version
    try:
        kept = carried.decode(data)
        image = store.kept(kept.image) if kept.image else None
        history.restore(version, kept, image[1] if image else None)
    except carried.Unfit as unfit:
        cure = "put the table back to a time before (docs/operating.md), or report this"
        raise SyncFailed("memory_damaged", f"the sync's memory in the table is damaged: {unfit}", cure) from unfit
    return version
