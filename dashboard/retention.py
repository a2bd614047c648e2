"""What is kept how long: once a day the store deletes what is finished and older than the settings keep it."""

import logging
from datetime import datetime, timedelta

from dashboard.record import Clock
from dashboard.settings import Settings
from dashboard.stores import Store
from dashboard.stores.retention import Before, Freed

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)


class Retention:
    """Prunes the store; blocks while it does, beside readers and writers."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._pruned: datetime | None = None

    def prune_if_due(self) -> None:
        """Prune when that was not done since a day, or since the start; say what it freed."""
        now = self._clock()
        if self._pruned and abs(now - self._pruned) < EVERY:
            return
        freed = self._store.prune(before(self._settings, now))
        self._pruned = now
        if freed != Freed():
            log.info(
                "deleted as too old: %d tasks, %d journals of others, %d sync runs; with them %d blobs of %d bytes",
                *(freed.tasks, freed.journals, freed.sync_runs, freed.blobs, freed.blob_bytes),
            )


def before(settings: Settings, now: datetime) -> Before:
    """Return until when things are deleted; 0 days keep them for ever."""

    def since(days: int) -> float | None:
        return (now - timedelta(days=days)).timestamp() if days else None

    return Before(
        tasks=since(settings.keep_tasks_days),
        journals=since(settings.keep_journals_days),
        sync_runs=since(settings.keep_sync_runs_days),
    )
