"""Where a call points to: A1 notation, GridRange and DataFilter → a sheet and an area of its grid."""

import re
from collections.abc import Mapping
from typing import Any

from doubles.google.area import Area
from doubles.google.book import Book, Sheet
from doubles.google.errors import invalid, not_built

_CORNER = r"([A-Za-z]{1,3})?([1-9]\d{0,7})?"
_CELLS = re.compile(rf"{_CORNER}(?::{_CORNER})?")
_TITLED = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))(?:!(.+))?")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find(book: Book, text: str, *, write: bool = False) -> tuple[Sheet, Area]:
    """Return what A1 notation means: `Sheet!A1:B2`, `A:A`, `2:5`, `Sheet`; without a title the first sheet.

    An end past the grid is cut off for reading and refused for writing. Raises `GoogleError`.
    """
    match = _TITLED.fullmatch(text)
    if not match:
        raise _unreadable(text)
    quoted, plain, cells = match.groups()
    title = quoted.replace("''", "'") if quoted else plain
    sheet = book.titled(title)
    if sheet and cells is None:
        return sheet, sheet.whole
    # `A1` is a range of the first sheet, unless a sheet has that title: the title comes first.
    if cells is None and not quoted:
        sheet, cells = book.sheets[0], plain
    if sheet is None or cells is None:
        raise _unreadable(text)
    return sheet, _within(sheet, *_corners(cells, text), write=write)


def find_grid(book: Book, grid: Mapping[str, Any], *, write: bool = False) -> tuple[Sheet, Area]:
    """Return what a GridRange means: absent ends are open. Raises `GoogleError`."""
    sheet = book.sheet(grid.get("sheetId", 0))
    bounds = (
        grid.get("startRowIndex", 0),
        grid.get("startColumnIndex", 0),
        grid.get("endRowIndex"),
        grid.get("endColumnIndex"),
    )
    return sheet, _within(sheet, *bounds, write=write)


def find_filter(book: Book, chosen: Mapping[str, Any], *, write: bool = False) -> tuple[Sheet, Area]:
    """Return what a DataFilter selects. Raises `GoogleError`."""
    if chosen.get("a1Range") is not None:
        return find(book, chosen["a1Range"], write=write)
    if chosen.get("gridRange") is not None:
        return find_grid(book, chosen["gridRange"], write=write)
    if chosen.get("developerMetadataLookup") is not None:
        raise not_built("developerMetadataLookup")
    raise invalid("Must specify at least one of: a1Range, gridRange, developerMetadataLookup")


def name(sheet: Sheet, area: Area) -> str:
    """Write an area in A1 notation, as answers have it."""
    first, last = f"{letters(area.left)}{area.top + 1}", f"{letters(area.right - 1)}{area.bottom}"
    return f"{quoted(sheet.title)}!{first}" + ("" if area.single else f":{last}")


def quoted(title: str) -> str:
    """Write a title as it stands before the `!`."""
    return title if _PLAIN.fullmatch(title) else "'" + title.replace("'", "''") + "'"


def letters(column: int) -> str:
    """Write a column's number in letters: 0 is A, 26 is AA."""
    text = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def number(text: str) -> int:
    """Read a column's letters."""
    column = 0
    for letter in text.upper():
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _corners(cells: str, text: str) -> tuple[int, int, int | None, int | None]:
    """Return top, left, bottom and right; the last two None when open."""
    match = _CELLS.fullmatch(cells)
    if not match:
        raise _unreadable(text)
    columns, rows = match.group(1, 3), match.group(2, 4)
    if ":" not in cells:
        if not (columns[0] and rows[0]):
            raise _unreadable(text)
        columns, rows = (columns[0], columns[0]), (rows[0], rows[0])
    numbers = [number(c) for c in columns if c]
    places = [int(r) for r in rows if r]
    if not (numbers or places) or not any(match.group(1, 2)):
        raise _unreadable(text)
    # `A5:B` is open below, `B2:5` to the right; corners may come in any order.
    bottom = max(places) if len(places) == 2 else None
    right = max(numbers) + 1 if len(numbers) == 2 else None
    return min(places, default=1) - 1, min(numbers, default=0), bottom, right


def _within(sheet: Sheet, top: int, left: int, bottom: int | None, right: int | None, *, write: bool) -> Area:
    rows, columns = len(sheet.rows), sheet.columns
    asked = Area(top, left, rows if bottom is None else bottom, columns if right is None else right)
    if min(top, left) < 0 or asked.bottom < top or asked.right < left:
        raise invalid(f"Invalid range: starts at row {top}, column {left}, ends at row {bottom}, column {right}")
    # Reading past the end is cut off, but a start past the end is refused for both.
    outside = top >= rows or left >= columns
    if outside or (write and (asked.bottom > rows or asked.right > columns)):
        raise exceeds(sheet, asked)
    return Area(top, left, min(asked.bottom, rows), min(asked.right, columns))


def exceeds(sheet: Sheet, area: Area) -> Exception:
    """Return the failure of an area that does not lie in the grid."""
    limits = f"Max rows: {len(sheet.rows)}, max columns: {sheet.columns}"
    shown = Area(area.top, area.left, max(area.bottom, area.top + 1), max(area.right, area.left + 1))
    return invalid(f"Range ({name(sheet, shown)}) exceeds grid limits. {limits}")


def _unreadable(text: str) -> Exception:
    return invalid(f"Unable to parse range: {text}")
