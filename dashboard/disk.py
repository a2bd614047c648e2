"""Whether writes find no room: seen from the store's count of those that did not, and for a while after the last."""

from datetime import datetime, timedelta

from dashboard.stores import Store

QUIET = timedelta(minutes=10)
"""Without another refused write until the disk counts as full no longer: writes are tried only as something comes."""


class DiskWatch:
    """Compares the store's count with that of the last look."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = 0
        self._refused_at: datetime | None = None

    @property
    def has_news(self) -> bool:
        """Whether a write was refused for the first time in a while."""
        return self._refused_at is None and self._store.refused > self._seen

    def looked(self, now: datetime) -> bool:
        """Look; return whether a write was refused lately."""
        count = self._store.refused
        if count > self._seen:
            self._refused_at = now
        elif self._refused_at and now - self._refused_at >= QUIET:
            self._refused_at = None
        self._seen = count
        return self._refused_at is not None
