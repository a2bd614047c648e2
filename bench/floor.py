"""What the disk allows: two durable SQLite commits, the least that a claim and its completion can be."""

import sqlite3
from pathlib import Path

from bench.contender import DESCRIPTION


class Floor:
    """Two updates of one row by its key, each in a transaction of its own."""

    def __init__(self, folder: Path, rows: int) -> None:
        folder.mkdir()
        self._db = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, state TEXT, description TEXT)")
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO tasks (state, description) VALUES ('queued', ?)", [(DESCRIPTION,) for _ in range(rows)]
        )
        self._db.execute("COMMIT")
        self._next = 1

    def work(self, pairs: int) -> None:
        """Commit twice for each of the next rows."""
        for task in range(self._next, self._next + pairs):
            for state in ("running", "done"):
                self._db.execute("UPDATE tasks SET state = ? WHERE id = ?", (state, task))
        self._next += pairs

    def close(self) -> None:
        """Close the file."""
        self._db.close()
