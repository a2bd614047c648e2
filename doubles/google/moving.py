"""The request of batchUpdate that moves cells: cut and paste."""

from collections.abc import Callable, Mapping
from typing import Any

from doubles.google.area import Area
from doubles.google.book import EMPTY, Book, Cell, Sheet
from doubles.google.errors import not_built
from doubles.google.ranges import exceeds, find_grid

Answer = dict[str, Any]
Args = Mapping[str, Any]
Cells = list[list[Cell]]


def _cut_paste(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("source", {}), write=True)
    if args.get("pasteType", "PASTE_NORMAL") != "PASTE_NORMAL":
        raise not_built(f"cutting with {args['pasteType']}")
    start = args.get("destination", {})
    target = book.sheet(start.get("sheetId", 0))
    top, left = start.get("rowIndex", 0), start.get("columnIndex", 0)
    place = Area(top, left, top + area.bottom - area.top, left + area.right - area.left)
    if place.bottom > len(target.rows) or place.right > target.columns:
        raise exceeds(target, place)
    for side, part in ((sheet, area), (target, place)):
        side.layout.require_editable(part, side.acting)
        side.layout.require_whole_merges(part, "cut and paste these cells")
    merges = [merge for merge in sheet.layout.merges if area.contains(merge)]
    taken = _cells(sheet, area)
    sheet.layout.merges = [merge for merge in sheet.layout.merges if merge not in merges]
    target.layout.merges = [merge for merge in target.layout.merges if not place.contains(merge)]
    _put(sheet, area, [])
    _put(target, place, taken)
    down, right = top - area.top, left - area.left
    target.layout.merges += [Area(m.top + down, m.left + right, m.bottom + down, m.right + right) for m in merges]
    return {}


def _cells(sheet: Sheet, area: Area) -> Cells:
    return [[sheet.cell(row, column) for column in area.columns] for row in range(area.top, area.bottom)]


def _put(sheet: Sheet, area: Area, cells: Cells) -> None:
    """Fill an area; without cells it becomes blank."""
    for down, row in enumerate(range(area.top, area.bottom)):
        for right, column in enumerate(area.columns):
            sheet.put(row, column, cells[down][right] if cells else EMPTY)


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "cutPaste": _cut_paste,
}
