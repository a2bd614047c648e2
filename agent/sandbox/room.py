"""How much a workspace holds in all, told behind each call without walking it each time: only when the disk has lost as
much since the last walk as would bring it over its bound.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from wire.disk import below

_BLOCK, _LEAST = 512, 4096
"""Bytes of a block as stat(2) counts them, and for which any file counts at least: files have to be bounded too."""


class Room:
    """The bound of one workspace: `held` walks it and gives its bytes, `free` gives those of its disk."""

    def __init__(self, most: int, held: Callable[[], int], free: Callable[[], int]) -> None:
        self._most = most
        self._held_now, self._free_now = held, free
        self._held: int | None = None
        self._free = 0

    def is_used_up(self) -> bool:
        """Whether the workspace holds more than it may."""
        free = self._free_now()
        # What others take from the disk meanwhile brings on a walk too, which then says what is so.
        if self._held is None or self._held + max(self._free - free, 0) > self._most:
            self._held, self._free = self._held_now(), free
        return self._held > self._most


def held(folder: Path) -> int:
    """Return the bytes on disk of all that is below a folder."""
    size = 0
    for path in below(folder):
        with contextlib.suppress(OSError):
            size += max(path.lstat().st_blocks * _BLOCK, _LEAST)
    return size


def free(folder: Path) -> int:
    """Return the bytes that a folder's disk has left."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
