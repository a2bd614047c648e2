"""A task's workspace as one value that travels to another host: its files, in a form that is the same for the same
files, and what was too large to travel.

Its files are a model's: names and links may be anything. Nothing is followed when it is packed, and nothing is written
outside of a fresh folder when it is unpacked.
"""

import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wire.disk import below, remove_tree

MOST = 10 * 1024 * 1024
"""Bytes of files that travel: the smaller ones first, so that the most of them do."""
# Each takes up to a kilobyte of the archive beside its content: its header, and its last block.
MOST_FILES = 5_000
_DEEPEST = 100
"""Levels of folders that travel."""
_MOST_LISTED = 30
"""Names of files left behind that are told; more are counted."""
_LARGEST = MOST + 16 * 1024 * 1024  # unpacked, with names


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file, which `runs` or not, a folder (no content) or a link (`link` is where it leads); `path` is relative."""

    path: bytes
    runs: bool = False
    content: bytes | None = None
    link: bytes | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive, and what it lacks, in words."""

    archive: bytes
    missing: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Its name, as the queue's blobs have it."""
        return digest(self.archive)


class CannotUnpack(Exception):
    """An archive that is damaged, or names a place outside of its folder."""


def opened(folder: Path) -> Path:
    """Return the file beside a workspace that says which repositories were opened in it, on this host."""
    return folder.with_name(f".{folder.name}.opened")


def digest(archive: bytes) -> str:
    """Return the name of an archive, as the queue's blobs have it."""
    import hashlib  # noqa: PLC0415 - brings OpenSSL: a megabyte and more that an idle daemon does without

    return hashlib.sha256(archive).hexdigest()


def pack(folder: Path, most: int = MOST) -> Packed:
    """Return a folder's files, at most so many bytes of them. Raises OSError."""
    files, others = _listed(folder)
    # By size, then name: the same files give the same archive.
    files.sort(key=lambda file: (file[1], file[0]))
    fits, size = 0, 0
    while fits < len(files) and fits < MOST_FILES and size + files[fits][1] <= most:
        size += files[fits][1]
        fits += 1
    read = [_read(folder, path) for path, _ in files[:fits]]
    entries = sorted([*others, *(entry for entry in read if entry)], key=lambda entry: entry.path)
    archive = zlib.compress(msgspec.msgpack.encode(entries), 6)
    closed = [file for file, entry in zip(files[:fits], read, strict=True) if entry is None]
    return Packed(archive, _named([*files[fits:], *closed]))


def unpack(archive: bytes, folder: Path) -> None:
    """Replace a folder by an archive's files, as one step. Raises `CannotUnpack` and OSError, the folder as before."""
    try:
        # Bounded: an archive of a megabyte may hold a thousand.
        entries = msgspec.msgpack.decode(zlib.decompressobj().decompress(archive, _LARGEST), type=list[_Entry])
    except (zlib.error, msgspec.MsgspecError) as error:
        raise CannotUnpack(f"the archive of the workspace is damaged: {error}") from error
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    remove_tree(fresh)
    fresh.mkdir(mode=0o700, parents=True)
    # Links last: what is written before them can't be led astray by one.
    for entry in sorted(entries, key=lambda entry: (entry.link is not None, entry.path)):
        _write(fresh / _inside(entry.path), entry)
    remove_tree(old)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    remove_tree(old)


def _listed(root: Path) -> tuple[list[tuple[bytes, int]], list[_Entry]]:
    """Return the regular files with their sizes; folders and links as entries. Sockets, pipes and devices stay."""
    files, others = [], []
    for place in below(root, _DEEPEST):
        try:
            seen, path = place.lstat(), os.fsencode(place.relative_to(root))
        except PermissionError:
            continue
        if stat.S_ISREG(seen.st_mode):
            files.append((path, seen.st_size))
        elif stat.S_ISDIR(seen.st_mode):
            others.append(_Entry(path))
        elif stat.S_ISLNK(seen.st_mode):
            others.append(_Entry(path, link=os.fsencode(place.readlink())))
    return files, others[:MOST_FILES]


def _read(root: Path, path: bytes) -> _Entry | None:
    """Return a file; None of one that is closed to us, as any may be that a tool made."""
    try:
        fd = os.open(root / os.fsdecode(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        return None
    with os.fdopen(fd, "rb") as file:
        return _Entry(path, runs=bool(os.fstat(fd).st_mode & stat.S_IXUSR), content=file.read())


def _inside(path: bytes) -> str:
    parts = path.split(b"/")
    if not path or b"\0" in path or any(part in (b"", b".", b"..") for part in parts):
        raise CannotUnpack("the archive of the workspace names a place outside of it")
    return os.fsdecode(path)


def _write(place: Path, entry: _Entry) -> None:
    if entry.link is not None:
        place.symlink_to(os.fsdecode(entry.link))
    elif entry.content is None:
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o700 if entry.runs else 0o600
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb") as file:
            file.write(entry.content)


def _named(left: list[tuple[bytes, int]]) -> tuple[str, ...]:
    # The largest first: it is what is missed.
    left = sorted(left, key=lambda file: -file[1])
    named = [f"{path.decode(errors='replace')} ({size} bytes)" for path, size in left[:_MOST_LISTED]]
    return (*named, *([f"{len(left) - _MOST_LISTED} more files"] if len(left) > _MOST_LISTED else []))
