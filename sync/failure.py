"""Why a run failed: every failure by a stable name, with its cause and its cure for the operator who reads it at night.

The causes of Google's errors are those of its OAuth and Sheets documentation; the endpoint tells many apart by nothing
but a code, so our own record of the credential narrows them.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

REAUTHENTICATE = "re-authenticate: `fab reauth` in the work tree on your own machine (docs/google.md)"
_NEW_KEY = "make a new key for it (docs/google.md) and put it in place with `fab secrets` (port_sheet_token.json)"
_TESTING = timedelta(days=7)
"""How long a refresh token lives while the consent screen's publishing status is Testing."""
_UNUSED = timedelta(days=180)
"""Google drops a refresh token that was not used for six months."""
_WAIT_S, _QUOTA_WAIT_S = 2, 30
"""Before the next try after an outage, and after the quota of a minute was used up."""
_LATER = "nothing to do at once: the next run tries again; look at https://www.google.com/appsstatus if it lasts"
_CLOCK = "set the host's clock right (`timedatectl` shows it; systemd-timesyncd keeps it)"


class Exit(enum.IntEnum):
    """What a run ends with. From CREDENTIAL to FAULT it failed, and the dashboard or a notification target was told."""

    IN_STEP = 0
    """The sheet was proven to be in step; or another host has the sync, and its run says how the sheet is."""
    UNTOLD = 1
    """It failed, and its message was not taken: systemd's OnFailure= sends one."""
    CREDENTIAL = 10
    """Google does not let us in: re-authenticate, or mend the client."""
    SHEET = 11
    """The spreadsheet, its tab, its headers or its cells: somebody must look at the sheet."""
    GOOGLE_DOWN = 12
    """Google or the way to it: the next run tries again."""
    BOOKINGS = 13
    """The booking system, or how it is described in [sync.source]."""
    HOST = 14
    """This host: its clock, a secret, the sync's memory, or who stopped the run."""
    FAULT = 15
    """The sync itself."""
    BUSY = 75
    """Another run is under way, or what was asked for by hand found the sync at another host (EX_TEMPFAIL)."""
    SETTINGS = 78
    """jada.<stack>.toml (EX_CONFIG)."""


_EXITS: Mapping[str, Exit] = {
    **dict.fromkeys(("admin_policy", "reauth_demanded", "sheet_unauthorized"), Exit.CREDENTIAL),
    **dict.fromkeys(("sheets_down", "sheets_quota", "sheets_unreachable"), Exit.GOOGLE_DOWN),
    **dict.fromkeys(("token_endpoint_down", "token_endpoint_unreachable"), Exit.GOOGLE_DOWN),
    **dict.fromkeys(("clock_off", "stopped", "credential_missing", "sync_not_started"), Exit.HOST),
    **dict.fromkeys(("sheets_refused", "sync_fault"), Exit.FAULT),
    "sheets_api_disabled": Exit.CREDENTIAL,
    **dict.fromkeys(("already_running", "elsewhere"), Exit.BUSY),
    **dict.fromkeys(("lease_unknown", "lease_short"), Exit.HOST),
    "settings_wrong": Exit.SETTINGS,
}
"""Names whose class their first word does not say."""
_FAMILIES: Mapping[str, Exit] = {
    **dict.fromkeys(("token", "client", "account", "consent", "no", "port"), Exit.CREDENTIAL),
    **dict.fromkeys(("sheet", "worksheet", "plan"), Exit.SHEET),
    **dict.fromkeys(("bookings", "source"), Exit.BOOKINGS),
    "memory": Exit.HOST,
}


class SyncFailed(Exception):
    """A run can't go on. `kind` is the failure's stable name; `wait_s`: seconds after which a try is worth it, or 0."""

    def __init__(self, kind: str, cause: str, cure: str, *, wait_s: float = 0) -> None:
        super().__init__(f"{kind}: cause: {_line(cause)}; cure: {_line(cure)}")
        self.kind, self.cause, self.cure, self.wait_s = kind, _line(cause), _line(cure), wait_s

    @property
    def exit(self) -> Exit:
        """The exit code of its class."""
        return _EXITS.get(self.kind) or _FAMILIES.get(self.kind.partition("_")[0], Exit.FAULT)


