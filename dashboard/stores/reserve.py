"""Room on the queue's disk that is kept for one purpose: to write that the disk is full, so that a user hears of it."""

import os
from pathlib import Path

from dashboard.stores.files import free_bytes

SIZE = 4 * 1024 * 1024
"""Bytes: about a thousand alarms and notices with what they cost the log."""
SPARE = 4
"""The reserve is taken again when this many times its size is free: at less, taking it would fill the disk anew."""


class Reserve:
    """A file of `size` bytes without content; whoever calls holds the store's lock."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    def take(self) -> bool:
        """Take the room unless it is taken; return whether it is."""
        if self._is_held():
            return True
        if free_bytes(self._path.parent) < SPARE * self._size:
            return False
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                # Not truncate(): that would only say a size, and take nothing.
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the room back to the disk; return whether there was any."""
        was_held = self._is_held()
        self._path.unlink(missing_ok=True)
        return was_held

    def _is_held(self) -> bool:
        try:
            return self._path.stat().st_size >= self._size
        except FileNotFoundError:
            return False
