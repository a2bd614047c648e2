"""What an installer says, a line of JSON each: on disk before the next thing happens, so that whoever reads it believes
the file only.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAST = ("failed", "finished", "proven", "reverted", "superseded")
"""The events after which a deploy says no more."""


class Events:
    """The file of a deploy's events, to which its installer, and whatever comes after it, appends."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock

    def emit(self, **event: Any) -> None:
        """Append an event."""
        line = json.dumps({**event, "at": round(self._clock(), 1)}) + "\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as out:
            out.write((b"\n" if _is_torn(self.path) else b"") + line.encode())
            out.flush()
            os.fsync(out.fileno())
        # Also for `fab logs`, and for the message about an installer that no operator follows.
        sys.stderr.write(line)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say that something begins, and then that it is done, or broken."""
        self.emit(begin=text)
        try:
            yield
        except BaseException:
            self.emit(broken=text)
            raise
        self.emit(done=text)

    def read(self) -> list[dict[str, Any]]:
        """Return the events; a line that a power cut tore is passed over."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [event for line in lines if isinstance(event := parsed(line), dict)]

    def last(self) -> dict[str, Any] | None:
        """Return the last word of a deploy; None while it has not been said."""
        return next((event for event in reversed(self.read()) if any(kind in event for kind in LAST)), None)

    def says(self, kind: str) -> bool:
        """Whether an event of that kind is there."""
        return any(kind in event for event in self.read())


def parsed(line: str) -> Any:
    """Read one line; None where it is no JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _is_torn(path: Path) -> bool:
    with path.open("rb") as read:
        read.seek(0, os.SEEK_END)
        if read.tell() == 0:
            return False
        read.seek(-1, os.SEEK_END)
        return read.read(1) != b"\n"
