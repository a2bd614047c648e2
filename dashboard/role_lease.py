"""A role's lease: what must be one among several hosts over one store is done by who holds it. Pure.

Roles are names: `SYNC`, `WATCH`, `OUTBOX`. A lease has a fence that grows with each taking, a beat that each renewal
moves on, and times to live; there is no time of day in it (decision 0033). `dashboard.roles` says when one is past.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from dashboard.record import Conflict
from wire.values import Written

SYNC, WATCH, OUTBOX = "sync", "watch", "outbox"


class LeaseRecord(Written, frozen=True, kw_only=True):
    """Who holds a role: `holder` None says that it was released. Its holder starts nothing that can last beyond `ttl_s`
    after its last beat; another waits `request_s` longer, for what the holder had begun when it stopped.
    """

    role: str
    holder: str | None
    fence: int
    beat: int = 0
    ttl_s: int
    request_s: int = 0


class Under(NamedTuple):
    """A role and a fence of it: a write that carries them is refused, by `Conflict`, once another has the role."""

    role: str
    fence: int


LeaseRecordMove = Callable[[LeaseRecord | None], LeaseRecord]
"""From a role's lease, if it ever had one, to what it becomes; the same one says: write nothing."""
Seen = tuple[int, int]
"""A fence and a beat."""


def seen(lease: LeaseRecord) -> Seen:
    """Return what tells one beat of a holder from the next."""
    return lease.fence, lease.beat


def take(role: str, holder: str, ttl_s: int, request_s: int, past: Seen | None = None) -> LeaseRecordMove:
    """Return the move by which `holder` takes a role that is free, its own, or still as it was when it was `past`.

    It was taken where the lease has this holder afterwards; else it is as it was, another's.
    """

    def move(old: LeaseRecord | None) -> LeaseRecord:
        is_free = old is None or old.holder in {None, holder} or seen(old) == past
        if old and not is_free:
            return old
        fence = old.fence + 1 if old else 1
        return LeaseRecord(role=role, holder=holder, fence=fence, ttl_s=ttl_s, request_s=request_s)

    return move


def renew(role: str, fence: int) -> LeaseRecordMove:
    """Return the move by which a holder says that it lives; it raises `Conflict` for one whose fence is stale."""

    def move(old: LeaseRecord | None) -> LeaseRecord:
        held = require_current(role, old, fence)
        return replace(held, beat=held.beat + 1)

    return move


def release(role: str, fence: int) -> LeaseRecordMove:
    """Return the move by which a holder lets go, so that another need not wait; `Conflict` as for `renew`, but not
    for a lease that it has released before.
    """

    def move(old: LeaseRecord | None) -> LeaseRecord:
        if old and old.fence == fence and old.holder is None:
            return old
        held = require_current(role, old, fence)
        return LeaseRecord(role=role, holder=None, fence=fence, ttl_s=held.ttl_s, request_s=held.request_s)

    return move


def require_current(role: str, lease: LeaseRecord | None, fence: int) -> LeaseRecord:
    """Return a lease that has this fence and is held; raises `Conflict`."""
    if lease is None or lease.fence != fence or lease.holder is None:
        now = "no one has it now" if lease is None or lease.holder is None else f"{lease.holder} has it now"
        raise Conflict(f"the lease of the {role} with fence {fence} was lost: {now}")
    return lease
