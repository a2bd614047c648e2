"""The files of a SQLite queue: whether they are still those that were opened, and whether a queue was here before.

SQLite goes on reading and writing after its files were deleted, renamed or cut: it holds them open. Only stat() looks
at them: closing a second descriptor in this process would drop SQLite's locks (sqlite.org/howtocorrupt.html, 2.2).
"""

import functools
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dashboard.record import Lost
from wire.disk import sync_folder

FILES = ("", "-wal", "-shm")
"""What the names of a queue's files end in."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What stat() said of a file; `size` in bytes."""

    device: int
    inode: int
    size: int


def look(path: Path) -> dict[str, Seen]:
    """Return what is there of a queue's files, by name."""
    found = {}
    for ending in FILES:
        file = path.with_name(path.name + ending)
        try:
            stat = file.stat()
        except FileNotFoundError:
            continue
        found[file.name] = Seen(stat.st_dev, stat.st_ino, stat.st_size)
    return found


def difference(opened: Mapping[str, Seen], now: Mapping[str, Seen]) -> str | None:
    """Say which file is not the one that was opened, if any. None of them shrinks while it is open: SQLite writes its
    log anew from the start, and we vacuum into another file only.
    """
    for name, before in opened.items():
        after = now.get(name)
        if after is None:
            return f"{name} was deleted or renamed"
        if (after.device, after.inode) != (before.device, before.inode):
            return f"{name} was replaced by another file"
        if after.size < before.size:
            return f"{name} was cut from {before.size} to {after.size} bytes"
    return None


def marker(path: Path) -> Path:
    """Return the file beside a queue that holds its id: it says that a queue was here."""
    return path.with_name(path.name + ".id")


def require_present(path: Path) -> None:
    """Refuse to begin anew where a queue was: its acknowledged tasks would be gone without a word. Raises `Lost`."""
    if marker(path).exists() and not (path.exists() and path.stat().st_size):
        what = "is empty" if path.exists() else "is missing"
        raise Lost(f"{path} {what}, but {marker(path).name} says that a queue was here")


def require_same(path: Path) -> None:
    """Refuse another queue's file in this one's place, before anything is written into it. Raises `Lost`."""
    if not marker(path).exists():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as db:
        held = held_id(db)
    if held != (wanted := marker(path).read_text(encoding="ascii").strip()):
        raise Lost(f"{path} is another queue ({held or 'without an id'}) than {marker(path).name} says ({wanted})")


def mark(path: Path, store: str) -> None:
    """Write the marker durably, unless it is there."""
    target = marker(path)
    if target.exists():
        return
    half = target.with_name(f"{target.name}.{os.getpid()}")
    with half.open("w", encoding="ascii") as file:
        file.write(store + "\n")
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
    sync_folder(path.parent)


def free_bytes(folder: Path) -> int:
    """Return the bytes that this process may still write there: more than others, where the disk keeps some for it."""
    room = os.statvfs(folder)
    blocks = room.f_bfree if is_kept_for_us(folder.stat().st_dev, frozenset(os.getgroups())) else room.f_bavail
    return blocks * room.f_frsize


def free_for_all(folder: Path) -> int:
    """Return the bytes that any program may still write there."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


@functools.cache
def is_kept_for_us(device: int, groups: frozenset[int], mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether ext4 keeps its reserve on a device for one of these groups, by the options of its mount (proc(5))."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return False
    options = {option for words in lines if words[2] == number for option in words[-1].split(",")}
    return any(f"resgid={group}" in options for group in groups)


def held_id(db: sqlite3.Connection) -> str | None:
    """Return the id that is inside a queue; None for a file of a release that gave none, or of no queue."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").fetchone():
        return None
    row = db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()
    return str(row[0]) if row else None
