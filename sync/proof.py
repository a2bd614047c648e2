"""A harmless write that proves a credential: a tab is added and deleted again in one atomic batch."""

import json
import random
from collections.abc import Callable

from sync.api import Api
from sync.credentials import Access
from sync.failure import SyncFailed
from sync.settings import Settings


def prove(settings: Settings, access: Access, number: Callable[[], int]) -> None:
    """Write into the spreadsheet so that nothing of it changes. Raises `SyncFailed` that says why it can't be written.

    `number` gives the tab an id that no tab has.
    """
    tab = number()
    added = {"addSheet": {"properties": {"sheetId": tab, "title": f".jada proof {tab}", "hidden": True}}}
    body = {"requests": [added, {"deleteSheet": {"sheetId": tab}}]}
    Api(settings, access)("POST", ":batchUpdate", None, json.dumps(body).encode())


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
