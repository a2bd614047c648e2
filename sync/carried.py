"""The memory as values that another host goes on from: an image of it, and the rows that were touched since that image.

An image of 10,000 bookings is a third of a megabyte, and a run changes a few: so what a step sends are rows. Triggers
of the file itself note which, in the same transaction, so that no crash loses one.
"""

import contextlib
import hashlib
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_KEYS: Mapping[str, str] = {
    "base": "id",
    "note": "name",
    **dict.fromkeys(("batch", "stray", "told", "changed"), "number"),
}
"""The tables that another host needs, with the column that names a row."""
_TABLES = """
CREATE TABLE IF NOT EXISTS touched (tab TEXT NOT NULL, key NOT NULL, PRIMARY KEY (tab, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (version INTEGER NOT NULL, image TEXT NOT NULL, digest TEXT NOT NULL,
    size INTEGER NOT NULL);
"""
_TRIGGER = """
CREATE TRIGGER IF NOT EXISTS touch_{tab}_{what} AFTER {what} ON {tab} BEGIN
    INSERT OR IGNORE INTO touched (tab, key) VALUES ('{tab}', {which}.{key});
END;
"""
_MUCH, _SHARE = 16 * 1024, 16
"""Bytes of rows, and their share of an image, from which on a new image costs less than sending them at each step."""
_IMAGES = ("memory-a", "memory-b")
"""In turn: the one that the rows in the store stand on is not written over."""

Key = str | int
_Value = Any


class Rows(msgspec.Struct, frozen=True):
    """Rows of a table as they are now, and the keys of those that are gone."""

    columns: tuple[str, ...]
    rows: tuple[tuple[_Value, ...], ...]
    gone: tuple[Key, ...] = ()


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds of the memory: an image's name, digest and size, and the rows that were touched since. No
    image: since the beginning.
    """

    image: str = ""
    digest: str = ""
    size: int = 0
    tables: Mapping[str, Rows] = {}
    numbers: Mapping[str, int] = {}
    """The last number that each table gave out: one that was forgotten is not given twice."""


class Unfit(Exception):
    """What the store holds of the memory does not fit together."""


def follow(db: sqlite3.Connection) -> None:
    """Note from now on which rows are touched."""
    triggers = [
        _TRIGGER.format(tab=tab, key=key, what=what, which="OLD" if what == "DELETE" else "NEW")
        for tab, key in _KEYS.items()
        for what in ("INSERT", "UPDATE", "DELETE")
    ]
    db.executescript(_TABLES + "".join(triggers))


def noted(db: sqlite3.Connection) -> tuple[int, Kept]:
    """Return which version was last noted as kept, without its rows; 0: none was."""
    row = db.execute("SELECT version, image, digest, size FROM kept").fetchone()
    return (row[0], Kept(image=row[1], digest=row[2], size=row[3])) if row else (0, Kept())


def is_noted(db: sqlite3.Connection) -> bool:
    """Whether a version was ever noted here."""
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone()
    return there is not None and noted(db)[0] > 0


def note(db: sqlite3.Connection, version: int, kept: Kept, *, is_image: bool) -> None:
    """Note what the store holds now; from a new image on rows are touched anew."""
    db.execute("BEGIN IMMEDIATE")
    with db:
        if is_image:
            db.execute("DELETE FROM touched")
        _note(db, version, kept)


def rows(db: sqlite3.Connection) -> Kept:
    """Return the rows that were touched since the image that was noted."""
    tables = {tab: _rows(db, tab, key) for tab, key in _KEYS.items()}
    numbers = dict(db.execute("SELECT name, seq FROM sqlite_sequence"))
    return msgspec.structs.replace(noted(db)[1], tables=tables, numbers=numbers)


def image(db: sqlite3.Connection) -> tuple[Kept, bytes]:
    """Return an image of the memory, compressed, and what is kept with it."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        db.backup(copy)
        copy.executescript("DELETE FROM touched; DELETE FROM kept; VACUUM")
        data = zlib.compress(copy.serialize())
    name = _IMAGES[noted(db)[1].image == _IMAGES[0]]
    return Kept(image=name, digest=hashlib.sha256(data).hexdigest(), size=len(data)), data


