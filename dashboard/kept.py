"""Small values of the dashboard's own beside the queue, each a file that is replaced as a whole.

They are not in the queue: a backup that is put back must not bring back who was signed out or which token was revoked.
"""

import logging
from pathlib import Path
from typing import Generic, TypeVar

from wire.disk import replace_file
from wire.values import Invalid, dump, read

T = TypeVar("T")
log = logging.getLogger(__name__)


class Kept(Generic[T]):
    """A value in a file; without a file it lives as long as the process."""

    def __init__(self, file: Path | None, empty: T) -> None:
        self._file = file
        self.value = _load(file, empty) if file else empty

    def keep(self, value: T) -> None:
        """Take another value, once it is on disk. Raises OSError."""
        if self._file:
            replace_file(self._file, dump(value))
        self.value = value


def _load(file: Path, empty: T) -> T:
    try:
        return read(type(empty), file.read_bytes())
    except FileNotFoundError:
        return empty
    except Invalid as error:
        # What can't be read lets no user in, and the queue goes on.
        log.error("%s can't be read and counts as empty: %s", file, error)  # noqa: TRY400 - its text says it all
        return empty
