"""A spreadsheet as a value in memory: sheets of sparse rows of cells, and what may be done to their grids.

Indexes count from 0 and ends are exclusive, as in the API's GridRange.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from doubles.google.area import Area
from doubles.google.errors import GoogleError, invalid
from doubles.google.layout import Layout

CELL_LIMIT = 10_000_000
"""Cells of a spreadsheet, empty ones included; Google's documented limit."""
TEXT_LIMIT = 50_000
"""Characters of one cell; Google's documented limit."""


class Formula(str):
    """What was entered with a leading `=`: kept, never calculated."""

    __slots__ = ()


Value: TypeAlias = str | float | bool | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What was entered in a cell; `format` is the API's CellFormat as data."""

    value: Value = None
    format: Mapping[str, Any] | None = None
    note: str | None = None
    rule: Mapping[str, Any] | None = None
    """A DataValidationRule: users are held to it, calls of the API are not."""

    def __bool__(self) -> bool:
        return self.value is not None or bool(self.format) or self.note is not None or bool(self.rule)


EMPTY = Cell()
Row: TypeAlias = dict[int, Cell]


@dataclass
class Sheet:
    """A grid: as many rows as it has, each with the cells that hold something; `properties` is what else is known."""

    id: int
    title: str
    columns: int = 26
    rows: list[Row] = field(default_factory=lambda: [{} for _ in range(1000)])
    properties: Mapping[str, Any] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    acting: str = field(default="", compare=False)
    """The account whose call is carried out: protected ranges ask for it."""

    def copy(self) -> "Sheet":
        """Return one that can be changed without changing this one: cells are values, rows are not."""
        rows = [row.copy() for row in self.rows]
        return Sheet(self.id, self.title, self.columns, rows, self.properties, self.layout.copy())

    def cell(self, row: int, column: int) -> Cell:
        """Return a cell of the grid."""
        return self.rows[row].get(column, EMPTY)

    def put(self, row: int, column: int, cell: Cell) -> None:
        """Set a cell of the grid. Raises `GoogleError` for a text that is too long."""
        if isinstance(cell.value, str) and len(cell.value) > TEXT_LIMIT:
            raise invalid(f"Your input contains more than the maximum of {TEXT_LIMIT} characters in a single cell.")
        if self.layout.protected:
            self.layout.require_editable(Area(row, column, row + 1, column + 1), self.acting)
        if self.layout.merges and self.layout.covered(row, column):
            cell = replace(cell, value=None)
        # An empty cell takes no memory: a grid of ten million of them must fit.
        if cell:
            self.rows[row][column] = cell
        else:
            self.rows[row].pop(column, None)

    def resize(self, rows: int, columns: int) -> None:
        """Give the grid another size; what falls outside is gone."""
        if rows < 1 or columns < 1:
            raise invalid("You can't delete all the rows or columns on the sheet.")
        # Before a row is made: a grid that is refused must not take memory first.
        check_size(rows * columns)
        if rows < len(self.rows):
            self.layout.delete("ROWS", rows, len(self.rows))
        if columns < self.columns:
            self.layout.delete("COLUMNS", columns, self.columns)
        del self.rows[rows:]
        self.rows.extend({} for _ in range(rows - len(self.rows)))
        if columns < self.columns:
            self.rows = [{c: cell for c, cell in row.items() if c < columns} for row in self.rows]
        self.columns = columns

    def insert(self, dimension: str, start: int, count: int, *, like_before: bool) -> None:
        """Insert rows or columns that look like those before them, or those after."""
        self._require_editable_line(dimension, start, start + 1)
        model = start - 1 if like_before else start
        self.layout.insert(dimension, start, count)
        check_size(len(self.rows) * self.columns + count * (self.columns if dimension == "ROWS" else len(self.rows)))
        if dimension == "ROWS":
            like = self.rows[model].items()
            looks = {c: Cell(format=cell.format, rule=cell.rule) for c, cell in like if cell.format or cell.rule}
            self.rows[start:start] = [dict(looks) for _ in range(count)]
            return
        self.columns += count
        for number, row in enumerate(self.rows):
            look = row.get(model, EMPTY).format
            moved = {c + count if c >= start else c: cell for c, cell in row.items()}
            self.rows[number] = moved | ({c: Cell(format=look) for c in range(start, start + count)} if look else {})

    def delete(self, dimension: str, start: int, end: int) -> None:
        """Delete rows or columns."""
        size = len(self.rows) if dimension == "ROWS" else self.columns
        if end - start >= size:
            raise invalid(f"You can't delete all the {dimension.lower()} on the sheet.")
        self._require_editable_line(dimension, start, end)
        self.layout.delete(dimension, start, end)
        if dimension == "ROWS":
            del self.rows[start:end]
            return
        deleted = range(start, end)
        self.columns -= len(deleted)
        self.rows = [
            {c - len(deleted) if c >= end else c: cell for c, cell in row.items() if c not in deleted}
            for row in self.rows
        ]

    def move(self, dimension: str, start: int, end: int, target: int) -> None:
        """Move rows or columns to before `target`, which counts as the grid is now and is not inside them."""
        size = len(self.rows) if dimension == "ROWS" else self.columns
        moved = range(start, end)
        rest = [n for n in range(size) if n not in moved]
        at = target if target <= start else target - len(moved)
        order = [*rest[:at], *moved, *rest[at:]]
        self._require_editable_line(dimension, start, end)
        self.layout.move(dimension, order)
        if dimension == "ROWS":
            self.rows = [self.rows[n] for n in order]
            return
        places = {old: new for new, old in enumerate(order)}
        self.rows = [{places[c]: cell for c, cell in row.items()} for row in self.rows]

    def sort(self, area: Area, keys: Sequence[tuple[int, bool]]) -> None:
        """Sort the rows of an area by columns, the first weighs most; a key says whether it is descending.

        Numbers come before texts, texts before booleans, and empty cells last either way.
        """
        if any(merge.meets(area) for merge in self.layout.merges):
            raise invalid("You can't sort a range with merged cells.")
        self.layout.require_editable(area, self.acting)
        span = area.columns
        parts = [{c: row[c] for c in span if c in row} for row in self.rows[area.top : area.bottom]]
        # Sorting is stable, so the key that weighs most is applied last.
        for column, descending in reversed(keys):
            filled = [part for part in parts if part.get(column, EMPTY).value is not None]
            empty = [part for part in parts if part.get(column, EMPTY).value is None]
            parts = [*sorted(filled, key=lambda part: _rank(part[column].value), reverse=descending), *empty]
        for row, part in zip(self.rows[area.top : area.bottom], parts, strict=True):
            for column in span:
                row.pop(column, None)
            row.update(part)

    def _require_editable_line(self, dimension: str, start: int, end: int) -> None:
        rows = dimension == "ROWS"
        area = Area(start, 0, end, self.columns) if rows else Area(0, start, len(self.rows), end)
        self.layout.require_editable(area, self.acting)

    def used(self, area: Area) -> Iterator[tuple[int, int]]:
        """Yield row and column of each cell of an area that holds a value."""
        for number in range(area.top, area.bottom):
            for column, cell in self.rows[number].items():
                if cell.value is not None and column in area.columns:
                    yield number, column

    @property
    def height(self) -> int:
        """How many rows there are down to the last that holds a value: looked for from below, as rows are appended."""
        below = reversed(range(len(self.rows)))
        return next((n + 1 for n in below if any(cell.value is not None for cell in self.rows[n].values())), 0)

    @property
    def whole(self) -> Area:
        """All of the grid."""
        return Area(0, 0, len(self.rows), self.columns)


