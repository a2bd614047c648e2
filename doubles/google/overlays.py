"""The requests of batchUpdate for what lies over cells: merges, filters, protections, tables, and such."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from doubles.google import mask as masks
from doubles.google.area import Area
from doubles.google.book import Book, Sheet
from doubles.google.errors import invalid, not_built
from doubles.google.grid import placed, protection
from doubles.google.layout import Placed, may_edit
from doubles.google.ranges import find_grid

Answer = dict[str, Any]
Args = Mapping[str, Any]


def _merge_cells(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    sheet.layout.require_editable(area, sheet.acting)
    sheet.layout.require_whole_merges(area, "merge these cells")
    kind = args.get("mergeType", "MERGE_ALL")
    if kind == "MERGE_ROWS":
        parts = [replace(area, top=row, bottom=row + 1) for row in range(area.top, area.bottom)]
    elif kind == "MERGE_COLUMNS":
        parts = [replace(area, left=column, right=column + 1) for column in area.columns]
    else:
        parts = [area]
    kept = [merge for merge in sheet.layout.merges if not area.contains(merge)]
    sheet.layout.merges = kept + [part for part in parts if not part.single]
    # Only the first cell of a merge keeps its value.
    for row in range(area.top, area.bottom):
        for column in area.columns:
            if sheet.layout.covered(row, column):
                sheet.put(row, column, sheet.cell(row, column))
    return {}


def _unmerge_cells(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}))
    sheet.layout.require_whole_merges(area, "unmerge these cells")
    sheet.layout.merges = [merge for merge in sheet.layout.merges if not area.contains(merge)]
    return {}


def _set_basic_filter(book: Book, args: Args) -> Answer:
    wanted = args.get("filter", {})
    if wanted.keys() - {"range", "filterSpecs", "sortSpecs"}:
        raise not_built("a basic filter by criteria or of a table")
    for spec in wanted.get("filterSpecs", ()):
        if spec.get("filterCriteria", {}).keys() - {"hiddenValues"}:
            raise not_built("a filter by a condition or colour")
    sheet, area = find_grid(book, wanted.get("range", {}))
    if any(each.area.meets(area) for each in sheet.layout.tables):
        raise invalid("You can't create a filter over a table.")
    below = replace(area, top=area.top + 1)
    keys = [(k.get("dimensionIndex", 0), k.get("sortOrder") == "DESCENDING") for k in wanted.get("sortSpecs", ())]
    if keys:
        sheet.sort(below, keys)
    sheet.layout.filter = Placed(area, {k: v for k, v in wanted.items() if k != "range"})
    return {}


def _clear_basic_filter(book: Book, args: Args) -> Answer:
    book.sheet(args.get("sheetId", 0)).layout.filter = None
    return {}


def _add_protected_range(book: Book, args: Args) -> Answer:
    wanted = dict(args.get("protectedRange", {}))
    if wanted.keys() & {"namedRangeId", "tableId"}:
        raise not_built("protecting a named range or a table")
    grid = wanted.pop("range", {})
    sheet = book.sheet(grid.get("sheetId", 0))
    number = wanted.setdefault("protectedRangeId", _free(_ids(book, "protected", "protectedRangeId")))
    if number in _ids(book, "protected", "protectedRangeId"):
        raise invalid(f"A protected range with the ID {number} already exists.")
    users = wanted.get("editors", {}).get("users", [])
    mine = [sheet.acting] if sheet.acting else []
    wanted["editors"] = {**wanted.get("editors", {}), "users": [*mine, *(u for u in users if u not in mine)]}
    made = Placed(Area.from_grid(grid), wanted)
    sheet.layout.protected.append(made)
    return {"protectedRange": protection(sheet, made)}


def _delete_protected_range(book: Book, args: Args) -> Answer:
    sheet, old = _found(book, "protected", "protectedRangeId", args.get("protectedRangeId", 0))
    if not may_edit(old.data, sheet.acting):
        raise invalid("You don't have permission to change this protected range.")
    sheet.layout.protected.remove(old)
    return {}


def _add_banding(book: Book, args: Args) -> Answer:
    wanted = dict(args.get("bandedRange", {}))
    sheet, area = find_grid(book, wanted.pop("range", {}))
    wanted.setdefault("bandedRangeId", _free(_ids(book, "bands", "bandedRangeId")))
    if any(each.area.meets(area) for each in sheet.layout.bands):
        raise invalid("You cannot add alternating background colors to a range that already has them.")
    made = Placed(area, wanted)
    sheet.layout.bands.append(made)
    return {"bandedRange": placed(sheet, made)}


def _add_table(book: Book, args: Args) -> Answer:
    wanted = dict(args.get("table", {}))
    if wanted.keys() - {"name", "tableId", "range"}:
        raise not_built("a table with typed columns or colours")
    sheet, area = find_grid(book, wanted.pop("range", {}), write=True)
    if any(each.area.meets(area) for each in sheet.layout.tables) or sheet.layout.filter:
        raise invalid("A table can't overlap another table or a filter.")
    wanted.setdefault("tableId", str(_free({int(i) for i in _ids(book, "tables", "tableId") if str(i).isdecimal()})))
    made = Placed(area, wanted)
    sheet.layout.tables.append(made)
    return {"table": placed(sheet, made)}


def _update_dimension_properties(book: Book, args: Args) -> Answer:
    mask = masks.required(args, "DimensionProperties")
    if mask.keys() - {"hiddenByUser", "pixelSize"}:
        raise not_built("dimension properties other than hiddenByUser and pixelSize")
    span = args.get("range", {})
    sheet = book.sheet(span.get("sheetId", 0))
    rows = span.get("dimension") == "ROWS"
    size = len(sheet.rows) if rows else sheet.columns
    kept = sheet.layout.rows if rows else sheet.layout.columns
    for number in range(span.get("startIndex", 0), min(span.get("endIndex", size), size)):
        kept[number] = masks.merge(mask, kept.get(number, {}), args.get("properties", {}))
    return {}


def _set_data_validation(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    rule = args.get("rule")
    for row in range(area.top, area.bottom):
        for column in area.columns:
            sheet.put(row, column, replace(sheet.cell(row, column), rule=rule))
    return {}


def _placed_in(sheet: Sheet, kind: str) -> Sequence[Placed]:
    found: Sequence[Placed] = getattr(sheet.layout, kind)
    return found


def _ids(book: Book, kind: str, name: str) -> set[Any]:
    return {each.data[name] for sheet in book.sheets for each in _placed_in(sheet, kind)}


def _free(taken: set[Any]) -> int:
    return next(n for n in range(1, len(taken) + 2) if n not in taken)


def _found(book: Book, kind: str, name: str, wanted: object) -> tuple[Sheet, Placed]:
    for sheet in book.sheets:
        for each in _placed_in(sheet, kind):
            if each.data[name] == wanted:
                return sheet, each
    raise invalid(f"No {kind} with {name}: {wanted}")


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "addBanding": _add_banding,
    "addProtectedRange": _add_protected_range,
    "addTable": _add_table,
    "clearBasicFilter": _clear_basic_filter,
    "deleteProtectedRange": _delete_protected_range,
    "mergeCells": _merge_cells,
    "setBasicFilter": _set_basic_filter,
    "setDataValidation": _set_data_validation,
    "unmergeCells": _unmerge_cells,
    "updateDimensionProperties": _update_dimension_properties,
}
