"""The requests of batchUpdate that move or copy cells within a grid: cut, copy, insert and delete of ranges."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from doubles.google.area import Area
from doubles.google.book import EMPTY, Book, Cell, Sheet
from doubles.google.errors import invalid, not_built
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


def _copy_paste(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("source", {}), write=True)
    target, place = find_grid(book, args.get("destination", {}), write=True)
    kind = args.get("pasteType", "PASTE_NORMAL")
    if kind not in ("PASTE_NORMAL", "PASTE_VALUES") or args.get("pasteOrientation", "NORMAL") != "NORMAL":
        raise not_built(f"copying with {kind}, or turned")
    for side, part in ((sheet, area), (target, place)):
        if any(merge.meets(part) for merge in side.layout.merges):
            raise not_built("copying merged cells")
    height, width = area.bottom - area.top, area.right - area.left
    # What is smaller than its source takes all of it; what is larger repeats it.
    size = (max(place.bottom - place.top, height), max(place.right - place.left, width))
    if size[0] % height or size[1] % width:
        size = (height, width)
    wide = Area(place.top, place.left, place.top + size[0], place.left + size[1])
    if wide.bottom > len(target.rows) or wide.right > target.columns:
        raise exceeds(target, wide)
    source = _cells(sheet, area)
    for row in range(wide.top, wide.bottom):
        for column in wide.columns:
            cell = source[(row - wide.top) % height][(column - wide.left) % width]
            old = target.cell(row, column)
            target.put(row, column, replace(old, value=cell.value) if kind == "PASTE_VALUES" else cell)
    return {}


def _insert_range(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    rest, count = _behind(sheet, area, _rows(args))
    if any(merge.meets(rest) for merge in sheet.layout.merges):
        raise invalid("You can't insert cells here: it would break apart merged cells.")
    cells = _cells(sheet, rest)
    if _rows(args):
        sheet.resize(len(sheet.rows) + count, sheet.columns)
        moved = replace(rest, top=rest.top + count, bottom=rest.bottom + count)
    else:
        sheet.resize(len(sheet.rows), sheet.columns + count)
        moved = replace(rest, left=rest.left + count, right=rest.right + count)
    _put(sheet, area, [])
    _put(sheet, moved, cells)
    return {}


def _delete_range(book: Book, args: Args) -> Answer:
    sheet, area = find_grid(book, args.get("range", {}), write=True)
    rest, count = _behind(sheet, area, _rows(args))
    if any(merge.meets(rest) for merge in sheet.layout.merges):
        raise invalid("You can't delete these cells: it would break apart merged cells.")
    cells = _cells(sheet, rest)
    # What comes up or over leaves blank cells at the end: the grid keeps its size.
    _put(sheet, rest, cells[count:] if _rows(args) else [row[count:] for row in cells])
    return {}


def _rows(args: Args) -> bool:
    shift = args.get("shiftDimension", "DIMENSION_UNSPECIFIED")
    if shift == "DIMENSION_UNSPECIFIED":
        raise invalid("No shiftDimension specified.")
    return bool(shift == "ROWS")


def _behind(sheet: Sheet, area: Area, rows: bool) -> tuple[Area, int]:  # noqa: FBT001 - one direction or the other
    """Return the area from a range to the grid's end, in the direction of the shift, and by how much it moves."""
    if rows:
        return replace(area, bottom=len(sheet.rows)), area.bottom - area.top
    return replace(area, right=sheet.columns), area.right - area.left


def _cells(sheet: Sheet, area: Area) -> Cells:
    return [[sheet.cell(row, column) for column in area.columns] for row in range(area.top, area.bottom)]


def _put(sheet: Sheet, area: Area, cells: Cells) -> None:
    """Fill an area: what is not given is blank."""
    for down, row in enumerate(range(area.top, area.bottom)):
        given = cells[down] if down < len(cells) else []
        for right, column in enumerate(area.columns):
            sheet.put(row, column, given[right] if right < len(given) else EMPTY)


KINDS: Mapping[str, Callable[[Book, Args], Answer]] = {
    "copyPaste": _copy_paste,
    "cutPaste": _cut_paste,
    "deleteRange": _delete_range,
    "insertRange": _insert_range,
}
