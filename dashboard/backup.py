"""The queue's backups: whole, checked copies in a folder of their own, one a night, kept for some days. A table has its
own of each night; a copy of it is made when one is asked for.
"""

import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from dashboard.record import Clock, Ending, NotFound, Unready, moment
from dashboard.settings import Settings
from dashboard.stores import Store
from wire.disk import sync_folder
from wire.times import stamp
from wire.types import Backup

_NAME = "%Y%m%dT%H%M%SZ.db"
"""A copy's name: when it was made, in UTC, so that names sort as times."""


class Backups:
    """Makes, lists and prunes the copies; methods block while a copy is written, beside readers and writers.

    Without a `folder` none can be made.
    """

    def __init__(self, store: Store, folder: Path | None, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def make(self) -> Backup:
        """Make a copy now, then delete those that are too old; raises `Busy`, `Full`, `Unready`: then there is none."""
        if self._folder is None:
            raise Unready("this queue makes no copies of its own: it is kept in memory only")
        with self._one_at_a_time:
            now = self._clock()
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # Of one that was killed: no other process makes any here, for the queue's folder is its own.
            for half in self._folder.glob(".*.half*"):
                half.unlink()
            path = _free(self._folder, now)
            self._store.back_up(path)
            self._prune(self._folder, now)
        return _described(path)

    def listed(self) -> list[Backup]:
        """Return the copies, newest first; without one that the next night's takes away meanwhile."""
        found = []
        for path in reversed(copies(self._folder)) if self._folder else ():
            with suppress(FileNotFoundError):
                found.append(_described(path))
        return found

    def make_if_due(self) -> None:
        """Make the night's copy, unless there is one or none is wanted."""
        # A table's own point-in-time recovery is its backup of each night.
        if not self._folder or not self._settings.backup_days or self._settings.table:
            return
        now = self._clock()
        due = now.replace(hour=self._settings.backup_hour, minute=0, second=0, microsecond=0)
        due -= timedelta(days=1 if due > now else 0)
        newest = _made_until(now, copies(self._folder))[-1:]
        if not newest or _made_at(newest[0]) < due:
            # Given up for our end, which is no failure of the night's copy.
            with suppress(Ending):
                self.make()

    def stop(self) -> None:
        """Give up a copy that is being made: the process is to end, and the next one makes it."""
        self._store.stop_long_reads()

    def _prune(self, folder: Path, now: datetime) -> None:
        if not self._settings.backup_days:
            return
        # The newest stays, however old: a clock may have been set.
        for path in copies(folder)[:-1]:
            if now - _made_at(path) > timedelta(days=self._settings.backup_days):
                path.unlink(missing_ok=True)
        sync_folder(folder)


def _free(folder: Path, now: datetime) -> Path:
    """Return a copy's name that none has: of two in one second each is its maker's, who may remove it."""
    while (path := folder / now.strftime(_NAME)).exists():
        now += timedelta(seconds=1)
    return path


def copies(folder: Path) -> list[Path]:
    """Return the copies in a folder, oldest first."""
    return sorted(folder.glob("[0-9]*Z.db"))


def _made_until(now: datetime, found: list[Path]) -> list[Path]:
    """Leave out copies of a time to come: they were made while the clock was ahead, and are older than their names."""
    return [path for path in found if _made_at(path) <= now]


def chosen(folder: Path, name: str | None, now: datetime) -> Path:
    """Return a copy by its name, the newest without one; raises `NotFound`, which lists them."""
    found = copies(folder)
    for path in reversed((_made_until(now, found) or found) if name is None else found):
        if name in (None, path.name):
            return path
    raise NotFound(f"{folder} has no backup {name or ''}; there are: {', '.join(p.name for p in found) or 'none'}")


def _described(path: Path) -> Backup:
    return Backup(name=path.name, size=path.stat().st_size, made_at=stamp(_made_at(path)))


def _made_at(path: Path) -> datetime:
    return moment(path.stem, path.name)
