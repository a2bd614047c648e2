"""The sheet's side: read whole in one call, written in atomic batches; only our columns, found by their headers.

Dates go out as ISO text: text reads the same in every locale and time zone, sorts by day, and needs no number format,
which users choose. One that a user types becomes a serial number in Sheets, and is read back as its day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import requests
from google.auth.exceptions import RefreshError, TransportError
from gspread.exceptions import APIError
from gspread.http_client import HTTPClient

from sync.blocks import batches
from sync.credentials import TIMEOUT_S, Credentials
from sync.failure import SyncFailed, refresh_failure, sheets_failure, transport_failure
from sync.plan import Cell, Cells, Change, Row
from sync.settings import KEY, STATE, Settings

_DAY_ZERO = date(1899, 12, 30)
"""Where the serial numbers of Sheets count their days from."""


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet as read: where our columns stand (none in an empty sheet), and the rows that name a booking."""

    places: tuple[int, ...]
    rows: tuple[Row, ...]


class Sheet:
    """One sheet (tab) of a spreadsheet. All calls raise `SyncFailed`; after one with `wait_s` a write may be there."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._http = HTTPClient(credentials)
        # gspread's default waits for ever, and overrides google-auth's.
        self._http.set_timeout(TIMEOUT_S)
        self._url = f"{settings.sheets_url.rstrip('/')}/{settings.spreadsheet_id}"
        self._id, self._title = settings.spreadsheet_id, settings.worksheet
        self._columns = (*settings.columns, STATE)
        self._dates = frozenset(settings.dates)

    def read(self) -> Table:
        """Read the sheet as it is now."""
        # A1 notation doubles a quote within a quoted name.
        title = self._title.replace("'", "''")
        # Unformatted: a formatted number is a text of the sheet's locale, and would never equal the source's.
        query = {"ranges": f"'{title}'", "valueRenderOption": "UNFORMATTED_VALUE", "majorDimension": "ROWS"}
        answer = self._call("get", "/values:batchGet", params=query)
        values = answer["valueRanges"][0].get("values", [])
        if not any(cell != "" for row in values for cell in row):
            return Table((), ())
        places = self._places(values[0])
        return Table(places, tuple(self._rows(places, values)))

    def write(self, table: Table, added: Iterable[Cells], changes: Sequence[Change]) -> None:
        """Write into the sheet as `table` has it: cells of its rows, and new rows below its last one.

        Everything goes in one batch, all or nothing, unless it is longer than Google advises.
        """
        places = table.places or tuple(range(len(self._columns)))
        rows = added if table.places else (self._columns, *added)
        grid = self._grid()
        lacking = len(places) - grid["gridProperties"]["columnCount"] if not table.places else 0
        for batch in batches(grid.get("sheetId", 0), places, rows, changes, columns=max(0, lacking)):
            self._call("post", ":batchUpdate", data=batch, headers={"Content-Type": "application/json"})

    def _grid(self) -> Mapping[str, Any]:
        """Return the sheet's id and size; a write knows sheets only by their ids."""
        answer = self._call("get", "", params={"fields": "sheets.properties(sheetId,title,gridProperties.columnCount)"})
        for sheet in answer["sheets"]:
            if sheet["properties"]["title"] == self._title:
                found: Mapping[str, Any] = sheet["properties"]
                return found
        raise _header(f"the sheet {self._title!r} was renamed while we read it", "start the sync once more")

    def _places(self, header: Sequence[object]) -> tuple[int, ...]:
        names = [str(name).strip() for name in header]
        for name in self._columns:
            if names.count(name) != 1:
                how = "no column" if name not in names else f"{names.count(name)} columns"
                cure = f"give exactly one column of {self._title!r} the header {name}, in the first row"
                raise _header(f"the sheet {self._title!r} has {how} with the header {name!r}", cure)
        return tuple(names.index(name) for name in self._columns)

    def _rows(self, places: Sequence[int], values: Sequence[Sequence[object]]) -> Iterator[Row]:
        key = self._columns.index(KEY)
        for number, row in enumerate(values[1:], start=2):
            cells = tuple(
                # The API leaves out the empty cells at a row's end.
                _cell(row[place] if place < len(row) else "", name in self._dates)
                for place, name in zip(places, self._columns, strict=True)
            )
            name = str(cells[key]).strip()
            if name:
                yield Row(number, name, (*cells[:key], name, *cells[key + 1 :]))

    def _call(self, method: str, path: str, **how: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self._http.request(method, self._url + path, **how).json()
        except APIError as error:
            raise sheets_failure(error.response.status_code, error.error, self._id) from error
        except RefreshError as error:  # the access token was taken away in the middle of the run
            raise refresh_failure(error.args) from error
        except (requests.RequestException, TransportError) as error:
            raise transport_failure("sheets", error) from error
        return answer


def _cell(value: object, is_date: bool) -> Cell:  # noqa: FBT001 - a column is one or is not
    # First, because to Python a bool is an int: TRUE would read as 1.
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if is_date and isinstance(value, int) and 0 <= value < 2_958_466:  # the last day of the year 9999
        return (_DAY_ZERO + timedelta(days=value)).isoformat()
    return value if isinstance(value, str | int | float) else ""


def _header(cause: str, cure: str) -> SyncFailed:
    return SyncFailed("sheet_header", cause, cure)
