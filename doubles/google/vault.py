"""Codes and tokens that were handed out, on disk: SQLite, so that a credential outlives a killed double."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from doubles.database import Database

TABLES = """
CREATE TABLE IF NOT EXISTS given (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL, expires REAL NOT NULL, data TEXT NOT NULL
);
"""
"""What the double's database holds for a `Vault`."""
_PREFIX = {"code": "4/0", "access": "ya29.", "refresh": "1//0"}
NEVER = 1e12
"""An expiry for what does not expire, in seconds since 1970."""
_LIVE = 100
"""Live refresh tokens an account has for one client; with one more the oldest dies. Google's documented limit."""


_WHOSE = "kind = 'refresh' AND coalesce(json_extract(data, '$.account'), '') = ?"


@dataclass(frozen=True, slots=True)
class Grant:
    """What stands behind a code or a token: the scopes the user allowed, and for a code what it is bound to."""

    scopes: tuple[str, ...]
    redirect_uri: str = ""
    challenge: str = ""
    method: str = ""
    lasting: bool = False
    """A refresh token comes with it."""
    expires: float = NEVER
    account: str = ""
    """Whose consent it is; "" is the account that owns every spreadsheet."""


class Vault:
    """All codes and tokens; `clock` tells seconds since 1970."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self.kept = database.kept
        self.clock = clock

    def give(self, kind: str, grant: Grant, parent: str = "") -> str:
        """Hand out a new `code`, `refresh` or `access` token; an access token dies with its parent."""
        token = _PREFIX[kind] + secrets.token_urlsafe(40)
        data = msgspec.json.encode(grant).decode()
        # Rows are numbered as they are given, so the oldest refresh tokens are those past the first 100 from the end.
        oldest = f"SELECT token FROM given WHERE {_WHOSE} ORDER BY rowid DESC LIMIT -1 OFFSET ?"  # noqa: S608 - our own text
        with self._database.transaction():
            self._database.write("DELETE FROM given WHERE kind != 'refresh' AND expires < ?", self.clock())
            self._database.write("INSERT INTO given VALUES (?, ?, ?, ?, ?)", token, kind, parent, grant.expires, data)
            self._database.write(f"DELETE FROM given WHERE token IN ({oldest})", grant.account, _LIVE)  # noqa: S608 - our own text
        return token

    def find(self, kind: str, token: str) -> Grant | None:
        """Return what stands behind a token that lives."""
        query = "SELECT data FROM given WHERE token = ? AND kind = ? AND expires > ?"
        found = self._database.row(query, token, kind, self.clock())
        return msgspec.json.decode(found[0], type=Grant) if found else None

    def take(self, kind: str, token: str) -> Grant | None:
        """Return what stands behind a token and end it: a code is good for one exchange."""
        grant = self.find(kind, token)
        self._database.write("DELETE FROM given WHERE token = ?", token)
        return grant

    def revoke_all(self, kinds: tuple[str, ...]) -> int:
        """End every token of these kinds; returns how many."""
        marks = ", ".join("?" * len(kinds))
        return self._database.write(f"DELETE FROM given WHERE kind IN ({marks})", *kinds).rowcount  # noqa: S608 - marks

    def has_lasting(self, account: str = "") -> bool:
        """Tell whether an account has a refresh token: the next consent gives none then, unless asked for anew."""
        query = f"SELECT 1 FROM given WHERE {_WHOSE} AND expires > ?"  # noqa: S608 - our own text
        return self._database.row(query, account, self.clock()) is not None
