"""The requests of spreadsheets.batchUpdate that this double builds: all of one call are carried out, or none."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from doubles.google import mask as masks
from doubles.google import metadata, moving, overlays
from doubles.google.book import Book, Sheet
from doubles.google.call import Call
from doubles.google.cells import repeat_cell, update_cells
from doubles.google.errors import GoogleError, invalid, not_built
from doubles.google.grid import properties, spreadsheet
from doubles.google.layout import Placed
from doubles.google.ranges import find, find_grid

Answer = dict[str, Any]
Args = Mapping[str, Any]


def batch_update(call: Call) -> Answer:
    """Carry out all requests in their order. Raises `GoogleError` naming the one that can't be."""
    requests = call.body.get("requests", [])
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
    if len(request) != 1:
        raise invalid(f"Invalid requests[{number}]: must name exactly one kind of request.")
    ((kind, args),) = request.items()
    if kind not in KINDS:
        raise not_built(f"requests[{number}].{kind}")
    try:
        reply = KINDS[kind](book, args)
        book.check_size()
    except GoogleError as failure:
        prefix = f"Invalid requests[{number}].{kind}: " if failure.status == "INVALID_ARGUMENT" else ""
        raise GoogleError(failure.status, prefix + failure.message, failure.details) from None
    return {kind: reply} if reply else {}


def _add_sheet(book: Book, args: Args) -> Answer:
    wanted = args.get("properties", {})
    sheet = new_sheet(book, wanted)
    book.sheets.insert(wanted.get("index", len(book.sheets)), sheet)
    return {"properties": properties(book, sheet)}


def new_sheet(book: Book, wanted: Args) -> Sheet:
    """Make the sheet that SheetProperties ask for, not yet part of the book. Raises `GoogleError`."""
    ids = [sheet.id for sheet in book.sheets]
    number = wanted.get("sheetId", max(ids) + 1 if ids else 0)
    if number in ids:
        raise invalid(f"A sheet with the ID {number} already exists. Please enter another ID.")
    sheet = Sheet(number, "")
    _describe(book, sheet, {"title": wanted.get("title", f"Sheet{len(ids) + 1}"), **wanted})
    return sheet


def _delete_sheet(book: Book, args: Args) -> Answer:
    sheet = book.sheet(args.get("sheetId", 0))
    sheet.layout.require_editable(sheet.whole, sheet.acting)
    if len(book.sheets) == 1:
        raise invalid("You can't remove all the sheets in a document.")
    book.sheets.remove(sheet)
    _require_a_visible_sheet(book)
    return {}


def _require_a_visible_sheet(book: Book) -> None:
    if all(sheet.properties.get("hidden") for sheet in book.sheets):
        raise invalid("You can't remove all the visible sheets in a document.")


_MOST_SHEETS = 200
"""Sheets of a spreadsheet; Google's documented limit."""


def _duplicate_sheet(book: Book, args: Args) -> Answer:
    source = book.sheet(args.get("sourceSheetId", 0))
    place = args.get("insertSheetIndex", book.sheets.index(source) + 1)
    if place not in range(len(book.sheets) + 1):
        raise invalid(f"Invalid insertSheetIndex: {place}")
    if len(book.sheets) >= _MOST_SHEETS:
        raise invalid(f"This action would exceed the limit of {_MOST_SHEETS} sheets.")
    given = {"sheetId": args["newSheetId"]} if "newSheetId" in args else {}
    made = new_sheet(book, {"title": args.get("newSheetName", _copy_title(book, source)), **given})
    copy = source.copy()
    copy.id, copy.title, copy.acting = made.id, made.title, source.acting
    copy.properties = {name: value for name, value in source.properties.items() if name != "hidden"}
    # Ids of what lies over the cells are the spreadsheet's: those of the copy are others.
    taken = {each.data["protectedRangeId"] for sheet in book.sheets for each in sheet.layout.protected}
    free = (n for n in itertools.count(1) if n not in taken)
    layout = copy.layout
    layout.protected = [Placed(p.area, {**p.data, "protectedRangeId": next(free)}) for p in layout.protected]
    layout.tables = [Placed(t.area, {**t.data, "tableId": f"{copy.id}-{t.data['tableId']}"}) for t in layout.tables]
    book.sheets.insert(place, copy)
    return {"properties": properties(book, copy)}


def _copy_title(book: Book, source: Sheet) -> str:
    titles = (f"Copy of {source.title}" + (f" {n}" if n > 1 else "") for n in itertools.count(1))
    return next(title for title in titles if book.titled(title) is None)