class Record(msgspec.Struct, frozen=True):
    """What we know of the credential by ourselves, `now`: when it was issued, when it dies, when it last worked."""

    now: datetime
    issued_at: datetime | None = None
    dies_at: datetime | None = None
    last_ok: datetime | None = None


_CLIENT = "compare the client of the Google Cloud console with port_sheet_client.json, then " + REAUTHENTICATE
_TOKEN_ERRORS: Mapping[str, tuple[str, str, str]] = {
    "invalid_client": ("client_invalid", "Google does not know the OAuth client, or its secret was changed", _CLIENT),
    "deleted_client": (
        "client_deleted",
        "the OAuth client was deleted: by a user, or by Google after six months without use",
        "restore it in the Google Cloud console within 30 days, or make a new one, then " + REAUTHENTICATE,
    ),
    "unauthorized_client": ("client_invalid", "the token was issued to another OAuth client than this one", _CLIENT),
    "invalid_scope": (
        "token_scope",
        "the token does not carry the scope for spreadsheets",
        REAUTHENTICATE + " and leave the box for spreadsheets ticked",
    ),
    "admin_policy_enforced": (
        "admin_policy",
        "a rule of the Google Workspace forbids this app the access to spreadsheets",
        "ask the Workspace's administrator to trust the app's client id, then " + REAUTHENTICATE,
    ),
}


_TOKEN_OUTAGES = ("internal_failure", "server_error", "temporarily_unavailable", "rate_limited", "rate_limit_exceeded")


def refresh_failure(body: Mapping[str, Any], status: int, record: Record | None = None) -> SyncFailed:
    """Name a failed refresh by the answer's body (RFC 6749, 5.2), which is empty where it was no object of JSON."""
    error, said = body.get("error"), str(body.get("error_description") or "")
    # Its `error` is invalid_grant too, and the token is alive: first.
    if "rapt" in str(body.get("error_subtype", "")):
        cause = f"the Google Workspace demands that the user signs in again after a time ({body['error_subtype']})"
        return SyncFailed("reauth_demanded", cause, "have the app trusted in the Admin console, and " + REAUTHENTICATE)
    if error == "invalid_grant":
        # `Invalid JWT` is about its time stamps, so about this host's clock and not about consent.
        if "jwt" in said.lower():
            return SyncFailed("clock_off", f"Google refused a token by its time stamps: {said}", _CLOCK)
        why = _why_dead(record) if record else _DEAD
        return SyncFailed("token_dead", f"{why} (invalid_grant{': ' + said if said else ''})", REAUTHENTICATE)
    if isinstance(error, str) and error in _TOKEN_ERRORS:
        kind, cause, cure = _TOKEN_ERRORS[error]
        return SyncFailed(kind, f"{cause} ({error}{': ' + said if said else ''})", cure)
    if isinstance(error, str) and error not in _TOKEN_OUTAGES:
        cause = f"Google's token endpoint refused the token: {error}: {said or 'no description'}"
        return SyncFailed("token_refused", cause, REAUTHENTICATE)
    cause = f"Google's token endpoint is out of order: status {status} {error or ''}"
    return SyncFailed("token_endpoint_down", cause, _LATER, wait_s=_WAIT_S)


