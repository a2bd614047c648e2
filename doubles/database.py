"""What a double keeps: one SQLite file, so that a killed double comes back with all that it had answered."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_KEPT = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"


class Database:
    """One file with the given tables. `lock` makes several steps one, for whoever reads and then writes."""

    def __init__(self, path: Path, tables: str) -> None:
        # Secrets lie in it: tokens, and the keys of a certificate authority beside it.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.executescript(f"PRAGMA journal_mode=WAL; {_KEPT} {tables}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block's changes one: all of them are kept, or none if it raises."""
        with self.lock:
            # IMMEDIATE takes the write lock now: taken at the first write, it could fail after what was read.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def write(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Carry out one statement; its cursor tells the last row's number and how many rows were changed."""
        with self.lock:
            return self._connection.execute(statement, values)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return all rows of a query."""
        with self.lock:
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> Any:
        """Return the first row of a query, or None."""
        with self.lock:
            return self._connection.execute(query, values).fetchone()

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """Return the text kept under `name`; the first time, what `make` gives."""
        with self.lock:
            if found := self.row("SELECT value FROM kept WHERE name = ?", name):
                return str(found[0])
            value = make()
            self.keep(name, value)
            return value

    def keep(self, name: str, value: str) -> None:
        """Keep a text under `name`, in place of the one before."""
        self.write("REPLACE INTO kept VALUES (?, ?)", name, value)

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._connection.close()
