"""Signing in to the page: a code that works once, the cookie that it is exchanged for, and the CSRF token of forms.

`fab dashboard` asks for a code over the API and prints a link that holds it. The link's page has a button: what looks
at a link before its user does (a chat's preview, a virus scanner) sends GET, and must not spend it. Of the cookie only
the hash is kept.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dashboard.kept import Kept
from dashboard.record import Clock
from wire.times import stamp
from wire.types import Invitation
from wire.values import Written

COOKIE = "__Host-jada"
"""Its prefix makes browsers refuse it with a Domain or without Secure: no other name of this machine can plant it."""
# It stands in an address, and so in a browser's history and a terminal's: soon it must be worth nothing.
CODE_LIFE = timedelta(minutes=5)
CODES, SIGN_INS = 20, 100
"""How many there are at most; the oldest makes way."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, by name; `secret` is what this sign-in's CSRF tokens are made of."""

    name: str
    secret: bytes

    def csrf(self, salt: bytes) -> str:
        """Return a CSRF token, masked by 32 random bytes: a compressed answer's length must not tell of it."""
        return (salt + _xor(salt, self.secret)).hex()

    def is_own(self, token: str) -> bool:
        """Say whether a form's token was made for this sign-in."""
        try:
            given = bytes.fromhex(token)
        except ValueError:
            return False
        return len(given) == 64 and hmac.compare_digest(_xor(given[:32], given[32:]), self.secret)


class SignIn(Written, frozen=True, kw_only=True):
    """A sign-in as it is kept: the SHA-256 of its cookie, whose it is, and when it ends (seconds since 1970)."""

    hash: str
    name: str
    until: float


class Held(Written, frozen=True, kw_only=True):
    """All sign-ins, oldest first."""

    sign_ins: tuple[SignIn, ...] = ()


class SignIns:
    """The codes, in memory, and the sign-ins, in a file: a restart ends no sign-in, and may end a code of minutes."""

    def __init__(
        self, file: Path | None, clock: Clock, days: int, fresh: Callable[[], str] = secrets.token_urlsafe
    ) -> None:
        self._kept = Kept(file, Held())
        self._clock = clock
        self.days = days
        self._fresh = fresh
        self._codes: dict[str, SignIn] = {}
        # Two uses of one code at the same time: one of them wins.
        self._lock = threading.Lock()

    def invite(self, name: str) -> Invitation:
        """Make a code for an operator of that name."""
        code, ends = self._fresh(), self._clock() + CODE_LIFE
        with self._lock:
            self._codes[_hash(code)] = SignIn(hash=_hash(code), name=name, until=ends.timestamp())
            for oldest in [*self._codes][:-CODES]:
                del self._codes[oldest]
        return Invitation(path=f"/sign-in/{code}", expires_at=stamp(ends))

    def invited(self, code: str) -> str | None:
        """Return whom a code lets in, without using it up."""
        found = self._codes.get(_hash(code))
        return found.name if found and found.until > self._now() else None

    def accept(self, code: str) -> str | None:
        """Exchange a code for a cookie's value; None for one that was used, is too old, or never was."""
        with self._lock:
            # Taken out before it is looked at: a code is worth one try.
            found = self._codes.pop(_hash(code), None)
            if found is None or found.until <= self._now():
                return None
            cookie = self._fresh()
            until = self._now() + timedelta(days=self.days).total_seconds()
            made = SignIn(hash=_hash(cookie), name=found.name, until=until)
            self._kept.keep(Held(sign_ins=(*self._living(), made)[-SIGN_INS:]))
            return cookie

    def visitor(self, cookie: str) -> Visitor | None:
        """Return who is signed in by a cookie."""
        wanted = _hash(cookie)
        for held in self._living():
            if hmac.compare_digest(held.hash, wanted):
                return Visitor(held.name, hashlib.sha256(b"csrf:" + cookie.encode()).digest())
        return None

    def sign_out(self, cookie: str) -> None:
        """End a sign-in: whoever copied its cookie is out, too."""
        gone = _hash(cookie)
        with self._lock:
            self._kept.keep(Held(sign_ins=tuple(held for held in self._living() if held.hash != gone)))

    def _living(self) -> tuple[SignIn, ...]:
        now = self._now()
        return tuple(held for held in self._kept.value.sign_ins if held.until > now)

    def _now(self) -> float:
        return self._clock().timestamp()


def _hash(text: str) -> str:
    # A quick hash is enough: what is hashed is 256 bits of chance, and no one's password.
    return hashlib.sha256(text.encode()).hexdigest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
