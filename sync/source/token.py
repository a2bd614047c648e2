"""The token that a booking system gives for our secret: exchanged seldom, and kept on disk while it lives."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from sync.failure import SyncFailed
from sync.source.bookings import ASK, odd
from sync.source.fields import value_at
from sync.source.web import Web, require_ok
from sync.source_settings import Exchange
from wire.disk import replace_file
from wire.secret import Secret

FILE = "source-token.json"
_EARLY_S = 60
"""Before its end a token is not used any more: a call may take that long."""


class Kept(msgspec.Struct, frozen=True):
    """A token on disk: whose it is, when it was given, and when it ends, in seconds since 1970."""

    owner: str
    token: str
    given: float
    ends: float
    refused: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of one exchange; `now` says the seconds since 1970."""

    exchange: Exchange
    secret: Secret
    folder: Path
    web: Web
    now: Callable[[], float]

    def token(self) -> Secret:
        """Return a token that lives, from disk or exchanged now. Raises `SyncFailed`."""
        kept = self._kept()
        if kept and not kept.refused and self.now() < kept.ends - _EARLY_S:
            return Secret(kept.token)
        if kept and kept.refused and self.now() < kept.given + self.exchange.again_s:
            raise self._refused(kept)
        return self._exchange()

    def refused(self) -> None:
        """Note that the system did not take the token: another is asked for, but not more often than `again_s` says."""
        if kept := self._kept():
            self._keep(Kept(kept.owner, kept.token, kept.given, kept.ends, refused=True))

    def _exchange(self) -> Secret:
        order = self.exchange
        form = {**order.form, order.secret_field: self.secret.reveal()}
        kind = "application/json" if order.json else "application/x-www-form-urlencoded"
        body = json.dumps(form) if order.json else urlencode(form)
        headers = {"Content-Type": kind, "Accept": "application/json"}
        answer = self.web.call("POST", order.url, headers, body.encode())
        if answer.status in (400, 401, 403):
            cause = f"the booking system at {order.url} gives no token for our secret (status {answer.status})"
            cure = "put the right one in place with `fab secrets` (bookings_token), or correct [sync.source.exchange]"
            raise SyncFailed("bookings_token", cause, cure)
        try:
            data = json.loads(require_ok(answer, order.url))
        except (ValueError, RecursionError):
            raise odd("its token's answer is no JSON", ASK) from None
        token, lives = value_at(data, order.token), value_at(data, order.lives)
        if not isinstance(token, str) or not token.strip():
            # The answer may hold a token elsewhere: it is not shown.
            raise odd(f"its token's answer has no text at {order.token}", "correct sync.source.exchange.token")
        seconds = float(lives) if isinstance(lives, int | float) and not isinstance(lives, bool) else order.lives_s
        self._keep(Kept(self._owner(), token.strip(), self.now(), self.now() + seconds))
        return Secret(token.strip())

    def _refused(self, kept: Kept) -> SyncFailed:
        wait = (kept.given + self.exchange.again_s - self.now()) / 60
        cause = f"the booking system refused the token that it gave itself; the next is asked for in {wait:.0f} minutes"
        cure = f"{ASK} whether the account may read bookings; `fab secrets` with another bookings_token tries at once"
        return SyncFailed("bookings_token", cause, cure)

    def _owner(self) -> str:
        """Tell the tokens of another address, form or secret from ours, without keeping the secret."""
        order = [self.exchange.url, sorted(self.exchange.form.items()), self.secret.reveal()]
        return hashlib.sha256(json.dumps(order).encode()).hexdigest()

    def _kept(self) -> Kept | None:
        try:
            kept = Kept(**json.loads((self.folder / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return kept if kept.owner == self._owner() else None

    def _keep(self, kept: Kept) -> None:
        text = json.dumps({name: getattr(kept, name) for name in Kept.__struct_fields__})
        replace_file(self.folder / FILE, text.encode())
