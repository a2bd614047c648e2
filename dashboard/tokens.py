"""Tokens for programs on other hosts: each has one scope and is kept as its hash only.

On the dashboard's own host nothing needs one: over the socket the kernel says who calls.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace
from ulid import ULID

from dashboard.kept import Kept
from dashboard.record import Clock, NotFound
from wire.routes import Right
from wire.times import stamp
from wire.types import MadeToken, Scope, Token
from wire.values import Written

RIGHTS: Mapping[Scope, frozenset[Right]] = {
    Scope.AGENT: frozenset({Right.PUBLIC, Right.AGENT}),
    Scope.SYNC: frozenset({Right.PUBLIC, Right.SYNC}),
    Scope.TELL: frozenset({Right.PUBLIC, Right.TELL}),
    Scope.METRICS: frozenset({Right.PUBLIC, Right.METRICS}),
    Scope.OPERATOR: frozenset(Right),
}


class HeldToken(Written, frozen=True, kw_only=True):
    """A token as it is kept: the SHA-256 of its text, and what is said of it."""

    hash: str
    token: Token


class Held(Written, frozen=True, kw_only=True):
    """All tokens, oldest first."""

    tokens: tuple[HeldToken, ...] = ()


class Tokens:
    """The tokens that are taken, in a file."""

    def __init__(self, file: Path | None, clock: Clock, fresh: Callable[[], str] = secrets.token_urlsafe) -> None:
        self._kept = Kept(file, Held())
        self._clock = clock
        self._fresh = fresh
        self._lock = threading.Lock()

    def make(self, name: str, scope: Scope) -> MadeToken:
        """Make a token; its text is in this answer only."""
        text, now = self._fresh(), self._clock()
        token = Token(id=str(ULID.from_datetime(now)), name=name, scope=scope, made_at=stamp(now))
        with self._lock:
            self._kept.keep(Held(tokens=(*self._kept.value.tokens, HeldToken(hash=_hash(text), token=token))))
        return MadeToken(token=token, text=text)

    def listed(self) -> tuple[Token, ...]:
        """Return what is said of each, oldest first."""
        return tuple(held.token for held in self._kept.value.tokens)

    def revoke(self, token_id: str) -> Token:
        """Take a token no more, from now on. Raises `NotFound`."""
        with self._lock:
            tokens = self._kept.value.tokens
            gone = next((held.token for held in tokens if held.token.id == token_id), None)
            if gone is None:
                raise NotFound(f"no token {token_id}")
            self._kept.keep(Held(tokens=tuple(held for held in tokens if held.token.id != token_id)))
        return replace(gone, revoked=True)

    def holder(self, text: str) -> Token | None:
        """Return whose token this is."""
        given = _hash(text)
        # Hashes compared in constant time: how long a refusal takes says nothing about a token.
        found = [held.token for held in self._kept.value.tokens if hmac.compare_digest(held.hash, given)]
        return found[0] if found else None


def rights(token: Token) -> frozenset[Right]:
    """Return what the holder of a token may; a scope that only another release knows gives nothing."""
    return RIGHTS.get(token.scope, frozenset({Right.PUBLIC}))


def _hash(text: str) -> str:
    # A quick hash is enough: what is hashed is 256 bits of chance, and no one's password.
    return hashlib.sha256(text.encode()).hexdigest()
