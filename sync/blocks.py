"""Writes as requests of `spreadsheets.batchUpdate`, which is all or nothing, cut into batches of whole rows."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sync.plan import Cell, Cells, Change

_BATCH_BYTES = 2_000_000
"""Google advises at most 2 MB a request."""
_ROWS = 100
"""Rows of one piece, which is never cut: some 80 KB."""
_FIELDS = "userEnteredValue"
"""Only the value: a format is people's."""


def batches(
    sheet_id: int, places: Sequence[int], added: Iterable[Cells], changes: Sequence[Change], *, columns: int = 0
) -> Iterator[bytes]:
    """Yield the bodies to post, in order. `places` are our columns' indices; `columns` is what the grid lacks."""
    # First of all: Sheets refuses cells beyond the grid's last column.
    grown = [_dump({"appendDimension": {"sheetId": sheet_id, "dimension": "COLUMNS", "length": columns}})]
    pieces = itertools.chain(
        grown if columns else [], _updates(sheet_id, places, changes), _appends(sheet_id, places, added)
    )
    batch: list[str] = []
    for piece in pieces:
        if batch and sum(map(len, batch)) + len(piece) > _BATCH_BYTES:
            yield _body(batch)
            batch = []
        batch.append(piece)
    if batch:
        yield _body(batch)


def _body(batch: Sequence[str]) -> bytes:
    return ('{"requests":[' + ",".join(batch) + "]}").encode()


def _appends(sheet_id: int, places: Sequence[int], added: Iterable[Cells]) -> Iterator[str]:
    """New rows by AppendCells: Google itself finds the last row at that moment, and grows the grid."""
    rows = iter(added)
    while some := list(itertools.islice(rows, _ROWS)):
        lines = [_line(dict(zip(places, cells, strict=True)), range(max(places) + 1)) for cells in some]
        yield _dump({"appendCells": {"sheetId": sheet_id, "rows": lines, "fields": _FIELDS}})


def _updates(sheet_id: int, places: Sequence[int], changes: Sequence[Change]) -> Iterator[str]:
    for band in _bands(changes):
        cells = [{places[i]: cell for i, cell in change.cells.items()} for change in band]
        requests = [
            {
                "updateCells": {
                    "start": {"sheetId": sheet_id, "rowIndex": band[0].number - 1, "columnIndex": run[0]},
                    "rows": [_line(row, run) for row in cells],
                    "fields": _FIELDS,
                }
            }
            for run in _runs(sorted(cells[0]))
        ]
        yield ",".join(map(_dump, requests))


def _bands(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Rows that follow each other and change in the same columns."""
    band: list[Change] = []
    for change in sorted(changes, key=lambda c: c.number):
        fits = band and change.number == band[-1].number + 1 and change.cells.keys() == band[-1].cells.keys()
        if band and (not fits or len(band) == _ROWS):
            yield band
            band = []
        band.append(change)
    if band:
        yield band


def _runs(places: Sequence[int]) -> Iterator[Sequence[int]]:
    """Columns that stand side by side: [1, 2, 5] is [1, 2] and [5]."""
    for _, run in itertools.groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        yield [place for _, place in run]


def _line(cells: dict[int, Cell], places: Iterable[int]) -> dict[str, Any]:
    return {"values": [_value(cells.get(place, "")) for place in places]}


def _value(cell: Cell) -> dict[str, Any]:
    """A cell's value. As `stringValue` a text stays text: a guest called `=1+1` is no formula."""
    if cell == "":
        return {}
    return {_FIELDS: {"stringValue" if isinstance(cell, str) else "numberValue": cell}}


def _dump(request: object) -> str:
    return json.dumps(request, separators=(",", ":"))
