"""Bytes that a journal names by their SHA-256, each in a file of its own beside it, and never in memory as a whole."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path

from wire.disk import sync_folder


class Blobs:
    """The blobs of one session. A record that names one is written after it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._whole: set[str] = set()

    @contextlib.contextmanager
    def draft(self) -> Iterator[BufferedRandom]:
        """Give a file for bytes that are perhaps to be kept; it has no name, and goes with whoever holds it."""
        with tempfile.TemporaryFile(dir=self._folder.parent) as file:
            yield file

    def keep(self, draft: BufferedRandom) -> str:
        """Put a draft's bytes on disk, once, and return their name. Raises OSError."""
        draft.seek(0)
        name = hashlib.file_digest(draft, "sha256").hexdigest()
        if self.find(name) is None:
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700)
                sync_folder(self._folder.parent)
            draft.seek(0)
            fresh = self._folder / f".{name}.new"
            with fresh.open("wb") as file:
                shutil.copyfileobj(draft, file)
                file.flush()
                # Before it has its name: after a power cut a file that is there is looked at, and must be whole.
                os.fsync(file.fileno())
            fresh.replace(self._folder / name)
            sync_folder(self._folder)
        return name

    def find(self, name: str) -> Path | None:
        """Return the file with the bytes of a name; None where it is not, or has others. Looked at once: no other
        program writes here.
        """
        path = self._folder / name
        if name not in self._whole:
            try:
                with path.open("rb") as file:
                    whole = hashlib.file_digest(file, "sha256").hexdigest() == name
            except FileNotFoundError:
                whole = False
            if not whole:
                return None
            self._whole.add(name)
        return path
