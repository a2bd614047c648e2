"""The requests of spreadsheets.batchUpdate that this double builds: all of one call are carried out, or none."""

from collections.abc import Callable, Mapping
from typing import Any

from local.google import mask as masks
from local.google.book import Book, Cell, Formula, Sheet, Value
from local.google.call import Call
from local.google.contract import sheets
from local.google.entry import plain
from local.google.errors import Failure, invalid, unbuilt
from local.google.grid import entered_data, properties, spreadsheet
from local.google.ranges import find, find_grid, letters
from local.google.render import check_format

Answer = dict[str, Any]
Args = Mapping[str, Any]


def batch_update(call: Call) -> Answer:
    """Carry out all requests in their order. Raises `Failure` naming the one that can't be."""
    requests = call.body.get("requests") or []
    if not requests:
        raise invalid("Must specify at least one request.")
    replies = [_carry_out(call.book, number, request) for number, request in enumerate(requests)]
    answer: Answer = {"spreadsheetId": call.book.id, "replies": replies}
    if call.body.get("includeSpreadsheetInResponse"):
        ranges = [find(call.book, text) for text in call.body.get("responseRanges", [])]
        data = call.body.get("responseIncludeGridData", False)
        answer["updatedSpreadsheet"] = spreadsheet(call.book, call.base, ranges, data=data)
    return answer


def _carry_out(book: Book, number: int, request: Args) -> Answer:
    named = [(kind, args) for kind, args in request.items() if args is not None]
    if len(named) != 1:
        raise invalid(f"Invalid requests[{number}]: must name exactly one kind of request.")
    ((kind, args),) = named
    if kind not in KINDS:
        raise unbuilt(f"requests[{number}].{kind}")
    try:
        reply = KINDS[kind](book, args)
        book.check_size()
    except Failure as failure:
        prefix = f"Invalid requests[{number}].{kind}: " if failure.status == "INVALID_ARGUMENT" else ""
        raise Failure(failure.status, prefix + failure.message, failure.details) from None
    return {kind: reply} if reply else {}


def _add_sheet(book: Book, args: Args) -> Answer:
    wanted = args.get("properties", {})
    sheet = new_sheet(book, wanted)
    book.sheets.insert(wanted.get("index", len(book.sheets)), sheet)
    return {"properties": properties(book, sheet)}


def new_sheet(book: Book, wanted: Args) -> Sheet:
    """Make the sheet that SheetProperties ask for, not yet part of the book. Raises `Failure`."""
    ids = [sheet.id for sheet in book.sheets]
    number = wanted.get("sheetId", max(ids) + 1 if ids else 0)
    if number in ids:
        raise invalid(f"A sheet with the ID {number} already exists. Please enter another ID.")
    sheet = Sheet(number, "")
    _describe(book, sheet, {"title": wanted.get("title", f"Sheet{len(ids) + 1}"), **wanted})
    return sheet


def _delete_sheet(book: Book, args: Args) -> Answer:
    sheet = book.sheet(args.get("sheetId", 0))
    if len(book.sheets) == 1:
        raise invalid("You can't remove all the sheets in a document.")
    book.sheets.remove(sheet)
    return {}


def _update_sheet_properties(book: Book, args: Args) -> Answer:
    wanted = args.get("properties", {})
    mask = _mask(args, "SheetProperties")
    sheet = book.sheet(wanted.get("sheetId", 0))
    changed = masks.merge(mask, properties(book, sheet), wanted)
    book.sheets.remove(sheet)
    _describe(book, sheet, changed)
    book.sheets.insert(changed.get("index", 0), sheet)
    return {}


_OWN = ("sheetId", "title", "index", "sheetType", "gridProperties")
"""SheetProperties that a sheet keeps in fields of its own."""


def _describe(book: Book, sheet: Sheet, wanted: Args) -> None:
    """Make a sheet what SheetProperties say. Raises `Failure` for a title that another one has."""
    title = wanted.get("title", "")
    if not title:
        raise invalid("The sheet name cannot be empty.")
    taken = book.titled(title)
    if taken is not None and taken is not sheet:
        raise invalid(f'A sheet with the name "{title}" already exists. Please enter another name.')
    if wanted.get("sheetType", "GRID") != "GRID":
        raise unbuilt(f"sheets of type {wanted['sheetType']}")
    size = wanted.get("gridProperties", {})
    sheet.title = title
    sheet.resize(size.get("rowCount", len(sheet.rows)), size.get("columnCount", sheet.columns))
    rest = {k: v for k, v in size.items() if k not in ("rowCount", "columnCount")}
    others = {k: v for k, v in wanted.items() if k not in _OWN}
    sheet.properties = {**others, **({"gridProperties": rest} if rest else {})}


def _update_spreadsheet_properties(book: Book, args: Args) -> Answer:
    mask = _mask(args, "SpreadsheetProperties")
    book.properties = masks.merge(mask, book.properties, args.get("properties", {}))
    return {}


def _append_dimension(book: Book, args: Args) -> Answer:
    sheet, length = book.sheet(args.get("sheetId", 0)), args.get("length", 0)
    if length < 1:
        raise invalid(f"length must be positive: {length}")
    rows = _dimension(args) == "ROWS"
    sheet.resize(len(sheet.rows) + (length if rows else 0), sheet.columns + (0 if rows else length))
    return {}


