"""A session's journal: one JSON record a line, numbered from 1, each on disk before the next thing happens.

The newline is written after the fsync: a reader of a complete line reads what a power cut can't take back. A record
behind which nothing happens but the next one shares its fsync: between the two is a carriage return. What a
crash left behind the last whole record is cut off and kept beside the journal as `journal.jsonl.torn-<offset>`.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.record.times import rfc3339
from wire.disk import sync_folder
from wire.types import Event, EventKind
from wire.values import Invalid, dump
from wire.values import read as parse_leniently

ROOM = 4 << 20
"""Bytes of the disk that are kept behind the last record: more than the answer and the results of a turn."""
_KEEP_SIZE = 1
"""fallocate(2): the file is as long as before, and what is behind its end is its own all the same."""


class JournalLocked(Exception):
    """Another process has the journal open: its session still runs; wait for it, or end it."""


class JournalDamaged(Exception):
    """Whole records follow an unreadable one: not what a crash leaves. The journal is kept for an operator to read."""


class Journal:
    """An open journal, locked for this process only; `events` are its records so far.

    `clock` gives seconds since the epoch, UTC. Raises `JournalLocked`, `JournalDamaged`, and OSError
    when the disk refuses.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held = False
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(self._fd, path)
            self.events = _repair(self._fd, path)
            with contextlib.suppress(OSError):  # what ends the session is the first turn that finds none
                self._keep_room()
        except BaseException:
            _let_go(self._fd)
            raise

    def append(self, kind: EventKind, data: dict[str, Any], *, sync: bool = True) -> Event:
        """Write a record and return when it is on disk. After an OSError the record is not part of the journal.

        A turn is reserved only where the disk has room for what it brings: an answer that was paid for, and the last
        record, are written on a disk that is full as well.

        Without `sync` it is on disk when the next record is: for one that nothing follows but a record, so that one
        fsync does for both. A kill takes nothing from it meanwhile, a power cut may.
        """
        event = Event(n=len(self.events) + 1, at=rfc3339(self._clock()), kind=kind, data=data)
        if kind is EventKind.RESERVE:
            self._keep_room()
        start = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            _write(self._fd, (b"\r" if self._held else b"") + dump(event))
            if sync:
                self._sync()
        except OSError:
            # Half a record in the middle would make all that follows unreadable.
            os.ftruncate(self._fd, start)
            raise
        self._held = not sync
        self.events.append(event)
        return event

    def _sync(self) -> None:
        os.fsync(self._fd)
        # Only now: the newline tells readers that all before it is on disk.
        _write(self._fd, b"\n")

    def _keep_room(self) -> None:
        """Keep room behind the last record; raises OSError where the disk has none left."""
        import ctypes  # noqa: PLC0415 - an idle daemon, which reads journals too, has no use for it

        end = os.fstat(self._fd).st_size
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.fallocate(self._fd, _KEEP_SIZE, ctypes.c_int64(end), ctypes.c_int64(ROOM)):
            why = ctypes.get_errno()
            # A file system that can't keep any is used as it is.
            if why not in (errno.EOPNOTSUPP, errno.ENOSYS):
                raise OSError(why, os.strerror(why))

    def close(self) -> None:
        """Close it, which gives back the room and releases the lock."""
        try:
            if self._held:
                self._sync()
            os.ftruncate(self._fd, os.fstat(self._fd).st_size)
        finally:
            _let_go(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(path: Path, after: int = 0) -> list[Event]:
    """Return the records behind record `after` that are whole and on disk, without a lock; none without a file."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    return _records(raw[: raw.rfind(b"\n") + 1])[0][after:]


def unread(path: Path) -> bytes:
    """Return what `read` leaves out of a file: the bytes behind its last readable record, empty where all is well."""
    raw = path.read_bytes()
    return raw[_records(raw)[1] :]


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalLocked(f"{path} is locked by another process: its session still runs") from None


def _let_go(fd: int) -> None:
    # Closing is not enough: a program that another thread just starts has a copy of it for a moment.
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def _repair(fd: int, path: Path) -> list[Event]:
    """Read all records; put aside what is torn, and end the last one with its newline."""
    raw = os.pread(fd, os.fstat(fd).st_size, 0)
    events, end = _records(raw)
    torn = raw[end:]
    if any(_event(line, None) for line in torn.splitlines()):
        raise JournalDamaged(
            f"{path} can't be read from byte {end} on, and whole records follow: keep it, look at it by hand"
        )
    if torn:
        # Kept, and on disk, before it is cut off: it may hold part of an answer that was paid.
        _keep(path.with_name(f"{path.name}.torn-{end}"), torn)
        os.ftruncate(fd, end)
    # A kill between the fsync and the newline leaves a whole record: it counts.
    if end and raw[end - 1 : end] != b"\n":
        os.lseek(fd, 0, os.SEEK_END)
        _write(fd, b"\n")
    os.fsync(fd)
    # A new journal's name must survive a power cut as well as its records.
    sync_folder(path.parent)
    return events


def _records(raw: bytes) -> tuple[list[Event], int]:
    """Return the records from the start on, as far as they are whole and numbered, and the offset behind them."""
    events: list[Event] = []
    end = 0
    for line in raw.splitlines(keepends=True):
        event = _event(line, len(events) + 1)
        if event is None:
            break
        events.append(event)
        end += len(line)
    return events, end


def _event(line: bytes, n: int | None) -> Event | None:
    """Read one line as record `n` (None: any); a closing brace proves it whole, with or without its newline."""
    try:
        event = parse_leniently(Event, line)
    except Invalid:
        return None
    return event if n in (None, event.n) else None


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _keep(path: Path, torn: bytes) -> None:
    with path.open("wb") as file:
        file.write(torn)
        file.flush()
        os.fsync(file.fileno())
