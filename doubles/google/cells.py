"""The requests of spreadsheets.batchUpdate that write cells: value, format and note, as far as a mask names them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from doubles.google import mask as masks
from doubles.google.book import Book, Cell, Formula, Sheet, Value
from doubles.google.entry import plain
from doubles.google.errors import invalid, not_built
from doubles.google.grid import entered_data
from doubles.google.ranges import find_grid
from doubles.google.render import check_format

Answer = dict[str, Any]
Args = Mapping[str, Any]


def update_cells(book: Book, args: Args) -> Answer:
    """Write rows of CellData into a range, or right and down from a start; what a row lacks is cleared in a range."""
    mask, rows = _cell_mask(args), args.get("rows", [])
    if ("range" in args) == ("start" in args):
        raise invalid("Must specify exactly one of: range, start")
    if "range" in args:
        sheet, area = find_grid(book, args["range"], write=True)
        top, left, bottom, right = area.top, area.left, area.bottom, area.right
        for row in range(top, bottom):
            for column in range(left, right):
                _change(sheet, row, column, _given(rows, row - top, column - left), mask)
    else:
        sheet, top, left = _start(book, args["start"])
        bottom, right = len(sheet.rows), sheet.columns
        for down, row in enumerate(rows):
            for across, data in enumerate(row.get("values", [])):
                if top + down < bottom and left + across < right:
                    _change(sheet, top + down, left + across, data, mask)
    _within(rows, bottom - top, right - left, (bottom, right))
    return {}


def _within(rows: list[Args], height: int, width: int, last: tuple[int, int]) -> None:
    """Refuse data that is larger than the place for it. Raises `GoogleError`."""
    if len(rows) > height:
        raise invalid(f"Attempting to write row: {last[0]}, beyond the last requested row of: {last[0] - 1}")
    if max((len(row.get("values", [])) for row in rows), default=0) > width:
        raise invalid(f"Attempting to write column: {last[1]}, beyond the last requested column of: {last[1] - 1}")


def _given(rows: list[Args], down: int, across: int) -> Args:
    values = rows[down].get("values", []) if down < len(rows) else []
    data: Args = values[across] if across < len(values) else {}
    return data


def _start(book: Book, start: Args) -> tuple[Sheet, int, int]:
    sheet = book.sheet(start.get("sheetId", 0))
    row, column = start.get("rowIndex", 0), start.get("columnIndex", 0)
    if row >= len(sheet.rows):
        raise invalid(f"GridCoordinate.rowIndex[{row}] is after last row in grid[{len(sheet.rows)}]")
    if column >= sheet.columns:
        raise invalid(f"GridCoordinate.columnIndex[{column}] is after last column in grid[{sheet.columns}]")
    return sheet, row, column


def repeat_cell(book: Book, args: Args) -> Answer:
    """Write the same CellData into every cell of a range."""
    mask, cell = _cell_mask(args), args.get("cell", {})
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    for row in range(area.top, area.bottom):
        for column in range(area.left, area.right):
            _change(sheet, row, column, cell, mask)
    return {}


_BUILT = ("userEnteredValue", "userEnteredFormat", "note", "dataValidation", "*")
_VALUE_ALONE: masks.Mask = {"userEnteredValue": {}}
"""The mask of most cells ever written: it is handled without merging."""


def _cell_mask(args: Args) -> masks.Mask:
    mask = masks.required(args, "CellData")
    for name in mask:
        if name not in _BUILT:
            raise not_built(f"writing {name}")
    return mask


def _change(sheet: Sheet, row: int, column: int, data: Args, mask: masks.Mask) -> None:
    """Change the masked fields of a cell to what CellData says."""
    old = sheet.cell(row, column)
    # Merging takes most of the time of a large write, and a value needs none.
    if mask == _VALUE_ALONE:
        sheet.put(row, column, replace(old, value=_value(data.get("userEnteredValue", {}))))
        return
    for name in data:
        if "*" in mask and name not in _BUILT:
            raise not_built(f"writing {name}")
    merged = masks.merge(mask, entered_data(old), data)
    look = merged.get("userEnteredFormat")
    if look and look.get("numberFormat"):
        look = {**look, "numberFormat": check_format(look["numberFormat"])}
    sheet.put(
        row,
        column,
        Cell(_value(merged.get("userEnteredValue", {})), look, merged.get("note"), merged.get("dataValidation")),
    )


def _value(extended: Args) -> Value:
    """Read an ExtendedValue: a text stays one, whatever it begins with. Raises `GoogleError`."""
    if not extended:
        return None
    if len(extended) > 1:
        raise invalid("A value must be of exactly one kind.")
    ((kind, value),) = extended.items()
    if kind == "errorValue":
        raise invalid("errorValue can't be entered.")
    if kind == "formulaValue":
        return Formula(value)
    # An empty text clears a cell: Sheets keeps none.
    return None if value == "" else plain(value)
