"""One write to the sheet as a value: what stood where when we read, and what we put there. It is journalled before it
is sent, so that a later run can tell what the write met.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sync.plan import Cell, Cells, Plan
from sync.table import Table, cell

ROWS = 1_000
"""Rows that one batch touches: the copy's answer about them stays below some megabytes."""
_TITLE = ".jada "
"""How the title of a copy begins."""

Entered = Mapping[str, Any]
"""What is entered in a cell, as the API's ExtendedValue: a formula stays one. Empty is a blank cell."""


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cell to write: where it stood (from 0), what named its row and column, what it held, and what is written.

    A row without a key is known again by its content, `like`. `restores` is the number of the stray that this undoes.
    """

    row: int
    column: int
    key: str
    header: str
    old: Cell
    new: Entered
    like: Cells = ()
    restores: int = 0


class NewRow(msgspec.Struct, frozen=True):
    """A row to insert: the booking's key and our cells."""

    key: str
    cells: Cells


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Targets, and new rows at index `at`; `places` and `columns` are where our columns stood, and their names.

    `copy` is the id of the copy it begins with: of two batches with one id a spreadsheet carries out one.

    `below_is_nothing`: the grid ends there, so that new rows can look like none but the row above. `marked`: it notes
    its title beside the sheet, where no user deletes it; batches of earlier releases did not.
    """

    copy: int
    attempt: int = 1
    tab: int
    places: tuple[int, ...]
    columns: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    added: tuple[NewRow, ...] = ()
    at: int = 0
    below_is_nothing: bool = False
    marked: bool = False

    @property
    def title(self) -> str:
        """The copy's title."""
        return f"{_TITLE}{self.copy}-{self.attempt}"


def is_copy(title: str) -> bool:
    """Tell whether a tab of this title is a copy that some run of a sync made."""
    return title.startswith(_TITLE)


def targets(plan: Plan, table: Table, columns: Sequence[str]) -> Iterator[Target]:
    """Yield the cells that a plan changes, as they stand in the sheet that was read."""
    cells = {row.number: row.cells for row in table.rows}
    for change in plan.changes:
        for place, wanted in change.cells.items():
            old = cells[change.number][place]
            yield Target(change.number - 1, table.places[place], change.key, columns[place], old, entered(wanted))


def entered(value: Cell) -> dict[str, Any]:
    """Return a cell of ours as it is entered: as `stringValue` a guest called `=1+1` stays a text."""
    if value == "":
        return {}
    return {"stringValue" if isinstance(value, str) else "numberValue": value}


def plain(value: Entered) -> Cell:
    """Return what a value that was entered reads as; a formula reads as its text, which no cell ever shows."""
    if not value:
        return ""
    (found,) = value.values()
    return cell(found)
