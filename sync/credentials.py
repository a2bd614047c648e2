"""The Google credential, a service account's key or a token of auth_ga, turned into access to spreadsheets."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec

from sync.calls import NoAnswer, Origin
from sync.failure import (
    REAUTHENTICATE,
    Record,
    SyncFailed,
    account_failure,
    refresh_failure,
    scope_failure,
    transport_failure,
)
from wire.secret import Secret

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
TOKEN_FILE = "port_sheet_token.json"  # noqa: S105 - a name, not a secret
_TRIES = 3
"""Calls of the token endpoint before its outage is told."""
_FIRST = (
    f"give the service account's key by `fab secrets` (docs/google.md); or, with a user's account: {REAUTHENTICATE}"
)
_log = logging.getLogger(__name__)

_GOOGLE = "https://oauth2.googleapis.com/token"
"""Whom an assertion is made out to, wherever it is sent: the address is part of what is signed."""
# The longest that Google takes.
_ASSERTION_S = 3600
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Form = dict[str, str]


class Token(msgspec.Struct, frozen=True):
    """What `port_sheet_token.json` holds: what is posted to the endpoint `url` for access, as of a time, the
    credential's fingerprint, and its dates as far as they are known.

    `account` is a service account's address, or empty.
    """

    url: str
    form: Callable[[datetime], Form]
    fingerprint: str
    issued_at: datetime | None
    dies_at: datetime | None
    account: str = ""


@dataclass(slots=True)
class Access:
    """An access token, and how to get another when its hour is over or it was taken away."""

    token: Secret
    renewed: Callable[[], Secret]

    def renew(self) -> None:
        """Get another. Raises `SyncFailed`."""
        self.token = self.renewed()


def read(path: Path, token_url: str) -> Token:
    """Read a credential's file: a service account's key, or a token of auth_ga. Raises `SyncFailed`."""
    try:
        text = path.read_text(encoding="utf-8")
        # The unit has an empty line in place of a secret that is not there.
        info = json.loads(text) if text.strip() else _absent()
        return _service_account(info, token_url) if info.get("type") == "service_account" else _user(info, token_url)
    except FileNotFoundError:
        raise SyncFailed("token_missing", f"there is no credential {path.name}", _FIRST) from None
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        # What was read may hold secrets: the kind of error says enough.
        cause = f"{path.name} is neither a service account's key nor a token of auth_ga ({type(error).__name__})"
        raise SyncFailed("token_unreadable", cause, _FIRST) from None


def _user(info: dict[str, Any], token_url: str) -> Token:
    names = ("client_id", "client_secret", "refresh_token")
    form = {"grant_type": "refresh_token", "scope": SCOPE} | {name: _text(info[name]) for name in names}
    issued_at = datetime.fromisoformat(info["issued_at"]) if "issued_at" in info else None
    lives_s = info.get("refresh_token_expires_in")
    dies_at = issued_at + timedelta(seconds=int(lives_s)) if issued_at and lives_s else None
    return Token(token_url, lambda _now: form, _fingerprint(info["refresh_token"]), issued_at, dies_at)


def _service_account(info: dict[str, Any], token_url: str) -> Token:
    # With what it signs with, a third of what a run of a user's token loads: only here.
    from google.auth import crypt, jwt  # noqa: PLC0415

    signer = crypt.RSASigner.from_service_account_info(info)  # type: ignore[no-untyped-call]  # google-auth has none
    email = _text(info["client_email"])

    def form(now: datetime) -> Form:
        at = int(now.timestamp())
        claims = {"iat": at, "exp": at + _ASSERTION_S, "iss": email, "aud": _GOOGLE, "scope": SCOPE}
        return {"grant_type": _JWT, "assertion": jwt.encode(signer, claims).decode()}  # type: ignore[no-untyped-call]

    return Token(token_url, form, _fingerprint(info["private_key"]), None, None, email)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError  # it may hold secrets: nothing of it is said
    return value


def refresh(
    token: Token, last_ok: datetime | None, now: datetime, pause: Callable[[float], None] = time.sleep
) -> Access:
    """Return access to spreadsheets. Raises `SyncFailed`.

    An endpoint that is out of order is asked again: one 502 is no alarm yet.
    """
    record = Record(now, token.issued_at, token.dies_at, last_ok)
    for turn in range(_TRIES):
        try:
            return Access(_asked(token, record), lambda: _asked(token, record))
        except SyncFailed as failed:
            if not failed.wait_s or turn == _TRIES - 1:
                raise
            _log.warning("%s; trying again", failed)
            pause(failed.wait_s * 2**turn)
    raise AssertionError("the last try returns or raises")


def _asked(token: Token, record: Record) -> Secret:
    endpoint = Origin(token.url)
    form = urlencode(token.form(record.now)).encode()
    try:
        status, data = endpoint.ask("POST", urlsplit(token.url).path or "/", _FORM, form)
    except NoAnswer as error:
        raise transport_failure("token_endpoint", error) from error
    finally:
        endpoint.close()
    body = _body(data)
    if status != HTTPStatus.OK or not isinstance(body.get("access_token"), str):
        if token.account:
            raise account_failure(body, status, token.account)
        raise refresh_failure(body, status, record)
    # A service account is granted nothing by a user: the sheet is shared with it, or not.
    granted = str(body.get("scope", SCOPE)).split()
    if not token.account and SCOPE not in granted:
        raise scope_failure(granted)
    return Secret(body["access_token"])


def _body(data: bytes) -> Mapping[str, Any]:
    """An answer's object; empty for a page in its place."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _absent() -> NoReturn:
    raise FileNotFoundError


def _fingerprint(secret: object) -> str:
    """Tell one credential from the next without keeping it."""
    return hashlib.sha256(str(secret).encode()).hexdigest()[:16]
