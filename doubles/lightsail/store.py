"""The double's memory: records by kind and name, and samples of hosts, in one SQLite file that survives a kill."""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from wire.values import decode, encode

_SCHEMA = """
create table if not exists records (kind text, name text, data text, primary key (kind, name)) without rowid;
create table if not exists counters (name text primary key, value integer);
create table if not exists samples (host text, at integer, cpu_s real, received integer, sent integer,
  host_failed integer, system_failed integer, primary key (host, at)) without rowid;
"""
Sample = tuple[int, float, int, int, int, int]
"""A host at a moment: time, CPU seconds used, bytes received and sent, whether host and system check failed."""


class Named(Protocol):
    """A record that is known by its name (an operation by its id)."""

    @property
    def id(self) -> str:
        """The record's own identity."""


R = TypeVar("R", bound=Named)


class Store:
    """One file. `lock` makes several steps one, for whoever reads and then writes."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.execute("pragma journal_mode=wal")
        self._base.executescript(_SCHEMA)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block's changes one: all of them are kept, or none if it raises."""
        with self.lock:
            self._base.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._base.execute("rollback")
                raise
            self._base.execute("commit")

    def put(self, record: Named) -> None:
        """Keep a record, in place of the one of its kind and name."""
        kind, name = type(record).__name__, getattr(record, "name", record.id)
        with self.lock:
            self._base.execute(
                "insert or replace into records values (?, ?, ?)", (kind, name, json.dumps(encode(record)))
            )

    def find(self, kind: type[R], name: str) -> R | None:
        """Return a record, or None."""
        with self.lock:
            row = self._base.execute(
                "select data from records where kind = ? and name = ?", (kind.__name__, name)
            ).fetchone()
        return decode(kind, json.loads(row[0])) if row else None

    def all(self, kind: type[R]) -> list[R]:
        """Return all records of a kind, by name."""
        with self.lock:
            rows = self._base.execute(
                "select data from records where kind = ? order by name", (kind.__name__,)
            ).fetchall()
        return [decode(kind, json.loads(data)) for (data,) in rows]

    def drop(self, record: Named) -> None:
        """Forget a record."""
        name = getattr(record, "name", record.id)
        with self.lock:
            self._base.execute("delete from records where kind = ? and name = ?", (type(record).__name__, name))

    def next(self, counter: str) -> int:
        """Count on, from 1."""
        with self.lock:
            self._base.execute(
                "insert into counters values (?, 1) on conflict do update set value = value + 1", (counter,)
            )
            return int(self._base.execute("select value from counters where name = ?", (counter,)).fetchone()[0])

    def sample(self, host: str, sample: Sample) -> None:
        """Keep a sample of a host, by its instance's id."""
        with self.lock:
            self._base.execute("insert or replace into samples values (?, ?, ?, ?, ?, ?, ?)", (host, *sample))

    def samples(self, host: str, since: float, until: float) -> list[Sample]:
        """Return a host's samples, oldest first, with `since` <= time <= `until`."""
        query = (
            "select at, cpu_s, received, sent, host_failed, system_failed from samples"
            " where host = ? and at between ? and ? order by at"
        )
        with self.lock:
            return self._base.execute(query, (host, since, until)).fetchall()

    def forget_samples(self, before: float) -> None:
        """Drop samples older than that."""
        with self.lock:
            self._base.execute("delete from samples where at < ?", (before,))

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._base.close()
