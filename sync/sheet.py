"""The sheet's side: one tab, known by its id, read whole in one call and written in batches that begin with its copy.

Dates go out as ISO text: text reads the same in every locale and time zone, sorts by day, and needs no number format,
which users choose. One that a user types becomes a serial number in Sheets, and is read back as its day.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from sync import blocks, shape
from sync.api import SheetsRefused
from sync.batch import Batch
from sync.judge import Before
from sync.plan import Cells
from sync.settings import Settings
from sync.table import Reader, Table

_CELLS = f"sheets(properties.sheetId,data(startRow,rowData.values({blocks.SHOWN})))"


def is_write(path: str) -> bool:
    """Whether a call of this path writes."""
    return path.endswith((":batchUpdate", ":append"))


class Call(Protocol):
    """A call of the Sheets API on a path below the spreadsheet."""

    def __call__(
        self, method: str, path: str = "", query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Mapping[str, Any]:
        """Answer, or raise `SyncFailed`."""


class Sheet:
    """The spreadsheet, by calls of its API. All raise `SyncFailed`; after one with `wait_s` a write may be there."""

    def __init__(self, call: Call, settings: Settings) -> None:
        self._call = call
        self.reader = Reader(settings)
        self.worksheet = settings.worksheet

    def shape(self) -> shape.Shape:
        """Read the tabs, and what lies over their cells."""
        return shape.Shape.from_answer(self._call("GET", query={"fields": shape.FIELDS}))

    def read(self, tab: int) -> Table:
        """Read a tab as it is now."""
        # Unformatted: a formatted number is a text of the sheet's locale, and would never equal the source's.
        chosen = {"dataFilters": [{"gridRange": {"sheetId": tab}}], "valueRenderOption": "UNFORMATTED_VALUE"}
        fields = {"fields": "valueRanges.valueRange.values"}
        answer = self._call("POST", "/values:batchGetByDataFilter", fields, _json(chosen))
        ranges = answer.get("valueRanges", [])
        return self.reader.table(ranges[0].get("valueRange", {}).get("values", []) if ranges else [])

    def load(self, title: str, rows: Iterable[Cells]) -> None:
        """Fill an empty tab. What a user typed meanwhile is not overwritten: rows are appended below it."""
        # A quote within a quoted name is doubled.
        place = f"'{title.replace(chr(39), chr(39) * 2)}'"
        query = {"valueInputOption": "RAW", "insertDataOption": "INSERT_ROWS", "fields": "updates.updatedRange"}
        body = blocks.first_load(place, self.reader.columns, rows)
        self._call("POST", f"/values/{quote(place, safe='')}:append", query, body)

    def write(self, batch: Batch, tabs: int) -> Before:
        """Carry out a batch, and return the rows that it met."""
        query = {"fields": f"updatedSpreadsheet.{_CELLS}"}
        answer = self._call("POST", ":batchUpdate", query, blocks.body(batch, tabs))
        return _rows(answer.get("updatedSpreadsheet", {}))

    def met(self, batch: Batch) -> Before:
        """Return the rows that a batch met, from its copy that still stands."""
        filters = [
            {"gridRange": {"sheetId": batch.copy, "startRowIndex": first, "endRowIndex": end}}
            for first, end in blocks.spans(batch)
        ]
        return _rows(self._call("POST", ":getByDataFilter", {"fields": _CELLS}, _json({"dataFilters": filters})))

    def touch(self, tab: int, copy: int) -> None:
        """Carry out what begins a write and takes it back: users do not see it, and nothing of it stays."""
        self._call("POST", ":batchUpdate", {"fields": "spreadsheetId"}, blocks.touch(tab, copy))

    def delete(self, batch: Batch) -> None:
        """Delete a batch's copy and its mark; where the copy is gone already, the mark."""
        try:
            self._call("POST", ":batchUpdate", None, blocks.delete(batch))
        except SheetsRefused as refused:
            # By a user, or by the same call before.
            if "No grid with id" not in refused.said:
                raise
            if batch.marked:
                self._call("POST", ":batchUpdate", None, blocks.unmark(batch))


def _rows(answer: Mapping[str, Any]) -> Before:
    return {
        number: row.get("values", ())
        for sheet in answer.get("sheets", ())
        for data in sheet.get("data", ())
        for number, row in enumerate(data.get("rowData", ()), start=data.get("startRow", 0))
    }


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
