"""What is kept how long: once a day the store deletes what is finished and older than the settings keep it."""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import asdict

from dashboard.record import Clock
from dashboard.settings import Settings
from dashboard.stores import Store
from dashboard.stores.retention import Before, Freed
from dashboard.words import size
from wire.times import stamp
from wire.values import Invalid, dump, read

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)


FREED = "freed"
"""The mark that keeps what was freed last."""


class Deleted(Freed, frozen=True, kw_only=True):
    """What was deleted, and when, as it is kept."""

    at: str

    @property
    def words(self) -> str:
        """What was deleted, and how much room that made."""
        counts = {"task": self.tasks, "transcript": self.journals, "file": self.files, "sync report": self.sync_runs}
        said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items() if count]
        return f"{', '.join([*said, ''])}{size(self.blob_bytes)} freed"


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
                "deleted as too old: %d tasks, %d journals and %d files of others, %d sync runs; "
                "with them %d blobs of %d bytes",
                *(freed.tasks, freed.journals, freed.files, freed.sync_runs, freed.blobs, freed.blob_bytes),
            )
            self._store.mark(FREED, dump(Deleted(at=stamp(now), **asdict(freed))).decode())


def latest(store: Store) -> Deleted | None:
    """Return what was deleted when something was last."""
    with suppress(Invalid):
        if text := store.marks(FREED).get(FREED):
            return read(Deleted, text.encode())
    return None


def before(settings: Settings, now: datetime) -> Before:
    """Return until when things are deleted; 0 days keep them for ever."""

    def since(days: int) -> float | None:
        return (now - timedelta(days=days)).timestamp() if days else None

    return Before(
        tasks=since(settings.keep_tasks_days),
        journals=since(settings.keep_journals_days),
        files=since(settings.keep_files_days),
        sync_runs=since(settings.keep_sync_runs_days),
    )
