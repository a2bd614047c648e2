"""Files and links that are there whole or as before, whenever the power goes: on disk first, then renamed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# linux/fcntl.h and linux/fs.h: the standard library has no renameat2.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file, making its folder."""
    new = _beside(path)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(out.fileno(), mode)  # whatever the umask took
        out.write(content)
        out.flush()
        # Before the rename: otherwise a power cut may leave the new name without its content.
        os.fsync(out.fileno())
    _rename(new, path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, waiting until no other program does: what one reads, changes and writes stays one step.

    It is made for root only: whoever may read a folder can hold it, for ever.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def link(path: Path, target: str) -> None:
    """Replace whatever is there by a symbolic link, making its folder; a folder of somebody's is moved aside."""
    new = _beside(path)
    new.symlink_to(target)
    _rename(new, path)


def remove(path: Path) -> None:
    """Remove a file, if it is there, so that no power cut brings it back."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _settle(path.parent)


def settle_all(folder: Path) -> None:
    """Wait until all that was written to a folder's file system is on disk: 9,000 single waits would take minutes."""
    descriptor = os.open(folder, os.O_RDONLY)
    failed = _libc("syncfs", descriptor)
    os.close(descriptor)
    if failed:
        raise OSError(failed, os.strerror(failed), str(folder))


def place(half: Path, folder: Path) -> None:
    """Give a finished folder its name, once all of it is on disk; what has the name changes places with it."""
    settle_all(half)
    if folder.is_dir():
        # One step: between two, a kill would leave no folder of that name, and `current` may lead to it.
        words = (_AT_FDCWD, os.fsencode(half), _AT_FDCWD, os.fsencode(folder), _RENAME_EXCHANGE)
        if failed := _libc("renameat2", *words):
            raise OSError(failed, os.strerror(failed), str(folder))
    else:
        half.rename(folder)
    _settle(folder.parent)


def _libc(name: str, *words: Any) -> int:
    """Call a function of the C library; return the number of its error, 0 for none."""
    # Here: most programs that travel replace no folder, and each would load it.
    import ctypes  # noqa: PLC0415

    failed = getattr(ctypes.CDLL(None, use_errno=True), name)(*words)
    return ctypes.get_errno() if failed else 0


def _beside(path: Path) -> Path:
    """A free name in the same folder: a rename across file systems would be a copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    return new


def _rename(new: Path, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        # rename(2) replaces no folder; what is in it may be somebody's.
        path.rename(free_name(path))
    new.replace(path)
    _settle(path.parent)


def written_at(path: Path) -> int | None:
    """Return when a file or folder was last written, in ns; None for one that another deploy removes meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def free_name(path: Path) -> Path:
    """Return a name beside a path under which it is out of the way."""
    names = (path.with_name(f"{path.name}.moved-{number}") for number in range(1, 1_000_000))
    return next(name for name in names if not name.exists())


def _settle(folder: Path) -> None:
    # A name is its folder's content: without this a power cut brings the old one back.
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
