"""What our writes put into a wrong place because people moved rows or columns meanwhile: told at once, and undone as
soon as it is found again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from sync.batch import Entered, Target
from sync.plan import Cell, Cells
from sync.settings import KEY
from sync.table import Reader, Table


class Stray(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cell that holds `ours` and held `value` (shown as `was`), in the row and column of these names; or a `unit`:
    the cells of a new row that came to stand in a wrong place, to be blanked. A `lost` one came where none can tell.

    `like` is the row's content after our write, by which a row without a key is known again.
    """

    booking: str
    column: str = ""
    key: str = ""
    header: str = ""
    ours: Cell = ""
    value: dict[str, Any] = msgspec.field(default_factory=dict)
    was: Cell = ""
    like: Cells = ()
    unit: Cells = ()
    lost: bool = False

    def __str__(self) -> str:
        """Say it to a reader."""
        if self.unit:
            return f"a new row of booking {self.booking} in a wrong place"
        if self.lost:
            return f"{self.ours!r} of booking {self.booking}, {self.column}, came into a place that can't be told"
        row = f"the row of {self.key}" if self.key else "a row without a booking"
        return (
            f"{self.ours!r} of booking {self.booking} came into {row}, column {self.header!r}, which held {self.was!r}"
        )


def locate(number: int, stray: Stray, table: Table, reader: Reader) -> tuple[Target, ...] | None:
    """Return what undoes a stray in the sheet as it is now: nothing when its cell was changed since, None when it can't
    be told where it is.
    """
    if stray.lost:
        return None
    if stray.unit:
        return _unit(number, stray, table, reader)
    # What came over a booking's id is what its row is called now.
    key = str(stray.ours) if stray.header == KEY and stray.key else stray.key
    rows = [n for n, _ in _rows(msgspec.structs.replace(stray, key=key), table, reader)]
    columns = [c for c, name in enumerate(table.header) if name == stray.header]
    holding = [(n, c) for n in rows for c in columns if _at(table, reader, n, c) == stray.ours]
    if len(holding) == 1:
        ((row, column),) = holding
        return (_target(number, table, reader, (row, column), stray.value),)
    # Found, and it holds something else: a user put that there after our write.
    return () if len(rows) == len(columns) == 1 else None


def alike(one: Sequence[Cell], other: Sequence[Cell]) -> bool:
    """Tell whether two rows without a key are the same one: at least half of what the fuller one holds is in both."""
    first, second = (Counter(c for c in cells if c != "") for cells in (one, other))
    longest = max(first.total(), second.total())
    return (first & second).total() * 2 >= longest


def content(row: Sequence[object], header: Sequence[str], reader: Reader) -> Cells:
    """Return a row's cells; a table's rows are all as long as its header."""
    return tuple(map(reader.cell, header, row))


def _rows(stray: Stray, table: Table, reader: Reader) -> Iterator[tuple[int, Cells]]:
    header = table.header
    for number, row in enumerate(table.grid):
        if not number:
            continue
        key = reader.key(header, row)
        if key != stray.key:
            continue
        cells = content(row, header, reader)
        if key or alike(stray.like, cells):
            yield number, cells


def _unit(number: int, stray: Stray, table: Table, reader: Reader) -> tuple[Target, ...] | None:
    """Find a new row of ours by its cells: the one row that holds its key and most of the rest."""
    wanted = Counter(c for c in stray.unit if c != "")
    header = table.header
    found = []
    for row, values in enumerate(table.grid):
        cells = content(values, header, reader)
        held = wanted & Counter(cells)
        if row and held.total() * 2 > wanted.total():
            found.append((row, cells))
    if len(found) != 1:
        return None if found else ()
    ((row, cells),) = found
    left, blanked = wanted.copy(), []
    for column, cell in enumerate(cells):
        if left[cell] > 0:
            left[cell] -= 1
            blanked.append(_target(number, table, reader, (row, column), {}))
    return tuple(blanked)


def is_in_place(cells: Cells, key: str, table: Table, reader: Reader) -> bool:
    """Tell whether a new row of ours stands where it belongs, as far as the sheet shows it without a copy: a row has
    its id, and what is not in its column was changed since: it is nowhere else in that row.
    """
    row = next((row for row in table.rows if row.key == key), None)
    if row is None:
        return False
    pairs = [*zip(cells, row.cells, strict=False)]
    held = Counter(content(table.grid[row.number - 1], table.header, reader))
    elsewhere = held - Counter(ours for ours, shown in pairs if ours == shown)
    return not any(elsewhere[ours] for ours, shown in pairs if ours not in ("", shown))


def _target(number: int, table: Table, reader: Reader, at: tuple[int, int], value: Entered) -> Target:
    row, column = at
    header, values = table.header, table.grid[row]
    key = reader.key(header, values)
    return Target(
        row,
        column,
        key,
        header[column],
        _at(table, reader, row, column),
        value,
        () if key else content(values, header, reader),
        number,
    )


def _at(table: Table, reader: Reader, row: int, column: int) -> Cell:
    return reader.cell(table.header[column], table.grid[row][column])
