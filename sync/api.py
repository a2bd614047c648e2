"""The Sheets API over HTTP, one spreadsheet: a call answers JSON, or fails by its name."""

import http
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from sync.calls import NoAnswer, Origin
from sync.credentials import Access
from sync.failure import SyncFailed, sheets_failure, transport_failure
from sync.settings import Settings
from sync.shape import protected


class SheetsRefused(SyncFailed):
    """Google says 400: nothing of the call was carried out. `said` is its own sentence."""

    def __init__(self, failure: SyncFailed, said: str) -> None:
        super().__init__(failure.kind, failure.cause, failure.cure)
        self.said = said


class Api:
    """Calls one spreadsheet. After a failure with `wait_s` a write may have happened all the same.

    `ready` is asked before a call of a path is sent, each time, and may refuse it.
    """

    def __init__(self, settings: Settings, access: Access, ready: Callable[[str], None] | None = None) -> None:
        self._access = access
        self._ready = ready or (lambda _: None)
        # It tries nothing again: after a write that got no answer the sheet must be read before anything is sent.
        self._origin = Origin(settings.sheets_url)
        self._path = f"{urlsplit(settings.sheets_url).path.rstrip('/')}/{settings.spreadsheet_id}"
        self._id = settings.spreadsheet_id

    def __call__(
        self, method: str, path: str = "", query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Mapping[str, Any]:
        """Call `method` on a path below the spreadsheet. Raises `SyncFailed`; it is `SheetsRefused` when nothing
        was done.
        """
        target = self._path + path + (f"?{urlencode(query)}" if query else "")
        try:
            self._ready(path)
            status, data = self._sent(method, target, body)
            if status == http.HTTPStatus.UNAUTHORIZED:
                # The access token's hour is over, or it was taken away in the middle of the run: a refresh tells which.
                self._access.renew()
                self._ready(path)
                status, data = self._sent(method, target, body)
        except NoAnswer as error:
            raise transport_failure("sheets", error) from error
        if status == http.HTTPStatus.OK:
            return _decoded(data)
        raise failure(status, _error(data), self._id)

    def _sent(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._access.token.reveal()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._origin.ask(method, target, headers, body)


def failure(status: int, error: Mapping[str, Any], spreadsheet: str) -> SyncFailed:
    """Name an error answer."""
    said = str(error.get("message", ""))
    named = sheets_failure(status, error, spreadsheet)
    if status == http.HTTPStatus.BAD_REQUEST and "protected cell" in said:
        named = protected(said)
    return SheetsRefused(named, said) if status == http.HTTPStatus.BAD_REQUEST else named


def _decoded(data: bytes) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise transport_failure("sheets", error) from error
    return found


def _error(data: bytes) -> Mapping[str, Any]:
    """The `error` of an answer; empty for a page in its place."""
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    error = found.get("error", {}) if isinstance(found, dict) else {}
    return error if isinstance(error, dict) else {}
