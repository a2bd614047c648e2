"""The bookings on disk: SQLite, so that a killed double comes back with what it had."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from doubles.bookings.booking import Booking

_TABLES = """
CREATE TABLE IF NOT EXISTS booking (id TEXT PRIMARY KEY, arrival TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Arrival dates, both inclusive; the ends compare as text, as ISO dates do."""

    first: str = "0000-00-00"
    last: str = "9999-99-99"


class Store:
    """All bookings, by id. One thread at a time uses it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / "bookings.sqlite", check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL;" + _TABLES)

    def fill(self, origin: str, make: Callable[[], Iterable[Booking]]) -> None:
        """Take the bookings of `make` once for each `origin` (a text that tells sources apart).

        The same origin again changes nothing, so that what was edited outlives a restart; another one replaces all.
        """
        if self.kept("origin", lambda: "") == origin:
            return
        bookings = list(make())
        with self._db:
            self._db.execute("DELETE FROM booking")
            self._db.executemany("INSERT INTO booking VALUES (?, ?, ?)", map(_row, bookings))
            self._db.execute("REPLACE INTO kept VALUES ('origin', ?)", (origin,))

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """Return the text kept under `name`; the first time, what `make` gives."""
        found = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        if found:
            return str(found[0])
        value = make()
        with self._db:
            self._db.execute("REPLACE INTO kept VALUES (?, ?)", (name, value))
        return value

    def page(self, window: Window, after: str = "", limit: int = -1) -> list[Booking]:
        """Return up to `limit` bookings (-1: all) with ids after `after`, by id."""
        rows = self._db.execute(
            "SELECT data FROM booking WHERE id > ? AND arrival BETWEEN ? AND ? ORDER BY id LIMIT ?",
            (after, window.first, window.last, limit),
        )
        return [Booking(**json.loads(data)) for (data,) in rows]

    def count(self, window: Window) -> int:
        """Return how many bookings arrive in the window."""
        query = "SELECT count(*) FROM booking WHERE arrival BETWEEN ? AND ?"
        return int(self._db.execute(query, (window.first, window.last)).fetchone()[0])

    def get(self, booking_id: str) -> Booking | None:
        """Return one booking."""
        found = self._db.execute("SELECT data FROM booking WHERE id = ?", (booking_id,)).fetchone()
        return Booking(**json.loads(found[0])) if found else None

    def put(self, booking: Booking) -> None:
        """Add or replace one booking."""
        with self._db:
            self._db.execute("REPLACE INTO booking VALUES (?, ?, ?)", _row(booking))

    def delete(self, booking_id: str) -> bool:
        """Delete one booking; false when there is none."""
        with self._db:
            return self._db.execute("DELETE FROM booking WHERE id = ?", (booking_id,)).rowcount == 1


def _row(booking: Booking) -> tuple[str, str, str]:
    return booking.id, booking.arrival, json.dumps(asdict(booking))
