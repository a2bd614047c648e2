"""Spreadsheets, sheets and cells as the API's objects: what spreadsheets.get answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from doubles.google.area import Area
from doubles.google.book import EMPTY, Book, Cell, Sheet
from doubles.google.call import Call
from doubles.google.layout import Placed, may_edit
from doubles.google.mask import parse
from doubles.google.ranges import find, find_filter
from doubles.google.render import effective, entered, formatted

Answer = dict[str, Any]
Target = tuple[Sheet, Area]


def get(call: Call) -> Answer:
    """Answer spreadsheets.get."""
    ranges = [find(call.book, text) for text in call.query.get("ranges", [])]
    return spreadsheet(call.book, call.base, ranges, data=_wants_data(call, call.query))


def get_by_filter(call: Call) -> Answer:
    """Answer spreadsheets.getByDataFilter."""
    ranges = [find_filter(call.book, chosen) for chosen in call.body.get("dataFilters", [])]
    return spreadsheet(call.book, call.base, ranges, data=_wants_data(call, call.body))


def _wants_data(call: Call, options: Mapping[str, Any]) -> bool:
    """Tell whether cells are asked for: by a field mask where there is one, else by includeGridData."""
    if "fields" not in call.query:
        return bool(options.get("includeGridData", False))
    mask = parse(call.query["fields"])
    inside = mask.get("sheets")
    return "*" in mask or (inside is not None and (not inside or "data" in inside or "*" in inside))


def spreadsheet(book: Book, base: str, ranges: Sequence[Target] = (), *, data: bool = False) -> Answer:
    """Return a Spreadsheet: with ranges, only their sheets; with `data`, the cells of the ranges, or all."""
    chosen = [sheet for sheet in book.sheets if not ranges or any(sheet is s for s, _ in ranges)]
    sheets = []
    for sheet in chosen:
        areas = [area for s, area in ranges if s is sheet] or [sheet.whole]
        shown = {"data": [grid_data(sheet, area) for area in areas]} if data else {}
        sheets.append({"properties": properties(book, sheet), **shown, **laid_out(sheet)})
    return {
        "spreadsheetId": book.id,
        "properties": book.properties,
        "sheets": sheets,
        **({"developerMetadata": list(book.metadata.values())} if book.metadata else {}),
        "spreadsheetUrl": f"{base}/spreadsheets/d/{book.id}/edit",
    }


def properties(book: Book, sheet: Sheet) -> Answer:
    """Return SheetProperties."""
    size = {"rowCount": len(sheet.rows), "columnCount": sheet.columns}
    return {
        **sheet.properties,
        "sheetId": sheet.id,
        "title": sheet.title,
        "index": next(i for i, s in enumerate(book.sheets) if s is sheet),
        "sheetType": "GRID",
        "gridProperties": {**sheet.properties.get("gridProperties", {}), **size},
    }


def grid_data(sheet: Sheet, area: Area) -> Answer:
    """Return GridData: rows as far as they hold something; a start of 0 is left out, as in all of Google's JSON."""
    rows = [_row(sheet, number, area) for number in range(area.top, area.bottom)]
    # Google leaves out the rows at the end that have nothing; those between are empty objects.
    while rows and not rows[-1]:
        rows.pop()
    starts = {"startRow": area.top, "startColumn": area.left}
    hidden = _hidden_by_filter(sheet)
    lines = {
        "rowMetadata": [
            {"pixelSize": 21, **sheet.layout.rows.get(n, {}), **({"hiddenByFilter": True} if n in hidden else {})}
            for n in range(area.top, area.bottom)
        ],
        "columnMetadata": [{"pixelSize": 100, **sheet.layout.columns.get(n, {})} for n in area.columns],
    }
    return {**{k: v for k, v in starts.items() if v}, **({"rowData": rows} if rows else {}), **lines}


def _hidden_by_filter(sheet: Sheet) -> frozenset[int]:
    found = sheet.layout.filter
    if found is None:
        return frozenset()
    hidden = set()
    for spec in found.data.get("filterSpecs", ()):
        values = spec.get("filterCriteria", {}).get("hiddenValues", ())
        column = spec.get("columnIndex", 0)
        rows = range(found.area.top + 1, min(found.area.bottom, len(sheet.rows)))
        hidden |= {row for row in rows if (formatted(sheet.cell(row, column)) or "") in values}
    return frozenset(hidden)


def laid_out(sheet: Sheet) -> Answer:
    """Return the parts of a Sheet that lie over its cells; what there is none of is left out."""
    layout = sheet.layout
    parts = {
        "merges": [merge.grid(sheet.id) for merge in layout.merges],
        "protectedRanges": [protection(sheet, each) for each in layout.protected],
        "bandedRanges": [placed(sheet, each) for each in layout.bands],
        "tables": [placed(sheet, each) for each in layout.tables],
        "basicFilter": placed(sheet, layout.filter) if layout.filter else None,
    }
    return {name: part for name, part in parts.items() if part}


def placed(sheet: Sheet, each: Placed) -> Answer:
    """Return what lies on an area, with its range."""
    return {**each.data, "range": each.area.grid(sheet.id)}


def protection(sheet: Sheet, each: Placed) -> Answer:
    """Return a ProtectedRange as the account that asks sees it: its editors only when it is one of them."""
    mine = may_edit(each.data, sheet.acting)
    shown = {k: v for k, v in placed(sheet, each).items() if mine or k != "editors"}
    return {**shown, **({"requestingUserCanEdit": True} if mine else {})}


def _row(sheet: Sheet, number: int, area: Area) -> Answer:
    row = sheet.rows[number]
    used = [column for column in row if column in area.columns]
    if not used:
        return {}
    return {"values": [cell_data(row.get(column, EMPTY)) for column in range(area.left, max(used) + 1)]}


def cell_data(cell: Cell) -> Answer:
    """Return CellData, as far as this double keeps it."""
    data: Answer = {}
    if cell.value is not None:
        data |= {"userEnteredValue": entered(cell.value), "effectiveValue": effective(cell.value)}
        data["formattedValue"] = formatted(cell)
    if cell.format:
        data |= {"userEnteredFormat": cell.format, "effectiveFormat": cell.format}
    if cell.note is not None:
        data["note"] = cell.note
    if cell.rule:
        data["dataValidation"] = cell.rule
    return data


def entered_data(cell: Cell) -> Mapping[str, Any]:
    """Return the part of CellData that a user or program enters."""
    known = ("userEnteredValue", "userEnteredFormat", "note", "dataValidation")
    return {name: value for name, value in cell_data(cell).items() if name in known}
