"""The night's backup off the box: due once after its hour, tried each hour until it is there.

Its last word is kept in a file that the dashboard reads: what it shows, and when it raises an alarm, rests on what the
target was seen to hold.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from backup import settings as options
from backup import sftp
from backup.make import BackupFailed
from backup.settings import Settings
from wire.disk import replace_file
from wire.times import stamp
from wire.types import NightlyBackup
from wire.values import Invalid, dump, read

STATUS = "nightly.json"
ROOM = 256 << 20
"""Bytes that must stay free: the queue needs them more."""


@dataclass(frozen=True, slots=True)
class Night:
    """How a night's backup is made: its `name`, `sources` in bytes, and what writes it into a stream."""

    name: str
    size: int
    write: Callable[[IO[bytes]], object]


def is_due(last: NightlyBackup | None, hour: int, now: datetime) -> bool:
    """Whether no backup arrived since the hour was last reached."""
    due = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    due -= timedelta(days=1 if due > now else 0)
    return last is None or last.sent_at is None or datetime.fromisoformat(last.sent_at) < due


def status(folder: Path) -> NightlyBackup | None:
    """Read how the last one went; None where none was tried."""
    try:
        return read(NightlyBackup, (folder / STATUS).read_bytes())
    except (FileNotFoundError, Invalid):
        return None


def keep_status(folder: Path, word: NightlyBackup) -> None:
    """Keep how it went, for the dashboard, whose user is another."""
    replace_file(folder / STATUS, dump(word), 0o644)


def send(
    settings: Settings,
    folder: Path,
    key: Path,
    prepare: AbstractContextManager[Night],
    clock: Callable[[], datetime],
    run: sftp.Run = sftp.run_batch,
) -> NightlyBackup:
    """Make the backup, send it, and see it at the target; the word is kept either way. Raises `BackupFailed`,
    OSError.
    """
    last, tried = status(folder), clock()
    target = options.target(settings)
    _clear(folder)
    try:
        _require_key(key)
        with prepare as night, tempfile.TemporaryDirectory(dir=folder, prefix="sending-") as room:
            _require_room(folder, night.size)
            file = Path(room) / night.name
            with file.open("xb") as out:
                night.write(out)
            size = file.stat().st_size
            known = sftp.known_hosts(room, target, settings.host_key)
            sftp.send(sftp.Sftp(target, key, known), file, night.name, settings.keep, run)
    except (BackupFailed, OSError) as error:
        before = {name: getattr(last, name) for name in ("sent_at", "name", "size")} if last else {}
        keep_status(folder, NightlyBackup(tried_at=stamp(tried), failed=str(error), **before))
        raise
    word = NightlyBackup(tried_at=stamp(tried), sent_at=stamp(tried), name=night.name, size=size)
    keep_status(folder, word)
    return word


def _clear(folder: Path) -> None:
    """Remove what a run left that was killed."""
    for left in folder.glob("sending-*"):
        shutil.rmtree(left, ignore_errors=True)


def _require_key(key: Path) -> None:
    # A line with nothing in it stands for a secret that is absent.
    if not key.is_file() or not key.read_text(encoding="ascii").strip():
        raise BackupFailed("there is no key for the target: `fab secrets` gives the secret backup_key")


def _require_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + ROOM:
        raise BackupFailed(f"there is no room to make it: up to {size // 10**6} MB, and {free // 10**6} MB are free")
