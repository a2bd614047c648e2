"""The key of the next claim, on disk before it is sent. A claim whose answer was lost, or whose daemon was killed
before the folder of its session stood, is asked for again under the same key: that gives the same claim and costs no
session.
"""

import uuid
from pathlib import Path

from agent.record import durable
from wire.disk import sync_folder
from wire.values import Written


class _Kept(Written, frozen=True, kw_only=True):
    key: str


class ClaimKey:
    """The key in a file of the state folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> str:
        """Return the key that is kept; a new one, once it is on disk, where there is none."""
        kept = durable.read(_Kept, self._path)
        if kept is None:
            kept = _Kept(key=str(uuid.uuid4()))
            durable.write(self._path, kept)
        return kept.key

    def used(self) -> None:
        """Forget it: what was claimed under it is kept elsewhere now, or given back."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