def _rank(value: Value) -> tuple[int, float, str]:
    """Return what a value is sorted by."""
    if isinstance(value, str):
        return 1, 0, value.casefold()
    return (2, float(value), "") if isinstance(value, bool) else (0, float(value or 0), "")


@dataclass
class Book:
    """A spreadsheet; `properties` is the API's SpreadsheetProperties."""

    id: str
    properties: Mapping[str, Any]
    sheets: list[Sheet]
    shared: Mapping[str, str] = field(default_factory=dict)
    """Accounts with whom the owner shared it, each a writer or a reader."""
    metadata: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Developer metadata of the spreadsheet as a whole, by its id."""

    def copy(self) -> "Book":
        """Return one that can be changed without changing this one."""
        return Book(self.id, self.properties, [sheet.copy() for sheet in self.sheets], self.shared, self.metadata)

    def require_role(self, account: str, *, write: bool) -> None:
        """Refuse an account that may not read, or not write. Raises `GoogleError` PERMISSION_DENIED."""
        may = account == "" or account in self.shared
        if not may or (write and self.shared.get(account) == "reader"):
            raise GoogleError("PERMISSION_DENIED", "The caller does not have permission")

    def sheet(self, sheet_id: int) -> Sheet:
        """Return a sheet by its id. Raises `GoogleError`."""
        for sheet in self.sheets:
            if sheet.id == sheet_id:
                return sheet
        raise invalid(f"No grid with id: {sheet_id}")

    def titled(self, title: str) -> Sheet | None:
        """Return a sheet by its title, whatever the case."""
        return next((sheet for sheet in self.sheets if sheet.title.casefold() == title.casefold()), None)

    def check_size(self) -> None:
        """Refuse more cells than a spreadsheet can have. Raises `GoogleError`."""
        check_size(sum(len(sheet.rows) * sheet.columns for sheet in self.sheets))


def check_size(cells: int) -> None:
    """Refuse more cells than a spreadsheet can have, before they take memory. Raises `GoogleError`."""
    if cells > CELL_LIMIT:
        limit = f"above the limit of {CELL_LIMIT} cells."
        raise invalid(f"This action would increase the number of cells in the workbook {limit}")