def _update_sheet_properties(book: Book, args: Args) -> Answer:
    wanted = args.get("properties", {})
    mask = masks.required(args, "SheetProperties")
    sheet = book.sheet(wanted.get("sheetId", 0))
    changed = masks.merge(mask, properties(book, sheet), wanted)
    # Removed first: `index` counts the places among the other sheets.
    book.sheets.remove(sheet)
    _describe(book, sheet, changed)
    book.sheets.insert(changed.get("index", 0), sheet)
    _require_a_visible_sheet(book)
    return {}


_OWN = ("sheetId", "title", "index", "sheetType", "gridProperties")
"""SheetProperties that a sheet keeps in fields of its own."""


def _describe(book: Book, sheet: Sheet, wanted: Args) -> None:
    """Make a sheet what SheetProperties say. Raises `GoogleError` for a title that another one has."""
    title = wanted.get("title", "")
    if not title:
        raise invalid("The sheet name cannot be empty.")
    taken = book.titled(title)
    if taken is not None and taken is not sheet:
        raise invalid(f'A sheet with the name "{title}" already exists. Please enter another name.')
    if wanted.get("sheetType", "GRID") != "GRID":
        raise not_built(f"sheets of type {wanted['sheetType']}")
    size = wanted.get("gridProperties", {})
    sheet.title = title
    sheet.resize(size.get("rowCount", len(sheet.rows)), size.get("columnCount", sheet.columns))
    rest = {k: v for k, v in size.items() if k not in ("rowCount", "columnCount")}
    for name, count in (("frozenRowCount", len(sheet.rows)), ("frozenColumnCount", sheet.columns)):
        if rest.get(name, 0) >= count:
            raise invalid(f"You can't freeze all visible {'rows' if 'Row' in name else 'columns'} on the sheet.")
    others = {k: v for k, v in wanted.items() if k not in _OWN}
    sheet.properties = {**others, **({"gridProperties": rest} if rest else {})}


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


def _move_dimension(book: Book, args: Args) -> Answer:
    sheet, dimension, start, end, size = _span(book, args.get("source", {}))
    target = args.get("destinationIndex", 0)
    outside = end > size or target not in range(size + 1)
    inside_what_is_moved = target in range(start + 1, end)
    if outside:
        raise invalid(f"Can't move beyond the grid size ({size}).")
    if inside_what_is_moved:
        raise invalid(f"destinationIndex[{target}] must not lie inside of what is moved.")
    sheet.move(dimension, start, end, target)
    return {}


def _sort_range(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    keys = []
    for spec in args.get("sortSpecs", []):
        if spec.keys() - {"dimensionIndex", "sortOrder"}:
            raise not_built("sorting by colour or by data source")
        column = spec.get("dimensionIndex", 0)
        if column not in area.columns:
            raise invalid(f"dimensionIndex[{column}] does not lie in the range")
        keys.append((column, spec.get("sortOrder") == "DESCENDING"))
    if not keys:
        raise invalid("Must specify at least one sort spec.")
    sheet.sort(area, keys)
    return {}


def _span(book: Book, span: Args) -> tuple[Sheet, str, int, int, int]:
    """Return a DimensionRange's sheet, dimension, start and end, and the sheet's size in that dimension."""
    sheet, dimension = book.sheet(span.get("sheetId", 0)), _dimension(span)
    size = len(sheet.rows) if dimension == "ROWS" else sheet.columns
    start, end = span.get("startIndex", 0), span.get("endIndex", size)
    if start not in range(end):
        raise invalid(f"range.endIndex[{end}] must be after range.startIndex[{start}]")
    return sheet, dimension, start, end, size


def _dimension(args: Args) -> str:
    dimension = str(args.get("dimension", "DIMENSION_UNSPECIFIED"))
    if dimension == "DIMENSION_UNSPECIFIED":
        raise invalid("No dimension specified.")
    return dimension


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "addSheet": _add_sheet,
    "appendDimension": _append_dimension,
    "duplicateSheet": _duplicate_sheet,
    "deleteDimension": _delete_dimension,
    "deleteSheet": _delete_sheet,
    "insertDimension": _insert_dimension,
    "moveDimension": _move_dimension,
    "repeatCell": repeat_cell,
    "sortRange": _sort_range,
    "updateCells": update_cells,
    "updateSheetProperties": _update_sheet_properties,
    **metadata.KINDS,
    **overlays.KINDS,
    **moving.KINDS,
}
