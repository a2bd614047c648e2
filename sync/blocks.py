"""A batch as the requests of `spreadsheets.batchUpdate`, which are carried out in order, all or none."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from sync.batch import Batch, Target, entered
from sync.plan import Cell

_FIELDS = "userEnteredValue"
"""Only the value: a format is users'."""
SHOWN = "userEnteredValue,effectiveValue,formattedValue"
"""What a cell of the copy is judged by."""


def body(batch: Batch, last_tab: int) -> bytes:
    """Return the body to post: the copy, hidden, then the cells, then the new rows; it answers with the copy's rows.

    `last_tab` is how many tabs there are: the copy stands behind them.
    """
    marks = [_mark(batch.copy, batch.title)] if batch.marked else []
    requests = [*_copy(batch, last_tab), *marks, *_updates(batch), *_inserts(batch)]
    return _dump(
        {
            "requests": requests,
            "includeSpreadsheetInResponse": True,
            "responseIncludeGridData": True,
            "responseRanges": [f"'{batch.title}'!{first + 1}:{end}" for first, end in spans(batch)],
        }
    )


def spans(batch: Batch) -> Iterator[tuple[int, int]]:
    """Yield first and end of the rows that the batch is judged by: header, touched rows, the one above new rows."""
    rows = {0, *(target.row for target in batch.targets)} | ({batch.at - 1} if batch.added else set())
    for run in _runs(sorted(rows)):
        yield run[0], run[-1] + 1


def touch(tab: int, copy: int) -> bytes:
    """Return the body that copies a tab and deletes the copy, in one batch: what a write needs, and nothing stays."""
    title = f"jada-touch-{copy}"
    named = {"sourceSheetId": tab, "newSheetId": copy, "newSheetName": title}
    return _dump({"requests": [{"duplicateSheet": named}, _mark(copy, title), _unmark(copy), _deleted(copy)]})


def delete(batch: Batch) -> bytes:
    """Return the body that deletes a batch's copy, and its mark with it."""
    return _dump({"requests": [_deleted(batch.copy), *([_unmark(batch.copy)] if batch.marked else [])]})


def unmark(batch: Batch) -> bytes:
    """Return the body that deletes the mark of a batch whose copy is gone."""
    return _dump({"requests": [_unmark(batch.copy)]})


def first_load(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return the body by which `values:append` fills an empty tab: texts stay texts, as RAW stores them."""
    return _dump({"range": title, "majorDimension": "ROWS", "values": [columns, *rows]})


def _copy(batch: Batch, last_tab: int) -> list[dict[str, Any]]:
    named = {"newSheetId": batch.copy, "newSheetName": batch.title, "insertSheetIndex": last_tab}
    hidden = {"properties": {"sheetId": batch.copy, "hidden": True}, "fields": "hidden"}
    return [{"duplicateSheet": {"sourceSheetId": batch.tab, **named}}, {"updateSheetProperties": hidden}]


def _mark(number: int, title: str) -> dict[str, Any]:
    """Developer metadata of the spreadsheet: users see and delete none, and two of one id are refused."""
    # For every project: the next run may have another project's credential.
    place = {"location": {"spreadsheet": True}, "visibility": "DOCUMENT"}
    data = {"metadataId": number, "metadataKey": "jada", "metadataValue": title, **place}
    return {"createDeveloperMetadata": {"developerMetadata": data}}


def _unmark(number: int) -> dict[str, Any]:
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": {"metadataId": number}}}}


def _deleted(copy: int) -> dict[str, Any]:
    return {"deleteSheet": {"sheetId": copy}}


def _updates(batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield a request for each rectangle: rows that follow each other and change in the same columns."""
    rows: dict[int, dict[int, Target]] = {}
    for target in batch.targets:
        rows.setdefault(target.row, {})[target.column] = target
    for band in _bands(rows):
        for run in _runs(sorted(rows[band[0]])):
            values = [{"values": [_value(rows[row][column].new) for column in run]} for row in band]
            yield _update(batch.tab, band[0], run[0], values)


def _bands(rows: dict[int, dict[int, Target]]) -> Iterator[list[int]]:
    band: list[int] = []
    for row in sorted(rows):
        if band and not (row == band[-1] + 1 and rows[row].keys() == rows[band[-1]].keys()):
            yield band
            band = []
        band.append(row)
    if band:
        yield band


def _inserts(batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield what makes new rows: they replace nothing, wherever rows were moved to meanwhile."""
    if not batch.added:
        return
    span = {"sheetId": batch.tab, "dimension": "ROWS", "startIndex": batch.at, "endIndex": batch.at + len(batch.added)}
    # Like the row above, which is ours; below the header only when there is nothing else: headers are bold.
    yield {"insertDimension": {"range": span, "inheritFromBefore": batch.at > 1 or batch.below_is_nothing}}
    order = sorted(range(len(batch.places)), key=lambda n: batch.places[n])
    for run in _runs([batch.places[n] for n in order]):
        names = [n for n in order if batch.places[n] in run]
        values = [{"values": [_value(entered(row.cells[n])) for n in names]} for row in batch.added]
        yield _update(batch.tab, batch.at, run[0], values)


def _update(tab: int, row: int, column: int, values: Sequence[Any]) -> dict[str, Any]:
    start = {"sheetId": tab, "rowIndex": row, "columnIndex": column}
    return {"updateCells": {"start": start, "rows": values, "fields": _FIELDS}}


def _runs(places: Sequence[int]) -> Iterator[list[int]]:
    """Numbers that follow each other: [1, 2, 5] is [1, 2] and [5]."""
    for _, run in itertools.groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        yield [place for _, place in run]


def _value(value: Any) -> dict[str, Any]:
    return {_FIELDS: value} if value else {}


def _dump(request: object) -> bytes:
    return msgspec.json.encode(request)
