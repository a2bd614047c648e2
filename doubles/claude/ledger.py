"""The bill: one row for each request of the Messages API, kept in SQLite over restarts, without keys or content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from doubles.database import Database

KEPT = 10_000
"""Rows; older ones are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request as it was answered; `cut` when the answer was broken off; `usage` as the vendor gives it."""

    id: str
    at: str
    model: str | None
    status: int
    stream: bool = False
    cut: bool = False
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


class Ledger:
    """The requests so far."""

    def __init__(self, folder: Path) -> None:
        tables = "CREATE TABLE IF NOT EXISTS requests (n INTEGER PRIMARY KEY, entry TEXT NOT NULL);"
        self._database = Database(folder / "requests.db", tables)

    def record(self, entry: Entry) -> None:
        """Keep one request."""
        row = msgspec.json.encode(entry).decode()
        n = self._database.write("INSERT INTO requests (entry) VALUES (?)", row).lastrowid or 0
        self._database.write("DELETE FROM requests WHERE n <= ?", n - KEPT)

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests kept, oldest first."""
        return [msgspec.json.decode(row) for (row,) in self._database.rows("SELECT entry FROM requests ORDER BY n")]
