"""What a backup holds, and where each part of it is on a host; the release itself comes from the work tree.

Secrets are given anew by `fab secrets`, but for Google's token, which a consent made on the host itself.
"""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

QUEUE, TABLE, TOKENS = "queue.db", "queue.table", "tokens.json"
DASHBOARD, SECRETS = "dashboard", "secrets"
GOOGLE = "port_sheet_token.json"
WHOLE_BYTES = 1 << 20
"""A file up to this size is read before its size is told: it may grow meanwhile."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A part that is a program's whole folder; `user` owns it. `databases` of it are copied by SQLite, and what another
    program has open or only says that a process lives is left out.
    """

    part: str
    folder: Path
    user: str
    databases: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where a host keeps it all; another root for a test."""

    root: Path = Path("/")

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The parts that are folders."""
        state = self.root / "var/lib"
        return (
            Tree("agent", state / "jada-agent", "jada", left_out=("caches", "daemon.lock")),
            Tree("sync", state / "jada-sync", "jada-sync", ("history.sqlite",), ("lock",)),
        )

    @property
    def queue(self) -> Path:
        """The folder of the queue, which its own program copies."""
        return self.root / "var/lib/jada-dashboard"

    @property
    def secrets(self) -> Path:
        """The folder of the secrets."""
        return self.root / "home/jada/secrets"

    @property
    def restores(self) -> Path:
        """Where a backup is laid out before it takes its place; on the file system of the state: one rename."""
        return self.root / "var/lib/jada-restore"

    @property
    def own(self) -> Path:
        """The folder of what the nightly backup leaves."""
        return self.root / "var/lib/jada-backup"


class Exactly(io.RawIOBase):
    """So many bytes of a file, whatever becomes of it: one that is cut meanwhile ends in zeros, for its size was
    told.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        """Say that it is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to so many bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        content = self._file.read(wanted)
        self._left -= wanted
        return content + bytes(wanted - len(content))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


Content = IO[bytes] | Exactly


_DEEPEST = 200
"""Levels of folders that are gone into."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not copied: only its own process can read it (a socket, a pipe, a device), or lies too deep."""

    name: str


def walk(tree: Tree) -> Iterator[tuple[tarfile.TarInfo, Content | None] | Skipped]:
    """Yield what is in a folder, sorted; its databases are not among it. What goes meanwhile is passed over, and no
    link is followed: the folder is another user's.
    """
    if not tree.folder.is_dir():
        return
    for folder, folders, files, parent in os.fwalk(tree.folder, follow_symlinks=False):
        inside = Path(folder).relative_to(tree.folder)
        # In place: what is taken out is not gone into either.
        folders[:] = sorted(name for name in folders if inside != Path() or not _is_left_out(tree, name))
        if len(inside.parts) >= _DEEPEST and folders:
            yield from (Skipped(str(Path(tree.part) / inside / name)) for name in folders)
            folders.clear()  # each level holds a descriptor, and a level of Python's stack
        for name in sorted([*files, *folders]):
            if inside == Path() and _is_left_out(tree, name):
                continue
            try:
                entry = _entry(str(Path(tree.part) / inside / name), name, parent)
            except OSError:
                continue  # it is gone
            yield entry
            if isinstance(entry, tuple) and entry[1] is not None:
                entry[1].close()


def _is_left_out(tree: Tree, name: str) -> bool:
    beside = {f"{database}{ending}" for database in tree.databases for ending in ("", "-wal", "-shm")}
    return name in tree.left_out or name in beside


def _entry(path: str, name: str, parent: int) -> tuple[tarfile.TarInfo, Content | None] | Skipped:
    seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
    info = tarfile.TarInfo(path)
    info.mode, info.mtime = stat.S_IMODE(seen.st_mode) & 0o777, int(seen.st_mtime)
    if stat.S_ISDIR(seen.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(seen.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=parent)
    elif stat.S_ISREG(seen.st_mode):
        return info, _opened(info, name, parent)
    else:
        return Skipped(path)
    return info, None


def _opened(info: tarfile.TarInfo, name: str, parent: int) -> IO[bytes] | Exactly:
    file = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent), "rb")
    info.size = os.fstat(file.fileno()).st_size
    if info.size > WHOLE_BYTES:
        return Exactly(file, info.size)
    with file:
        content = file.read(2 * WHOLE_BYTES)
    info.size = len(content)
    return io.BytesIO(content)
