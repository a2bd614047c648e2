"""Laying out a backup on a host, whole and apart from everything, before anything takes its place."""

import os
import shutil
import tarfile
from collections import Counter
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

from backup.sources import DASHBOARD, SECRETS
from wire.archive import About, Damaged, Reader, part
from wire.disk import sync_folder
from wire.values import dump

ABOUT = "about.json"
PARTS = ("agent", "dashboard", "secrets", "sync")


def receive(stream: IO[bytes], folder: Path) -> tuple[About, Counter[str]]:
    """Lay an archive out in a new folder, which has its name only once it is whole and on disk; return what it is, and
    how many entries each part has. Raises `Damaged`, `TooNew`, OSError.
    """
    half = folder.with_name(f"{folder.name}.half")
    for left in folder.parent.glob("*.half"):
        shutil.rmtree(left, ignore_errors=True)  # of one that was cut off
    half.mkdir(mode=0o700, parents=True)
    reader, counts, links, modes = Reader(stream), Counter[str](), [], []
    for info, content in reader.entries():
        path = _checked(info)
        counts[part(info.name)] += 1
        if info.issym():
            _require_below_a_tree(path)
            links.append((path, info.linkname))
        elif info.isdir():
            (half / path).mkdir(mode=0o700, parents=True, exist_ok=True)
            modes.append((path, info.mode & 0o777))
        elif content is not None:
            _write(half / path, content, info)
        else:
            raise Damaged(f"{info.name} is neither a file, a folder nor a link")
    # Links last, after every folder: until then no name leads out of this one, whoever wrote the archive.
    for path, _target in links:
        (half / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, target in links:
        with suppress(FileExistsError):
            (half / path).symlink_to(target)
    for path, mode in reversed(modes):
        (half / path).chmod(mode | 0o700)
    (half / ABOUT).write_bytes(dump(reader.about))
    os.sync()
    half.rename(folder)
    sync_folder(folder.parent)
    return reader.about, counts


def _checked(info: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts or part(info.name) not in PARTS:
        raise Damaged(f"{info.name!r} is nothing that a backup holds")
    return path


def _require_below_a_tree(path: PurePosixPath) -> None:
    # What root owns, renames or copies by its name: a link there gives away the file that it leads to.
    if len(path.parts) == 1 or path.parts[0] in (DASHBOARD, SECRETS):
        raise Damaged(f"{path} is a link, and a backup holds none there")


def _write(path: Path, content: Any, info: tarfile.TarInfo) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        shutil.copyfileobj(content, out, 1 << 20)
    path.chmod(info.mode & 0o777)
    os.utime(path, (info.mtime, info.mtime))
