"""The store of `sync.held` by the dashboard of this host: its lease for the sync, and what it keeps for it."""

import http
from collections.abc import Callable
from typing import TypeVar

from sync.failure import SyncFailed
from sync.held import GOOGLE_S, Elsewhere, Grant
from wire.client import Client, RequestRefused, Unreachable
from wire.types import Keep, TakeLease

TTL_S = 120
"""For how long a holder may be silent: a request needs a bit more than half of it, and it is renewed before each write."""
_CURE = "see `fab status`; the next run tries again. Without the lease two hosts could write at once, so none does"

A = TypeVar("A")


class Shared:
    """What the hosts share. `holder` names this run only: one that was killed has the lease until its time is over."""

    def __init__(self, client: Client, holder: str) -> None:
        self._client, self._holder = client, holder

    def take(self) -> Grant:
        """Take the lease; raises `Elsewhere`, `SyncFailed`."""
        asked = TakeLease(holder=self._holder, ttl_s=TTL_S, request_s=GOOGLE_S)
        given = _answered(lambda: self._client.take_lease(asked))
        if not given.held:
            raise Elsewhere(f"{given.holder.partition('/')[0]} has the sync")
        return Grant(given.fence, given.ttl_s)

    def renew(self, fence: int) -> bool:
        """Renew it; False: another has it, or had it since."""
        return _held(lambda: self._client.renew_lease(fence)) is not None

    def release(self, fence: int) -> None:
        """Give it up."""
        _answered(lambda: self._client.release_lease(fence))

    def keep(self, fence: int, name: str, value: bytes, version: int) -> int | None:
        """Keep a value; None: another has the lease."""
        kept = _held(lambda: self._client.keep(name, Keep(fence=fence, version=version, content=value)))
        return kept.version if kept else None

    def kept(self, name: str) -> tuple[int, bytes] | None:
        """Return a value and its version."""
        found = _answered(lambda: self._client.kept(name))
        return (found.version, found.content) if found else None


def _held(ask: Callable[[], A]) -> A | None:
    """Return an answer, or None where the lease was lost."""
    try:
        return _answered(ask)
    except SyncFailed as failed:
        refused = failed.__cause__
        if isinstance(refused, RequestRefused) and refused.problem.status == http.HTTPStatus.CONFLICT:
            return None
        raise


def _answered(ask: Callable[[], A]) -> A:
    try:
        return ask()
    except (Unreachable, RequestRefused) as error:
        raise SyncFailed("lease_unknown", f"the dashboard says nothing of the sync's lease: {error}", _CURE) from error
