"""The key of the next claim, on disk before it is sent. A claim whose answer was lost, or whose daemon was killed
before the folder of its session stood, is asked for again under the same key: while its lease holds that gives the same
claim and costs no session, after that the queue says that the key is used up.
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
        # What the process before this one heard is not known.
        self._is_open = True

    def __call__(self) -> tuple[str, bool]:
        """Return the key that is kept, and whether it was sent before with an unknown end; a new one, once it is on
        disk, where there is none.
        """
        kept = durable.read(_Kept, self._path)
        was_sent = kept is not None and self._is_open
        if kept is None:
            kept = _Kept(key=str(uuid.uuid4()))
            durable.write(self._path, kept)
        self._is_open = True
        return kept.key, was_sent

    def unused(self) -> None:
        """Note that nothing was claimed under it: it is as good as new."""
        self._is_open = False

    def used(self) -> None:
        """Forget it: what was claimed under it is kept elsewhere now, or given back."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