def account_failure(body: Mapping[str, Any], status: int, account: str) -> SyncFailed:
    """Name a refused key of a service account by the answer's body.

    All are invalid_grant: only the description tells them apart.
    """
    if body.get("error") not in ("invalid_grant", "invalid_client", "unauthorized_client"):
        return refresh_failure(body, status)
    said = f"{body['error']}: {body.get('error_description') or 'no description'}"
    low = said.lower()
    if "jwt" in low and "signature" not in low:
        return SyncFailed("clock_off", f"Google refused a key by its time stamps: {said}", _CLOCK)
    if "account not found" in low or "disabled" in low:
        cause = f"the service account {account} was deleted or disabled ({said})"
        return SyncFailed(
            "account_gone", cause, "restore it in the Google Cloud console, or make another: docs/google.md"
        )
    return SyncFailed(
        "account_key_dead", f"the key of the service account {account} is no longer valid ({said})", _NEW_KEY
    )


def scope_failure(granted: Sequence[str]) -> SyncFailed:
    """Name a token that refreshes, but does not open spreadsheets."""
    kind, cause, cure = _TOKEN_ERRORS["invalid_scope"]
    return SyncFailed(kind, f"{cause}; it carries {', '.join(granted) or 'none'}", cure)


_DEAD = (
    "the refresh token is no longer valid: access was revoked by the account's owner or administrator, a newer token"
    " displaced it (100 live ones an account), or the app's publishing status is Testing (7 days)"
)


def _why_dead(record: Record) -> str:
    if record.dies_at and record.now >= record.dies_at:
        # Google returns 604,799 s for status Testing, not the round seven days.
        testing = record.issued_at and record.dies_at - record.issued_at < _TESTING + timedelta(hours=1)
        why = ": the app's publishing status is Testing" if testing else ""
        return f"the refresh token's time was over at {record.dies_at:%Y-%m-%d %H:%M} UTC, as Google announced{why}"
    if record.last_ok and record.now - record.last_ok >= _UNUSED:
        return f"the refresh token was not used for six months (last on {record.last_ok:%Y-%m-%d})"
    if not record.dies_at and record.issued_at and _TESTING <= record.now - record.issued_at < _TESTING * 2:
        return "the refresh token died when 7 days old or little more, as tokens of an app in status Testing do"
    return _DEAD + (f"; it last worked at {record.last_ok:%Y-%m-%d %H:%M} UTC" if record.last_ok else "")


def sheets_failure(status: int, body: Mapping[str, Any], spreadsheet: str) -> SyncFailed:
    """Name an error answer of the Sheets API by its status and the `error` of its body."""
    said = str(body.get("message", ""))[:300]
    named = _failure_by_reason(body) or (_failure_of_bad_request(body, said, spreadsheet) if status == 400 else None)
    if named:
        return named
    if status in _SHEET_STATUS:
        kind, cause, cure = _SHEET_STATUS[status]
        return SyncFailed(
            kind, f"{cause.format(spreadsheet)}: {said}", cure, wait_s=_QUOTA_WAIT_S if status == 429 else 0
        )
    # 501 is no outage: the method is not there, now or later.
    if status >= 500 and status != 501:
        return SyncFailed(
            "sheets_down", f"the Sheets API is out of order: status {status} {said}", _LATER, wait_s=_WAIT_S
        )
    cause = f"the Sheets API refused a call: status {status} {body.get('status', '')}: {said}"
    return SyncFailed(
        "sheets_refused", cause, "this is a fault of the sync, or the API changed: report it with this line"
    )


def _failure_by_reason(body: Mapping[str, Any]) -> SyncFailed | None:
    reasons = {str(detail.get("reason")): detail for detail in body.get("details", ()) if isinstance(detail, Mapping)}
    if "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in reasons:
        return scope_failure(())
    if "SERVICE_DISABLED" in reasons:
        where = reasons["SERVICE_DISABLED"].get("metadata", {}).get("activationUrl", "https://console.cloud.google.com")
        cause = "the Google Sheets API is not enabled in the OAuth client's project"
        return SyncFailed("sheets_api_disabled", cause, f"enable it at {where}, wait some minutes")
    return None


