"""The booking system's side: all bookings of the window, read completely or not at all."""

import http
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from sync.failure import SyncFailed, bookings_failure, transport_failure
from sync.plan import Cell, Cells
from sync.settings import KEY, Settings
from wire.secret import Secret

_PAGE = 1000
_CELL_LIMIT = 50_000
"""Characters a cell of a Google sheet can hold."""
_FEW = 10
"""Bookings that may go at once, whatever share they are."""
_ASK = "ask who runs the booking system"


class Source:
    """The bookings REST API: pages of `{"bookings": [...], "next": cursor or null, "total": n}`.

    `timeout_s` bounds each try; connections that fail and answers of 429, 502, 503, 504 are tried again three times.
    """

    def __init__(self, settings: Settings, token: Secret, *, timeout_s: float = 30, backoff_s: float = 1) -> None:
        # The last answer is wanted itself: bookings_failure() reads its status and body.
        retry = urllib3.Retry(
            total=3, backoff_factor=backoff_s, status_forcelist=(429, 502, 503, 504), raise_on_status=False
        )
        self._pool = urllib3.PoolManager(timeout=timeout_s, retries=retry)
        self._headers = {"Authorization": f"Bearer {token.reveal()}", "Accept": "application/json"}
        self._settings = settings

    def read(self) -> dict[str, Cells]:
        """Return the cells of each booking by id. Raises `SyncFailed`, which names the record that can't be used."""
        bookings: dict[str, Cells] = {}
        total = 0
        for page in self._pages():
            total = page["total"]
            for record in page["bookings"]:
                key, cells = _cells(record, len(bookings), self._settings)
                if key in bookings:
                    raise _odd(f"booking {key} is there twice", "have the booking system give each booking one id")
                bookings[key] = cells
        if len(bookings) != total:
            cause = f"its pages held {len(bookings)} bookings, its total says {total}"
            # Bookings that come or go while we page do this too; then the next run reads them whole.
            raise _odd(cause, f"if the next run says the same, {_ASK}")
        return bookings

    def _pages(self) -> Iterator[Mapping[str, Any]]:
        window = {"from": self._settings.window_from, "to": self._settings.window_to}
        query = {"limit": str(_PAGE), **{name: day for name, day in window.items() if day}}
        seen: set[str] = set()
        while True:
            page = self._page(query)
            yield page
            cursor = page["next"]
            if not cursor:
                return
            # A broken cursor would keep the run paging until its unit's time limit.
            if cursor in seen:
                raise _odd("its pages go round in a circle", _ASK)
            seen.add(cursor)
            query["cursor"] = cursor

    def _page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        url = self._settings.bookings_url.rstrip("/") + "/v1/bookings"
        try:
            response = self._pool.request("GET", f"{url}?{urlencode(query)}", headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise transport_failure("bookings", error) from error
        if response.status != http.HTTPStatus.OK:
            raise bookings_failure(response.status, url, response.data.decode(errors="replace"))
        try:
            page = response.json()
        except ValueError:
            raise _odd("its answer is no JSON", _ASK) from None
        # Not isinstance for the total: `true` would pass as 1.
        if not (isinstance(page, dict) and isinstance(page.get("bookings"), list) and type(page.get("total")) is int):
            raise _odd("its answer lacks `bookings` or `total`", "compare sync.bookings_url with the system's API")
        return {"next": None, **page}


def require_plausible_size(found: int, lost: int, shrink_percent: int) -> None:
    """Refuse a source of `found` bookings that lacks `lost` of those it had: all of them, or too large a share."""
    if lost and (not found or lost > _FEW) and lost * 100 > (found + lost) * shrink_percent:
        raise SyncFailed(
            "source_shrunken" if found else "source_empty",
            f"the booking system gave {found} bookings and no longer {lost} of those it had; nothing was written",
            f"{_ASK}; if it is right, set sync.shrink_percent = 100 for one run",
        )


def _cells(record: object, place: int, settings: Settings) -> tuple[str, Cells]:
    if not isinstance(record, Mapping) or not str(record.get(KEY) or "").strip():
        raise _odd(f"record {place + 1} has no {KEY}", _ASK)
    key = str(record[KEY]).strip()
    missing = [name for name in settings.columns if name not in record]
    if missing:
        raise _odd(f"booking {key} has no field {missing[0]}", f"{_ASK}, or take the name out of sync.columns")
    return key, tuple(_cell(key, name, record[name], name in settings.amounts) for name in settings.columns)


def _cell(key: str, name: str, value: object, amount: bool) -> Cell:  # noqa: FBT001 - a column is one or is not
    """Make a cell: amounts become numbers, so that people can add them up. A double holds 15 digits, thus any price
    exactly, and a number that was written reads back equal; everything else stays as the source has it.
    """
    if name == KEY:
        return key
    if amount and isinstance(value, str) and value:
        value = _number(key, name, value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _odd(f"booking {key}: {name} is no number: {value}", _ASK)
        return int(value) if value.is_integer() else value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if not isinstance(value, str | int) or len(str(value)) > _CELL_LIMIT:
        raise _odd(f"booking {key}: {name} does not fit into a cell: {str(value)[:50]!r}", _ASK)
    return value.replace("\r\n", "\n") if isinstance(value, str) else value  # a sheet's line ends are these


def _number(key: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _odd(f"booking {key}: {name} is no amount: {text[:50]!r}", _ASK) from None


def _odd(cause: str, cure: str) -> SyncFailed:
    return SyncFailed("bookings_odd", f"the booking system's answer can't be used: {cause}", cure)
