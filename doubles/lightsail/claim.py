"""One Lightsail a site: two of them would each load a firewall that knows nothing of the other's hosts."""

import fcntl
from pathlib import Path
from typing import TextIO

from doubles.lightsail.errors import failure


class Claim:
    """A lock on a site's edge namespace, held until `release` or the end of this program."""

    def __init__(self) -> None:
        self._file: TextIO | None = None

    @property
    def held(self) -> bool:
        """Whether this program has the site."""
        return self._file is not None

    def take(self, edge: Path) -> None:
        """Take it, by the namespace's file; once it is ours, nothing. Raises `AwsError` if another program has it."""
        if self._file is not None:
            return
        file = edge.open(encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise failure(
                f"{edge.name} belongs to another local Lightsail: end that, or choose another --site and --octet."
            ) from None
        self._file = file

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None
