"""Which holder of a role is past: by what this server has seen for how long on its own clock, as with tasks' leases."""

import threading
from collections.abc import Callable

from dashboard import role_lease
from dashboard.leases import boottime
from dashboard.record import Conflict
from dashboard.role_lease import LeaseRecord, Seen
from dashboard.stores import Store


class Roles:
    """What was seen of each role's holder, and since when; may be used from any thread.

    `look` is to be called again and again: a holder that another host lost is past only after this server has seen it
    without a new beat for its time to live and its longest request together.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = boottime) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[Seen, float]] = {}

    def look(self) -> dict[str, LeaseRecord]:
        """Look at all roles; return them."""
        found = self._store.roles()
        for each in found.values():
            self._note(each)
        return found

    def _note(self, held: LeaseRecord) -> None:
        with self._lock:
            known = self._seen.get(held.role)
            if known is None or known[0] < role_lease.seen(held):
                # After the read: the beat is older than this, never younger.
                self._seen[held.role] = (role_lease.seen(held), self._clock())

    def take(self, role: str, holder: str, ttl_s: int, request_s: int) -> LeaseRecord:
        """Take a role where it is free, this holder's own, or its holder is past; return who has it then."""
        before = self._clock()
        held = self.look().get(role)
        past = role_lease.seen(held) if held and self._is_past(held, before) else None
        taken = self._store.change_role(role, role_lease.take(role, holder, ttl_s, request_s, past))
        self._note(taken)
        return taken

    def is_open(self, held: LeaseRecord, now: float) -> bool:
        """Whether a role that was just looked at can be taken by any: released, or past."""
        return held.holder is None or self._is_past(held, now)

    def _is_past(self, held: LeaseRecord, now: float) -> bool:
        with self._lock:
            at, since = self._seen[held.role]
            return at == role_lease.seen(held) and now - since > held.ttl_s + held.request_s

    def renew(self, role: str, fence: int) -> LeaseRecord:
        """Say that a role's holder lives; raises `Conflict` where its fence is stale."""
        held = self._store.change_role(role, role_lease.renew(role, fence))
        self._note(held)
        return held

    def release(self, role: str, fence: int) -> None:
        """Let go of a role; one that another has by now, or that no one had, stays as it is."""
        try:
            self._store.change_role(role, role_lease.release(role, fence))
        except Conflict:
            return
