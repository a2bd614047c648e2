"""One process uses a queue's folder: the dashboard, or what restores a backup into it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyUsed(Exception):
    """Another process uses the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder; the kernel lets go of it with the process. Raises `AlreadyUsed`, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUsed(f"{folder} is in use: stop jada-dashboard first") from None
        yield
    finally:
        # Closing is not enough: a program that another thread just starts has a copy of it for a moment.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