def wants_image(kept: Kept, encoded: int) -> bool:
    """Whether rows of so many bytes are better sent as a new image, once."""
    return encoded > max(_MUCH, kept.size // _SHARE)


def encode(kept: Kept) -> bytes:
    """Return the bytes of what is kept."""
    return zlib.compress(msgspec.msgpack.encode(kept))


def decode(data: bytes) -> Kept:
    """Read what was kept, by this release or another one. Raises `Unfit`."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=Kept)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise Unfit(f"it can't be read: {error}") from error


def restore(db: sqlite3.Connection, version: int, kept: Kept, data: bytes | None) -> None:
    """Put a version that is kept in place of the memory, without triggers; `data` is its image.

    Raises `Unfit` before anything is replaced.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        _begin(copy, db, kept, data)
        copy.execute("BEGIN")
        for tab, found in kept.tables.items():
            _put(copy, tab, found)
        for tab, number in kept.numbers.items():
            copy.execute("DELETE FROM sqlite_sequence WHERE name = ?", (tab,))
            copy.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (tab, number))
        _note(copy, version, kept)
        copy.execute("COMMIT")
        # One transaction of the file: killed here, it is the old memory or the new one.
        copy.backup(db)


def _note(db: sqlite3.Connection, version: int, kept: Kept) -> None:
    db.execute("DELETE FROM kept")
    db.execute("INSERT INTO kept VALUES (?, ?, ?, ?)", (version, kept.image, kept.digest, kept.size))


def _begin(copy: sqlite3.Connection, db: sqlite3.Connection, kept: Kept, data: bytes | None) -> None:
    if kept.image and (data is None or hashlib.sha256(data).hexdigest() != kept.digest):
        raise Unfit(f"its image {kept.image} is {'missing' if data is None else 'another one'}")
    if kept.image and data:
        copy.deserialize(zlib.decompress(data))
    else:
        db.backup(copy)
    # Rows that are put back are no changes of a booking.
    for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        copy.execute(f'DROP TRIGGER "{name}"')
    copy.executescript(_TABLES)
    copy.executescript("DELETE FROM touched; DELETE FROM kept;")
    if not kept.image:
        # The tables as they are here, and nothing in them.
        for tab in (*_KEYS, "sqlite_sequence"):
            copy.execute(f"DELETE FROM {tab}")  # noqa: S608 - names of our own tables


def _rows(db: sqlite3.Connection, tab: str, key: str) -> Rows:
    columns = _columns(db, tab)
    touched = "SELECT key FROM touched WHERE tab = ?"
    found = db.execute(f"SELECT {', '.join(columns)} FROM {tab} WHERE {key} IN ({touched}) ORDER BY {key}", (tab,))  # noqa: S608 - names of our own tables
    gone = db.execute(f"{touched} AND key NOT IN (SELECT {key} FROM {tab})", (tab,))  # noqa: S608 - likewise
    return Rows(columns, tuple(found), tuple(each for (each,) in gone))


def _put(db: sqlite3.Connection, tab: str, found: Rows) -> None:
    """Write rows; a table or a column that only a newer release has is passed over."""
    key, known = _KEYS.get(tab), _columns(db, tab)
    if not key or not known:
        return
    places = [place for place, name in enumerate(found.columns) if name in known]
    names = ", ".join(found.columns[place] for place in places)
    marks = ", ".join("?" * len(places))
    db.executemany(f"DELETE FROM {tab} WHERE {key} = ?", [(each,) for each in found.gone])  # noqa: S608 - likewise
    # They differ from the image here too: what is sent next holds them again.
    place = found.columns.index(key)
    touched = [(tab, each) for each in (*found.gone, *(row[place] for row in found.rows))]
    db.executemany("INSERT INTO touched (tab, key) VALUES (?, ?)", touched)
    values: Sequence[tuple[_Value, ...]] = [tuple(row[place] for place in places) for row in found.rows]
    db.executemany(f"REPLACE INTO {tab} ({names}) VALUES ({marks})", values)  # noqa: S608 - likewise


def _columns(db: sqlite3.Connection, tab: str) -> tuple[str, ...]:
    return tuple(row[1] for row in db.execute(f"PRAGMA table_info({tab})"))
