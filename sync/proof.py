"""A harmless write that proves a credential: a tab is added and deleted again in one atomic batch."""

import random
from collections.abc import Callable

import requests
from google.auth.exceptions import RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession

from sync.credentials import TIMEOUT_S, Credentials
from sync.failure import SyncFailed, refresh_failure, sheets_failure, transport_failure
from sync.settings import Settings


def prove(settings: Settings, credentials: Credentials, number: Callable[[], int]) -> None:
    """Write into the spreadsheet so that nothing of it changes. Raises `SyncFailed` that says why it can't be written.

    `number` gives the tab an id: one that is taken by chance is refused by Google, and is asked for anew.
    """
    tab = number()
    added = {"addSheet": {"properties": {"sheetId": tab, "title": f".jada proof {tab}", "hidden": True}}}
    body = {"requests": [added, {"deleteSheet": {"sheetId": tab}}]}
    url = f"{settings.sheets_url.rstrip('/')}/{settings.spreadsheet_id}:batchUpdate"
    try:
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]  # google-auth has no types here
            answer = session.post(url, json=body, timeout=TIMEOUT_S)
    except RefreshError as error:
        raise refresh_failure(error.args) from error
    except (requests.RequestException, TransportError) as error:
        raise transport_failure("sheets", error) from error
    if answer.status_code != requests.codes.ok:
        raise sheets_failure(answer.status_code, _error(answer), settings.spreadsheet_id)


def any_tab() -> int:
    """Return an id that no tab has, but for a chance of one in a hundred million."""
    return random.SystemRandom().randrange(1, 2**31)


def refused_account(failed: SyncFailed, account: str) -> SyncFailed:
    """Say what a refused proof means for the account that was just signed in with."""
    if failed.kind in ("sheet_forbidden", "sheet_missing"):
        cause = f"{account} may not edit the spreadsheet: {failed.cause}"
        cure = "sign in as an account that may, or share the spreadsheet with this one as Editor; then once more"
        return SyncFailed("account_wrong", cause, cure)
    return failed


def _error(answer: requests.Response) -> dict[str, object]:
    try:
        found = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {"message": answer.text[:200]}
    return dict(found)
