"""Codes and tokens that were handed out, on disk: SQLite, so that a credential outlives a killed double."""

import json
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS given (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL, expires REAL NOT NULL, data TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_PREFIX = {"code": "4/0", "access": "ya29.", "refresh": "1//0"}
NEVER = 1e12
"""An expiry for what does not expire, in seconds since 1970."""
_LIVE = 100
"""Live refresh tokens an account has for one client; with one more the oldest dies. Google's documented limit."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What stands behind a code or a token: the scopes a person allowed, and for a code what it is bound to."""

    scopes: tuple[str, ...]
    redirect_uri: str = ""
    challenge: str = ""
    method: str = ""
    lasting: bool = False
    """A refresh token comes with it."""
    expires: float = NEVER


class Vault:
    """All codes and tokens; `clock` tells seconds since 1970."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / "oauth.sqlite", check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL;" + _TABLES)
        self.clock = clock

    def kept(self, name: str, make: Callable[[], str]) -> str:
        """Return the text kept under `name`; the first time, what `make` gives."""
        found = self._db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        if found:
            return str(found[0])
        value = make()
        with self._db:
            self._db.execute("INSERT INTO kept VALUES (?, ?)", (name, value))
        return value

    def give(self, kind: str, grant: Grant, parent: str = "") -> str:
        """Hand out a new `code`, `refresh` or `access` token; an access token dies with its parent."""
        token = _PREFIX[kind] + secrets.token_urlsafe(40)
        row = (token, kind, parent, grant.expires, json.dumps(asdict(grant)))
        with self._db:
            self._db.execute("DELETE FROM given WHERE kind != 'refresh' AND expires < ?", (self.clock(),))
            self._db.execute("INSERT INTO given VALUES (?, ?, ?, ?, ?)", row)
            oldest = "SELECT token FROM given WHERE kind = 'refresh' ORDER BY rowid DESC LIMIT -1 OFFSET ?"
            self._db.execute(f"DELETE FROM given WHERE token IN ({oldest})", (_LIVE,))  # noqa: S608 - our own text
        return token

    def find(self, kind: str, token: str) -> Grant | None:
        """Return what stands behind a token that lives."""
        query = "SELECT data FROM given WHERE token = ? AND kind = ? AND expires > ?"
        found = self._db.execute(query, (token, kind, self.clock())).fetchone()
        if found is None:
            return None
        data = json.loads(found[0])
        return Grant(**{**data, "scopes": tuple(data["scopes"])})

    def take(self, kind: str, token: str) -> Grant | None:
        """Return what stands behind a token and end it: a code is good for one exchange."""
        grant = self.find(kind, token)
        self.revoke(token)
        return grant

    def revoke(self, token: str) -> bool:
        """End a token, its parent and all their children; false when it was not alive."""
        query = "SELECT CASE parent WHEN '' THEN token ELSE parent END FROM given WHERE token = ?"
        found = self._db.execute(query, (token,)).fetchone()
        with self._db:
            self._db.execute("DELETE FROM given WHERE ? IN (token, parent)", found or ("-",))
        return found is not None

    def revoke_all(self, kinds: tuple[str, ...]) -> int:
        """End every token of these kinds; returns how many."""
        marks = ", ".join("?" * len(kinds))
        with self._db:
            return self._db.execute(f"DELETE FROM given WHERE kind IN ({marks})", kinds).rowcount  # noqa: S608 - marks

    def has_lasting(self) -> bool:
        """Tell whether a refresh token lives: the next consent then gives none, unless it is asked for anew."""
        query = "SELECT 1 FROM given WHERE kind = 'refresh' AND expires > ?"
        return self._db.execute(query, (self.clock(),)).fetchone() is not None
