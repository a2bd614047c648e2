"""The store of `sync.held` by the dashboard of this host: its lease for the sync, and what it keeps for it."""

import http
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sync.failure import SyncFailed
from sync.held import GOOGLE_S, Elsewhere, Grant
from wire.client import Client, RequestRefused, Unreachable
from wire.disk import replace_file
from wire.types import Keep, TakeLease

TTL_S = 120
"""For how long a holder may be silent: a request needs a bit more than half of it."""
_CURE = "see `fab status`; the next run tries again. Without the lease two hosts could write at once, so none does"

_FILE = "host"

A = TypeVar("A")


def holder(state: Path) -> str:
    """Return this host's name, with what tells it from a namesake. Raises `OSError`.

    Of a host, not of a run: the memory's lock keeps its runs apart, and one that follows a killed one need not wait.
    """
    path = state / _FILE
    if not path.exists():
        replace_file(path, secrets.token_hex(4).encode())
    return f"{socket.gethostname()}/{path.read_text(encoding='utf-8')}"


class Shared:
    """What the hosts share."""

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
