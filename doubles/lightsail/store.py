"""The double's memory: records by kind and name, in one SQLite file that survives a kill."""

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from doubles.database import Database
from doubles.lightsail.meter import KEPT_S, Sample

_TABLES = """
CREATE TABLE IF NOT EXISTS records (kind TEXT, name TEXT, data TEXT, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER);
CREATE TABLE IF NOT EXISTS samples (
    instance TEXT, at REAL, cpu_ns INTEGER, received INTEGER, sent INTEGER, passed INTEGER, PRIMARY KEY (instance, at)
) WITHOUT ROWID;
"""


class Named(Protocol):
    """A record that is known by its name (an operation by its id)."""

    @property
    def id(self) -> str:
        """The record's own identity."""


R = TypeVar("R", bound=Named)


class Store:
    """Records and counters. `lock` makes several steps one, for whoever reads and then writes."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _TABLES)
        self.lock, self.transaction, self.close = (
            self._database.lock, self._database.transaction, self._database.close,
        )  # fmt: skip

    def put(self, record: Named) -> None:
        """Keep a record, in place of the one of its kind and name."""
        data = msgspec.json.encode(record).decode()
        self._database.write("REPLACE INTO records VALUES (?, ?, ?)", type(record).__name__, _name(record), data)

    def find(self, kind: type[R], name: str) -> R | None:
        """Return a record, or None."""
        query = "SELECT data FROM records WHERE kind = ? AND name = ?"
        row = self._database.row(query, kind.__name__, name)
        return msgspec.json.decode(row[0], type=kind) if row else None

    def all(self, kind: type[R]) -> list[R]:
        """Return all records of a kind, keyed by their names."""
        rows = self._database.rows("SELECT data FROM records WHERE kind = ? ORDER BY name", kind.__name__)
        return [msgspec.json.decode(data, type=kind) for (data,) in rows]

    def drop(self, record: Named) -> None:
        """Forget a record."""
        self._database.write("DELETE FROM records WHERE kind = ? AND name = ?", type(record).__name__, _name(record))

    def add_sample(self, one: Sample) -> None:
        """Keep what was measured of an instance, and drop what is older than the vendor keeps."""
        row = (one.instance, one.at, one.cpu_ns, one.received, one.sent, one.passed)
        self._database.write("REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?)", *row)
        self._database.write("DELETE FROM samples WHERE instance = ? AND at < ?", one.instance, one.at - KEPT_S)

    def samples(self, instance: str) -> list[Sample]:
        """Return what was measured of an instance, the oldest first."""
        rows = self._database.rows("SELECT * FROM samples WHERE instance = ? ORDER BY at", instance)
        return [Sample(name, at, cpu, received, sent, bool(ok)) for name, at, cpu, received, sent, ok in rows]

    def drop_samples(self, instance: str) -> None:
        """Forget what was measured of an instance: another of its name was never measured."""
        self._database.write("DELETE FROM samples WHERE instance = ?", instance)

    def next(self, counter: str) -> int:
        """Count on, from 1."""
        count = "INSERT INTO counters VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
        return int(self._database.row(count, counter)[0])


def _name(record: Named) -> str:
    return getattr(record, "name", record.id)