def _insert_dimension(book: Book, args: Args) -> Answer:
    sheet, dimension, start, end, size = _span(book, args.get("range", {}))
    like_before = args.get("inheritFromBefore", False)
    if like_before and start == 0:
        raise invalid("inheritFromBefore cannot be true if inserting at index 0.")
    if start > size or (start == size and not like_before):
        raise invalid(f"range.startIndex[{start}] must be less than the grid size ({size})")
    sheet.insert(dimension, start, end - start, like_before=like_before)
    return {}


def _delete_dimension(book: Book, args: Args) -> Answer:
    sheet, dimension, start, end, size = _span(book, args.get("range", {}))
    if start >= size:
        one = dimension.lower().removesuffix("s")
        tried = f"Tried to delete {one} index {start} but there are only {size} {dimension.lower()}."
        raise invalid(f"Cannot delete a {one} that doesn't exist. {tried}")
    sheet.delete(dimension, start, min(end, size))
    return {}


def _span(book: Book, span: Args) -> tuple[Sheet, str, int, int, int]:
    """Return a DimensionRange's sheet, dimension, start and end, and the sheet's size that way."""
    sheet, dimension = book.sheet(span.get("sheetId", 0)), _dimension(span)
    size = len(sheet.rows) if dimension == "ROWS" else sheet.columns
    start, end = span.get("startIndex", 0), span.get("endIndex", size)
    if not 0 <= start < end:
        raise invalid(f"range.endIndex[{end}] must be after range.startIndex[{start}]")
    return sheet, dimension, start, end, size


def _dimension(args: Args) -> str:
    dimension = str(args.get("dimension", "DIMENSION_UNSPECIFIED"))
    if dimension == "DIMENSION_UNSPECIFIED":
        raise invalid("No dimension specified.")
    return dimension


def _update_cells(book: Book, args: Args) -> Answer:
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
    """Refuse data that is larger than the place for it. Raises `Failure`."""
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


def _append_cells(book: Book, args: Args) -> Answer:
    if args.get("tableId"):
        raise unbuilt("appendCells to a table")
    mask, sheet, rows = _cell_mask(args), book.sheet(args.get("sheetId", 0)), args.get("rows", [])
    top = max((row + 1 for row, _ in sheet.used(sheet.whole)), default=0)
    width = max((len(row.get("values", [])) for row in rows), default=0)
    if width > sheet.columns:
        raise invalid(f"Attempting to write column: {letters(sheet.columns)}, beyond the last column of the grid")
    sheet.resize(max(len(sheet.rows), top + len(rows)), sheet.columns)
    for down, row in enumerate(rows):
        for column, data in enumerate(row.get("values", [])):
            _change(sheet, top + down, column, data, mask)
    return {}


def _repeat_cell(book: Book, args: Args) -> Answer:
    mask, cell = _cell_mask(args), args.get("cell", {})
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    for row in range(area.top, area.bottom):
        for column in range(area.left, area.right):
            _change(sheet, row, column, cell, mask)
    return {}


_BUILT = ("userEnteredValue", "userEnteredFormat", "note", "*")


def _mask(args: Args, kind: str) -> masks.Mask:
    if not args.get("fields"):
        raise invalid("At least one field must be listed in 'fields'. (use '*' to indicate all fields)")
    mask = masks.parse(args["fields"])
    masks.check(mask, sheets(), {"$ref": kind})
    return mask


def _cell_mask(args: Args) -> masks.Mask:
    mask = _mask(args, "CellData")
    for name in mask:
        if name not in _BUILT:
            raise unbuilt(f"writing {name}")
    return mask


def _change(sheet: Sheet, row: int, column: int, data: Args, mask: masks.Mask) -> None:
    """Change the masked fields of a cell to what CellData says."""
    old = sheet.cell(row, column)
    if list(mask) == ["userEnteredValue"]:
        sheet.put(row, column, Cell(_value(data.get("userEnteredValue") or {}), old.format, old.note))
        return
    for name in data:
        if "*" in mask and name not in _BUILT:
            raise unbuilt(f"writing {name}")
    merged = masks.merge(mask, entered_data(old), data)
    look = merged.get("userEnteredFormat")
    if look and look.get("numberFormat"):
        look = {**look, "numberFormat": check_format(look["numberFormat"])}
    sheet.put(row, column, Cell(_value(merged.get("userEnteredValue") or {}), look, merged.get("note")))


def _value(extended: Args) -> Value:
    """Read an ExtendedValue: a text stays one, whatever it begins with. Raises `Failure`."""
    named = [(kind, value) for kind, value in extended.items() if value is not None]
    if not named:
        return None
    if len(named) > 1:
        raise invalid("A value must be of exactly one kind.")
    ((kind, value),) = named
    if kind == "errorValue":
        raise invalid("errorValue can't be entered.")
    if kind == "formulaValue":
        return Formula(value)
    return plain(value) if kind == "numberValue" else value or (None if kind == "stringValue" else value)


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "addSheet": _add_sheet,
    "appendCells": _append_cells,
    "appendDimension": _append_dimension,
    "deleteDimension": _delete_dimension,
    "deleteSheet": _delete_sheet,
    "insertDimension": _insert_dimension,
    "repeatCell": _repeat_cell,
    "updateCells": _update_cells,
    "updateSheetProperties": _update_sheet_properties,
    "updateSpreadsheetProperties": _update_spreadsheet_properties,
}
