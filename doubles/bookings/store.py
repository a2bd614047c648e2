"""The bookings on disk: SQLite, so that a killed double comes back with what it had."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from doubles.bookings.booking import Booking
from doubles.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS booking (id TEXT PRIMARY KEY, arrival TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Arrival dates, both inclusive; the ends compare as text, as ISO dates do."""

    first: str = "0000-00-00"
    last: str = "9999-99-99"


class Store:
    """All bookings, by id, and the texts that a double keeps."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "bookings.sqlite", _TABLES)
        self.kept = self._database.kept

    def fill(self, origin: str, make: Callable[[], Iterable[Booking]]) -> None:
        """Take the bookings of `make` once for each `origin` (a text that tells sources apart).

        The same origin again changes nothing, so that what was edited outlives a restart; another one replaces all.
        """
        if self.kept("origin", lambda: "") == origin:
            return
        bookings = list(make())
        with self._database.transaction():
            self._database.write("DELETE FROM booking")
            for booking in bookings:
                self.put(booking)
            self._database.keep("origin", origin)

    def page(self, window: Window, after: str = "", limit: int = -1) -> list[Booking]:
        """Return up to `limit` bookings (-1: all) with ids after `after`, by id."""
        query = "SELECT data FROM booking WHERE id > ? AND arrival BETWEEN ? AND ? ORDER BY id LIMIT ?"
        return [_booking(row) for row in self._database.rows(query, after, window.first, window.last, limit)]

    def count(self, window: Window) -> int:
        """Return how many bookings arrive in the window."""
        query = "SELECT count(*) FROM booking WHERE arrival BETWEEN ? AND ?"
        return int(self._database.row(query, window.first, window.last)[0])

    def get(self, booking_id: str) -> Booking | None:
        """Return one booking."""
        found = self._database.row("SELECT data FROM booking WHERE id = ?", booking_id)
        return _booking(found) if found else None

    def put(self, booking: Booking) -> None:
        """Add or replace one booking."""
        data = msgspec.json.encode(booking).decode()
        self._database.write("REPLACE INTO booking VALUES (?, ?, ?)", booking.id, booking.arrival, data)

    def delete(self, booking_id: str) -> bool:
        """Delete one booking; false when there is none."""
        return self._database.write("DELETE FROM booking WHERE id = ?", booking_id).rowcount == 1


def _booking(row: tuple[str]) -> Booking:
    return msgspec.json.decode(row[0], type=Booking)