def _failure_of_bad_request(body: Mapping[str, Any], said: str, spreadsheet: str) -> SyncFailed | None:
    if body.get("status") == "FAILED_PRECONDITION":
        cause = f"the file {spreadsheet} is an Excel file kept in Drive, no Google sheet"
        return SyncFailed(
            "sheet_is_excel", cause, "open it, File > Save as Google Sheets, and set sync.spreadsheet_id anew"
        )
    if "unable to parse range" in said.lower():
        cause = f"the spreadsheet {spreadsheet} has no sheet (tab) of the configured name: {said}"
        cure = "rename the tab back, or set sync.worksheet to its name, and deploy"
        return SyncFailed("worksheet_missing", cause, cure)
    return None


_SHEET_STATUS: Mapping[int, tuple[str, str, str]] = {
    401: ("sheet_unauthorized", "the Sheets API does not accept the access token for {}", REAUTHENTICATE),
    403: (
        "sheet_forbidden",
        "the account of the token may not edit the spreadsheet {}",
        "share the spreadsheet with that account as Editor; look for a protected range on its columns",
    ),
    404: (
        "sheet_missing",
        "there is no spreadsheet {}, or the account of the token can't see it",
        "restore it from Drive's trash, or set sync.spreadsheet_id, or share it with that account as Editor",
    ),
    429: (
        "sheets_quota",
        "the Sheets API's quota of the minute is used up for {}",
        "nothing to do at once; if it lasts, something else uses the same Google Cloud project",
    ),
}


def transport_failure(name: str, error: Exception) -> SyncFailed:
    """Name a call that got no answer; `name` says from whom."""
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said and ("expired" in said or "not yet valid" in said):
        return SyncFailed("clock_off", f"the certificate of {name} is not valid at this host's time: {said}", _CLOCK)
    cure = "look at the host's network and name resolution, and whether the address in [sync] is right"
    return SyncFailed(f"{name}_unreachable", f"no answer from {name}: {said}", cure, wait_s=_WAIT_S)


def bookings_failure(status: int, url: str, body: str, location: str | None = None) -> SyncFailed:
    """Name an error answer of the booking system; `location` is where it says that the API is instead."""
    if status in (401, 403):
        cause = f"the booking system at {url} does not accept our token (status {status})"
        return SyncFailed("bookings_token", cause, "put the right one in place with `fab secrets` (bookings_token)")
    if status == 429 or status >= 500:
        cause = f"the booking system at {url} is out of order: status {status}"
        return SyncFailed(
            "bookings_down", cause, "ask who runs the booking system; the first run after it is back catches up"
        )
    if location and 300 <= status < 400:
        cause = f"the booking system at {url} leads elsewhere (status {status}), to {location[:200]}"
        cure = "set sync.source.url (or sync.bookings_url) to where its API is; our secret is sent to no other address"
        return SyncFailed("bookings_refused", cause, cure)
    cause = f"the booking system at {url} refused the call: status {status}: {body[:200]}"
    return SyncFailed(
        "bookings_refused", cause, "compare the address and the parameters in [sync] with the system's API"
    )


def memory_failure(error: Exception, state: str) -> SyncFailed:
    """Name what is wrong with the sync's memory in the folder `state`."""
    # SQLite's own class for a file that is none or is corrupt; a subclass says that the disk or a lock refused.
    if type(error).__name__ != "DatabaseError":
        cure = f"see that {state} is on a disk that is not full (`df -h {state}`), and jada-sync's own"
        return SyncFailed("memory_unusable", f"the sync's memory in {state} can't be written: {error}", cure)
    file = f"{state}/history.sqlite"
    cure = (
        f"move it aside, with what belongs to it: for f in {file}*; do mv $f $f.damaged; done. The next run goes by the"
        " sheet's own marks; cells that differ are then the source's"
    )
    return SyncFailed("memory_damaged", f"the sync's memory {file} is damaged: {error}", cure)


def _line(text: str) -> str:
    """One line, whatever the other side put into its message."""
    return " ".join(text.split())[:1000]
