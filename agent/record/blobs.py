"""Bytes that a journal names by their SHA-256, each in a file of its own beside it."""

import hashlib
from pathlib import Path

from wire.disk import replace_file, sync_folder


class Blobs:
    """The blobs of one session. A record that names one is written after it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes) -> str:
        """Put bytes on disk, once, and return their name. Raises OSError."""
        name = hashlib.sha256(content).hexdigest()
        if self.read(name) is None:
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700)
                sync_folder(self._folder.parent)
            replace_file(self._folder / name, content)
        return name

    def read(self, name: str) -> bytes | None:
        """Return bytes by their name; None where they are not, or are others."""
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == name else None
