"""What several hosts share, as `sync.held.Store`: a lease by a clock that is passed in, and values under its fence."""

from sync.failure import SyncFailed
from sync.held import GOOGLE_S, Elsewhere, Grant

TTL_S = 120


class Shared:
    """The lease, the values, and what is counted: the bytes that were kept. `at` is how one host sees it."""

    def __init__(self, clock):
        self._clock = clock
        self.fence, self.holder, self._beat = 0, None, 0.0
        self.values = {}
        self.kept = []
        self.faults = []

    def at(self, host):
        return _Seen(self, host)

    def take(self, host):
        free = self.holder is None or self._clock() - self._beat > TTL_S + GOOGLE_S
        if not free:
            raise Elsewhere(f"host {self.holder} has the sync")
        self.fence, self.holder, self._beat = self.fence + 1, host, self._clock()
        return Grant(self.fence, TTL_S)

    def holds(self, fence):
        return self.holder is not None and fence == self.fence

    def renew(self, fence):
        if not self.holds(fence):
            return False
        self._beat = self._clock()
        return True

    def release(self, fence):
        if self.holds(fence):
            self.holder = None

    def keep(self, fence, name, value, version):
        if not self.holds(fence):
            return None
        assert self.values.get(name, (0, b""))[0] == version, "another version was kept meanwhile"
        self.kept.append((name, len(value)))
        self.values[name] = version + 1, value
        return version + 1


class _Seen:
    """The store as a host sees it; each of `faults` is used up by one call: `before` it is carried out, or `after`."""

    def __init__(self, shared, host):
        self._shared, self._host = shared, host

    def take(self):
        return self._call(lambda: self._shared.take(self._host))

    def renew(self, fence):
        return self._call(lambda: self._shared.renew(fence))

    def release(self, fence):
        return self._call(lambda: self._shared.release(fence))

    def keep(self, fence, name, value, version):
        return self._call(lambda: self._shared.keep(fence, name, value, version))

    def kept(self, name):
        return self._call(lambda: self._shared.values.get(name))

    def _call(self, what):
        fault = self._shared.faults.pop(0) if self._shared.faults else None
        if fault == "before":
            raise SyncFailed("lease_unreachable", "x", "y")
        found = what()
        if fault == "after":
            raise SyncFailed("lease_unreachable", "x", "y")
        return found
