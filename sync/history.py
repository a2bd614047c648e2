"""What the sync remembers between runs: the base of each booking, the last success, when which token last worked."""

import contextlib
import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from sync import carried
from sync.batch import Batch
from sync.failure import SyncFailed
from sync.judge import Finding, Verdict
from sync.plan import Base, Cell
from sync.strays import Stray

_FILE = "history.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS base (id TEXT PRIMARY KEY, cells TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, data BLOB NOT NULL,
    judged INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stray (number INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS told (number INTEGER PRIMARY KEY, at TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS changed (number INTEGER PRIMARY KEY, id TEXT NOT NULL, old TEXT, new TEXT);
DROP TRIGGER IF EXISTS keep_new;
DROP TRIGGER IF EXISTS keep_gone;
"""

_ALL_NEW = "all_new"
"""The note that all that is settled is new since `forget_changes`: a first load would be written twice."""
_JUDGED, _WATCHED = 1, 2
"""What a batch is beyond sent."""
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch that was sent, when, and whether it was judged by its copy.

    `is_watched`: it is taken for never carried out; only its copy would say that it was, after all.
    """

    number: int
    at: datetime
    batch: Batch
    judged: bool
    is_watched: bool = False


class Busy(SyncFailed):
    """Another run holds the memory: two at once would both add the same rows."""


def require_memory(folder: Path) -> None:
    """Refuse a folder in which no run has kept anything. Raises `SyncFailed`."""
    if not (folder / _FILE).is_file():
        cure = "give the folder that the sync's unit has by --state"
        raise SyncFailed("memory_unusable", f"there is no memory of the sync in {folder}", cure)


@contextlib.contextmanager
def opened(folder: Path, columns: Sequence[str]) -> Iterator["History"]:
    """Open the memory in a folder for this run only. Raises `Busy`, `OSError`, `sqlite3.Error`."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("already_running", "another run of the sync is under way", "wait for its end") from None
        history = History(folder, columns)
        try:
            yield history
        finally:
            history.close()
            # Closing the file is not enough: a program that another thread just starts has a copy of it for a moment.
            fcntl.flock(lock, fcntl.LOCK_UN)


class History:
    """The memory in a folder; `columns` are our columns, the state last. `opened` gives it out.

    Raises `sqlite3.Error` when the disk refuses or the file is damaged.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._known: dict[str, str] | None = None
        self._db = sqlite3.connect(folder / _FILE, isolation_level=None)
        # FULL: with a base that a power cut took back, a booking that changes meanwhile looks like a conflict.
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)

    # What other hosts go on from

    def follow(self) -> int:
        """Note from now on what changes since it was last kept in the store; return which version that was, or 0."""
        carried.follow(self._db)
        return carried.noted(self._db)[0]

    @property
    def was_shared(self) -> bool:
        """Whether other hosts ever went on from what is here."""
        return carried.is_noted(self._db)

    @property
    def writes(self) -> int:
        """A number that grows with each row that is written here."""
        return self._db.total_changes

    def touched(self) -> carried.Kept:
        """Return the rows that were touched since the last image."""
        return carried.rows(self._db)

    def image(self) -> tuple[carried.Kept, bytes]:
        """Return an image of all."""
        return carried.image(self._db)

    def note_kept(self, version: int, kept: carried.Kept, *, is_image: bool) -> None:
        """Note which version the store holds."""
        carried.note(self._db, version, kept, is_image=is_image)

    def restore(self, version: int, kept: carried.Kept, image: bytes | None) -> None:
        """Put a version that the store holds in place of what is here. Raises `carried.Unfit`."""
        self._known = None
        carried.restore(self._db, version, kept, image)
        self._db.executescript("PRAGMA journal_mode=WAL;" + _TABLES)
        carried.follow(self._db)

    @property
    def is_under_way(self) -> bool:
        """Whether a write was sent of which it is not known yet that it is over."""
        unjudged = self._db.execute("SELECT 1 FROM batch WHERE judged = 0").fetchone()
        return unjudged is not None or self._note("load") is not None

    # What a run reads and keeps

    def base(self) -> "Settled":
        """Return the settled cells of each booking; those of a column that is new since then are None."""
        then = json.loads(self._note("columns") or "[]")
        places = [then.index(name) if name in then else None for name in self._columns]
        return Settled(self._texts().copy(), places)

    def _texts(self) -> dict[str, str]:
        """Return the cells of each booking as they are kept. Read once: they are half of a large memory's reading."""
        if self._known is None:
            self._known = dict(self._db.execute("SELECT id, cells FROM base"))
        return self._known

    def settle(self, new: Base, at: datetime, *, proven: bool = True) -> None:
        """Keep what a reading verified: the new base in place of the old one, and the time when it is proven."""
        # In autocommit mode sqlite3's `with` only ends a transaction: it begins none.
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            # Bases are kept by place: those of other columns would be read at the wrong ones.
            self._align()
            old = self._texts()
            # All at once: a call for each would take as long as all the rest.
            texts = dict(zip(new, _ENCODER.encode_lines(new.values()).decode().split("\n"), strict=False))
            changed = [(key, text) for key, text in texts.items() if old.get(key) != text]
            gone = [(key,) for key in old if key not in new]
            self._note_changes([*changed, *((key, None) for (key,) in gone)])
            self._db.executemany("DELETE FROM base WHERE id = ?", gone)
            self._db.executemany("REPLACE INTO base (id, cells) VALUES (?, ?)", changed)
            if proven:
                self._keep("last_success", at.isoformat())
        self._known = texts

    def tab(self, spreadsheet: str, title: str) -> int | None:
        """Return the id of the tab that was last known by this title in the settings."""
        noted = json.loads(self._note("tab") or "{}")
        return int(noted["id"]) if (noted.get("spreadsheet"), noted.get("title")) == (spreadsheet, title) else None

    def keep_tab(self, spreadsheet: str, title: str, tab: int) -> None:
        """Keep the tab's id: it outlives the tab's title."""
        self._keep("tab", json.dumps({"spreadsheet": spreadsheet, "title": title, "id": tab}))

    def keep_load(self, tab: int, at: datetime) -> None:
        """Keep that all rows are being appended to a tab. On disk when this returns."""
        self._keep("load", json.dumps({"tab": tab, "at": at.isoformat()}))

    def load(self, tab: int) -> datetime | None:
        """Return when a load of a tab began whose end is not known."""
        noted = json.loads(self._note("load") or "{}")
        return _time(noted["at"]) if noted.get("tab") == tab else None

    def forget_load(self) -> None:
        """The load is over, or was never carried out."""
        self._db.execute("DELETE FROM note WHERE name = 'load'")

    def end_load(self, before: datetime) -> None:
        """A load that was sent before then is over, whichever tab it was for."""
        sent = _time(json.loads(self._note("load") or "{}").get("at"))
        if sent and sent <= before:
            self.forget_load()

    def begin(self, batch: Batch, at: datetime) -> int:
        """Keep a batch before it is sent, and return its number. On disk when this returns."""
        data = msgspec.json.encode(batch)
        row = self._db.execute("INSERT INTO batch (at, data, judged) VALUES (?, ?, 0)", (at.isoformat(), data))
        return int(row.lastrowid or 0)

    def batches(self) -> list[Begun]:
        """Return the batches that were begun and are not over, the oldest first."""
        rows = self._db.execute("SELECT number, at, data, judged FROM batch ORDER BY number")
        return [
            Begun(
                number,
                datetime.fromisoformat(at),
                msgspec.json.decode(data, type=Batch),
                judged == _JUDGED,
                judged == _WATCHED,
            )
            for number, at, data, judged in rows
        ]

    def watch(self, number: int) -> None:
        """A batch is taken for never carried out; another host that stood still may send it all the same."""
        self._db.execute("UPDATE batch SET judged = ? WHERE number = ?", (_WATCHED, number))

    def forget(self, number: int) -> None:
        """A batch is over: its copy is gone, or it was never carried out."""
        self._db.execute("DELETE FROM batch WHERE number = ?", (number,))

    def judged(self, number: int, verdict: Verdict, settled: Base, at: datetime) -> None:
        """Keep what a batch settled, took and left to undo; all of it or nothing, and on disk when this returns."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._align()
            rows = {key: _json(cells) for key, cells in settled.items()}
            self._note_changes(rows.items())
            self._db.executemany("REPLACE INTO base (id, cells) VALUES (?, ?)", rows.items())
            self._db.executemany("DELETE FROM stray WHERE number = ?", [(number,) for number in verdict.done])
            strays = [(msgspec.json.encode(stray),) for stray in verdict.strays]
            self._db.executemany("INSERT INTO stray (data) VALUES (?)", strays)
            self._tell(verdict.findings, at)
            self._db.execute("UPDATE batch SET judged = 1 WHERE number = ?", (number,))
        self._texts().update(rows)

    def strays(self) -> dict[int, Stray]:
        """Return what is in a wrong place and not undone yet, by its number."""
        rows = self._db.execute("SELECT number, data FROM stray ORDER BY number")
        return {number: msgspec.json.decode(data, type=Stray) for number, data in rows}

    def close_strays(self, numbers: Iterable[int], findings: Sequence[Finding], at: datetime) -> None:
        """Forget strays that need nothing any more, and tell why."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.executemany("DELETE FROM stray WHERE number = ?", [(number,) for number in numbers])
            self._tell(findings, at)

    def findings(self) -> list[tuple[datetime, Finding]]:
        """Return what was told of values of users that our writes met, since `forget_findings`; the oldest first."""
        rows = self._db.execute("SELECT at, data FROM told ORDER BY number")
        return [(datetime.fromisoformat(at), msgspec.json.decode(data, type=Finding)) for at, data in rows]

    def forget_findings(self) -> None:
        """What was told is kept elsewhere now."""
        self._db.execute("DELETE FROM told")

    def _tell(self, findings: Iterable[Finding], at: datetime) -> None:
        rows = [(at.isoformat(), msgspec.json.encode(each)) for each in findings]
        self._db.executemany("INSERT INTO told (at, data) VALUES (?, ?)", rows)

    def _align(self) -> None:
        """Bring the bases into the order of our columns, where these are others than before."""
        if json.loads(self._note("columns") or "[]") == list(self._columns):
            return
        known, self._known = self.base(), None
        self._db.execute("DELETE FROM base")
        rows = [(key, _json(cells)) for key, cells in known.items()]
        self._db.executemany("INSERT INTO base (id, cells) VALUES (?, ?)", rows)
        self._keep("columns", json.dumps(self._columns))

    def settled_changes(self) -> list[tuple[str, str | None, str | None]]:
        """Return what was settled since `forget_changes`: each booking with its cells before and after, as JSON.

        None: it was not there.
        """
        if self._note(_ALL_NEW) is not None:
            return [(key, None, text) for key, text in self._texts().items()]
        spans: dict[str, tuple[str | None, str | None]] = {}
        for key, old, new in self._db.execute("SELECT id, old, new FROM changed ORDER BY number"):
            spans[key] = (spans[key][0] if key in spans else old, new)
        return [(key, old, new) for key, (old, new) in spans.items() if old != new]

    def forget_changes(self) -> None:
        """The settled changes are kept elsewhere now."""
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute("DELETE FROM changed")
            self._db.execute("DELETE FROM note WHERE name = ?", (_ALL_NEW,))

    def _note_changes(self, new: Iterable[tuple[str, str | None]]) -> None:
        """Note what bookings' cells become, in the transaction that settles them: no crash loses a change."""
        old = self._texts()
        if old or self._db.execute("SELECT 1 FROM changed").fetchone():
            rows = [(key, old.get(key), text) for key, text in new]
            self._db.executemany("INSERT INTO changed (id, old, new) VALUES (?, ?, ?)", rows)
        else:
            self._keep(_ALL_NEW, "")

    def last_success(self) -> datetime | None:
        """Return the end of the last verified run."""
        return _time(self._note("last_success"))

    def token_worked(self, token: str, at: datetime) -> None:
        """Note that the token of this fingerprint was just accepted."""
        self._keep("token_ok", json.dumps({"token": token, "at": at.isoformat()}))

    def token_last_ok(self, token: str) -> datetime | None:
        """Return when the token of this fingerprint was last accepted."""
        noted = json.loads(self._note("token_ok") or "{}")
        return _time(noted["at"]) if noted.get("token") == token else None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _note(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def _keep(self, name: str, value: str) -> None:
        self._db.execute("REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))


class Settled(Mapping[str, tuple[Cell | None, ...]]):
    """The settled cells of each booking, read from their JSON when they are asked for: of most bookings nothing is."""

    def __init__(self, texts: Mapping[str, str], places: Sequence[int | None]) -> None:
        self._texts, self._places = texts, places
        self._learnt: dict[str, tuple[Cell | None, ...]] = {}

    def learn(self, settled: Base) -> None:
        """Take what was settled since."""
        self._learnt.update(settled)

    def __getitem__(self, key: str) -> tuple[Cell | None, ...]:
        """Return a booking's cells. Raises `KeyError`."""
        if key in self._learnt:
            return self._learnt[key]
        cells = msgspec.json.decode(self._texts[key])
        return tuple(None if place is None else cells[place] for place in self._places)

    def __contains__(self, key: object) -> bool:
        """Whether a booking is known."""
        return key in self._texts or key in self._learnt

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the bookings that are known."""
        yield from self._texts
        yield from (key for key in self._learnt if key not in self._texts)

    def __len__(self) -> int:
        """How many bookings are known."""
        return len(self._texts) + sum(key not in self._texts for key in self._learnt)


def _json(cells: Sequence[Cell | None]) -> str:
    return msgspec.json.encode(cells).decode()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
