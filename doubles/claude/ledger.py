"""The bill: one row for each request of the Messages API, kept in SQLite over restarts, without keys or content."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT = 10_000
"""Rows; older ones are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request as it was answered: an HTTP status, or what broke it off; `usage` as the vendor gives it."""

    id: str
    at: str
    model: str | None
    status: int
    stream: bool = False
    fault: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


class Ledger:
    """The requests so far; used from one thread at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "requests.db", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS requests (n INTEGER PRIMARY KEY, entry TEXT NOT NULL)")

    def record(self, entry: Entry) -> None:
        """Keep one request."""
        row = json.dumps({name: getattr(entry, name) for name in Entry.__slots__})
        n = self._db.execute("INSERT INTO requests (entry) VALUES (?)", (row,)).lastrowid or 0
        self._db.execute("DELETE FROM requests WHERE n <= ?", (n - KEPT,))

    def requests(self, limit: int = KEPT) -> list[dict[str, Any]]:
        """Return the latest requests, oldest first."""
        rows = self._db.execute("SELECT entry FROM requests ORDER BY n DESC LIMIT ?", (limit,)).fetchall()
        return [json.loads(row) for (row,) in reversed(rows)]

    def close(self) -> None:
        """Close the file."""
        self._db.close()
