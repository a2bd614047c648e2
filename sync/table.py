"""A sheet (tab) as read: its rows by our columns, which are found by their headers wherever they stand."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import msgspec

from sync.failure import SyncFailed
from sync.plan import Cell, Row
from sync.settings import KEY, STATE, Settings

_DAY_ZERO = date(1899, 12, 30)
"""Where the serial numbers of Sheets count their days from."""
_LAST_DAY = 2_958_466
"""The serial number after the last day of the year 9999."""


class Table(msgspec.Struct, frozen=True):
    """A sheet as read: where our columns stand (none in an empty one), the rows that name a booking, all cells."""

    places: tuple[int, ...]
    rows: tuple[Row, ...]
    grid: Sequence[Sequence[object]] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """The texts of the first row."""
        return headers(self.grid[0] if self.grid else ())


class Reader:
    """Reads cells and rows as the settings have them: which columns are ours, and which hold days."""

    def __init__(self, settings: Settings) -> None:
        self.columns = (*settings.columns, STATE)
        self._title = settings.worksheet
        self._key = self.columns.index(KEY)
        self._days = tuple(name in settings.dates for name in self.columns)
        self._day_names = frozenset(settings.dates)

    def table(self, grid: Sequence[Sequence[object]]) -> Table:
        """Read a whole sheet. Raises `SyncFailed` for a header of ours that is missing or there twice."""
        if not any(cell != "" for row in grid for cell in row):
            return Table((), ())
        width = max(map(len, grid))
        # The API leaves out the empty cells at a row's end.
        whole = [row if len(row) == width else [*row, *[""] * (width - len(row))] for row in grid]
        places = self._places(headers(grid[0]))
        columns = [*zip(*whole[1:], strict=True)] or [()] * width
        return Table(places, self._rows([columns[place] for place in places]), whole)

    def key(self, header: Sequence[str], row: Sequence[object]) -> str:
        """Return the booking that a row names: "" for none, or where the column of ids can't be told."""
        if header.count(KEY) != 1:
            return ""
        place = header.index(KEY)
        return str(cell(row[place])).strip() if place < len(row) else ""

    def cell(self, header: str, value: object) -> Cell:
        """Return a value under a header: as a day where the column holds days."""
        return day(value) if header in self._day_names else cell(value)

    def _places(self, names: Sequence[str]) -> tuple[int, ...]:
        for name in self.columns:
            if names.count(name) != 1:
                how = "no column" if name not in names else f"{names.count(name)} columns"
                cure = f"give exactly one column of {self._title!r} the header {name}, in the first row"
                raise SyncFailed("sheet_header", f"the sheet {self._title!r} has {how} with the header {name!r}", cure)
        return tuple(names.index(name) for name in self.columns)

    def _rows(self, ours: Sequence[Sequence[object]]) -> tuple[Row, ...]:
        cells = [_cells(column, day if is_day else cell) for column, is_day in zip(ours, self._days, strict=True)]
        names = [str(name).strip() for name in _cells(ours[self._key], cell)]
        cells[self._key] = names
        rows = enumerate(zip(names, zip(*cells, strict=True), strict=True), start=2)
        return tuple([Row(number, name, row) for number, (name, row) in rows if name])


def _cells(column: Sequence[object], read: Callable[[object], Cell]) -> Sequence[Cell]:
    """Return a column's values as cells; texts and, but for days, whole numbers are those already."""
    kinds = set(map(type, column))
    return column if kinds <= ({str, int} if read is cell else {str}) else [*map(read, column)]  # type: ignore[return-value]


def headers(row: Sequence[object]) -> tuple[str, ...]:
    """Return the texts of a header row."""
    return tuple(str(name).strip() for name in row)


def cell(value: object) -> Cell:
    """Return a value of the API as a cell: whole numbers as `int`, TRUE and FALSE as the texts that users see."""
    # First, because to Python a bool is an int: TRUE would read as 1.
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float) else ""


def day(value: object) -> Cell:
    """Return a value of a column of days: what a user typed became a serial number, and is read back as its day."""
    found = cell(value)
    if isinstance(found, int) and 0 <= found < _LAST_DAY:
        return (_DAY_ZERO + timedelta(days=found)).isoformat()
    return found
