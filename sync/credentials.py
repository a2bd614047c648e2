"""The Google credential, a service account's key or a token of auth_ga, turned into access to spreadsheets."""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import google.auth.exceptions
import google.oauth2.credentials
import google.oauth2.service_account

from sync.failure import (
    REAUTHENTICATE,
    Record,
    SyncFailed,
    account_failure,
    refresh_failure,
    scope_failure,
    transport_failure,
)
from sync.transport import Request

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
TOKEN_FILE = "port_sheet_token.json"  # noqa: S105 - a name, not a secret
_TRIES = 3
"""Of the token endpoint, each of which google-auth makes up to three calls."""
_FIRST = (
    f"give the service account's key by `fab secrets` (docs/google.md); or, with a user's account: {REAUTHENTICATE}"
)
_log = logging.getLogger(__name__)


Credentials = google.oauth2.credentials.Credentials | google.oauth2.service_account.Credentials


@dataclass(frozen=True, slots=True)
class Token:
    """What `port_sheet_token.json` holds: Google's credential, its fingerprint, and its dates as far as they are known.

    `account` is a service account's address, or empty.
    """

    credentials: Credentials
    fingerprint: str
    issued_at: datetime | None
    dies_at: datetime | None
    account: str = ""


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
    load = google.oauth2.credentials.Credentials.from_authorized_user_info
    # Without `scopes` google-auth leaves granted_scopes empty, and a narrower grant would pass unseen.
    found = load(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]  # google-auth has no types here
    issued_at = datetime.fromisoformat(info["issued_at"]) if "issued_at" in info else None
    lives_s = info.get("refresh_token_expires_in")
    dies_at = issued_at + timedelta(seconds=int(lives_s)) if issued_at and lives_s else None
    # from_authorized_user_info puts in Google's own address, whatever the file says.
    return Token(found.with_token_uri(token_url), _fingerprint(info["refresh_token"]), issued_at, dies_at)


def _service_account(info: dict[str, Any], token_url: str) -> Token:
    load = google.oauth2.service_account.Credentials.from_service_account_info
    found = load(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]  # google-auth has no types here
    # The audience stays Google's own address: it is part of what is signed, and not where it is sent.
    return Token(found.with_token_uri(token_url), _fingerprint(info["private_key"]), None, None, info["client_email"])


def refresh(
    token: Token, last_ok: datetime | None, now: datetime, pause: Callable[[float], None] = time.sleep
) -> Credentials:
    """Return the credential with a fresh access token that opens spreadsheets. Raises `SyncFailed`.

    An endpoint that is out of order is asked again: one 502 is no alarm yet.
    """
    for turn in range(_TRIES):
        try:
            return _refresh(token, last_ok, now)
        except SyncFailed as failed:
            if not failed.wait_s or turn == _TRIES - 1:
                raise
            _log.warning("%s; trying again", failed)
            pause(failed.wait_s * 2**turn)
    raise AssertionError("the last try returns or raises")


def _refresh(token: Token, last_ok: datetime | None, now: datetime) -> Credentials:
    try:
        token.credentials.refresh(Request())  # type: ignore[no-untyped-call]  # google-auth has no types here
    except google.auth.exceptions.RefreshError as error:
        if token.account:
            raise account_failure(error.args, token.account) from error
        raise refresh_failure(error.args, Record(now, token.issued_at, token.dies_at, last_ok)) from error
    except google.auth.exceptions.TransportError as error:
        raise transport_failure("token_endpoint", error) from error
    # A service account is granted nothing by a user: the sheet is shared with it, or not.
    granted = getattr(token.credentials, "granted_scopes", None)
    if granted is not None and SCOPE not in granted:  # google-auth only warns of it
        raise scope_failure(granted)
    return token.credentials


def _absent() -> NoReturn:
    raise FileNotFoundError


def _fingerprint(secret: object) -> str:
    """Tell one credential from the next without keeping it."""
    return hashlib.sha256(str(secret).encode()).hexdigest()[:16]
