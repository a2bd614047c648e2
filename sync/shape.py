"""What lies over a sheet's cells, as far as it can stop a write: named and refused before anything is written. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sync.batch import Batch, is_copy
from sync.failure import SyncFailed

FIELDS = (
    "sheets(properties(sheetId,title,gridProperties(rowCount,columnCount)),merges,"
    "protectedRanges(range,description,warningOnly,requestingUserCanEdit),tables(name,range)),"
    "developerMetadata(metadataId,metadataValue)"
)
"""What is asked of the spreadsheet."""
_MOST_CELLS, _MOST_TABS = 10_000_000, 200
"""Google's limits of a spreadsheet."""
# Google leaves out an end that is the sheet's own. No sheet has so many rows or columns.
_OPEN = 1 << 30


class Shape(msgspec.Struct, frozen=True):
    """The spreadsheet without its cells."""

    tabs: tuple[Mapping[str, Any], ...]
    marks: Mapping[int, str] = {}
    """What batches noted beside the sheet: the id of each one's copy, with its title."""

    @staticmethod
    def from_answer(answer: Mapping[str, Any]) -> "Shape":
        """Read an answer of spreadsheets.get."""
        noted = answer.get("developerMetadata", ())
        marks = {int(each["metadataId"]): str(each.get("metadataValue", "")) for each in noted}
        return Shape(tuple(answer.get("sheets", ())), marks)

    def tab_titled(self, title: str) -> int | None:
        """Return the id of the tab of a title."""
        return next((_id(tab) for tab in self.tabs if tab["properties"]["title"] == title), None)

    def title(self, tab: int) -> str | None:
        """Return the title of a tab; None when it is not there."""
        found = self._tab(tab)
        return str(found["properties"]["title"]) if found else None

    def require_tab(self, title: str, spreadsheet: str) -> int:
        """Return the id of the tab of a title. Raises `SyncFailed` where there is none."""
        tab = self.tab_titled(title)
        if tab is None:
            cause = f"the spreadsheet {spreadsheet} has no sheet (tab) of the configured name: {title}"
            cure = "rename the tab back, or set sync.worksheet to its name, and deploy"
            raise SyncFailed("worksheet_missing", cause, cure)
        return tab

    @property
    def copies(self) -> dict[int, str]:
        """The copies of tabs that runs of a sync left, with their titles."""
        return {_id(tab): title for tab in self.tabs if is_copy(title := str(tab["properties"]["title"]))}

    def has_copy(self, batch: Batch) -> bool:
        """Whether the copy is there that a batch makes first of all."""
        return self.copies.get(batch.copy) == batch.title

    def shows(self, batch: Batch) -> bool:
        """Whether a batch was carried out: by its copy, or by its mark where a user deleted that."""
        return self.has_copy(batch) or self.marks.get(batch.copy) == batch.title

    def size(self, tab: int) -> tuple[int, int]:
        """Return how many rows and columns the grid of a tab has."""
        found = self._tab(tab)
        size = found["properties"].get("gridProperties", {}) if found else {}
        return int(size.get("rowCount", 0)), int(size.get("columnCount", 0))

    def require_room(self, batch: Batch) -> None:
        """Refuse a batch whose copy the spreadsheet has no room for. Raises `SyncFailed`."""
        sizes = {_id(tab): self.size(_id(tab)) for tab in self.tabs}
        rows, columns = sizes.get(batch.tab, (0, 0))
        cells = sum(r * c for r, c in sizes.values()) + rows * columns + len(batch.added) * columns
        if cells > _MOST_CELLS or len(self.tabs) >= _MOST_TABS:
            cause = (
                f"the spreadsheet has no room for a copy of its tab, without which a write can't be checked: {cells} "
                f"cells in {len(self.tabs) + 1} tabs, of at most {_MOST_CELLS} in {_MOST_TABS}"
            )
            cure = "delete empty rows and columns, or tabs that are no longer needed"
            raise SyncFailed("sheet_full", cause, cure)

    def require_writable(self, batch: Batch) -> None:
        """Refuse a batch that a protection, a merge or a Table of the tab stands against. Raises `SyncFailed`."""
        tab = self._tab(batch.tab) or {}
        touched = [(t.row, t.row + 1, t.column, t.column + 1) for t in batch.targets]
        if batch.added:
            # Whole rows are inserted: a protection anywhere in the row above is in their way.
            touched.append((batch.at - 1, batch.at, 0, _OPEN))
        self._require_unprotected(tab)
        self._require_unmerged(tab, batch)
        for table in tab.get("tables", ()):
            if any(_meets(_area(table.get("range", {})), place) for place in touched):
                raise _table(table)

    def require_loadable(self, tab: int, columns: int) -> None:
        """Refuse to fill an empty tab, from its first row and so many columns wide, that a protection, merged cells or
        a Table of its own stands against. Raises `SyncFailed`.
        """
        found, place = self._tab(tab) or {}, (0, _OPEN, 0, columns)
        self._require_unprotected(found)
        for grid in found.get("merges", ()):
            if _meets(_area(grid), place):
                raise _merged(grid)
        for table in found.get("tables", ()):
            if _meets(_area(table.get("range", {})), place):
                raise _table(table)

    def require_unprotected(self, tab: int) -> None:
        """Refuse a tab with a range that the sync's account may not edit. Raises `SyncFailed`."""
        self._require_unprotected(self._tab(tab) or {})

    def _require_unprotected(self, tab: Mapping[str, Any]) -> None:
        """Wherever it is: the copy of the tab carries it too, and could not be deleted again."""
        for each in tab.get("protectedRanges", ()):
            if not (each.get("warningOnly") or each.get("requestingUserCanEdit")):
                raise protected(f"{_written(each.get('range', {}))} ({each.get('description') or 'no description'})")

    def _require_unmerged(self, tab: Mapping[str, Any], batch: Batch) -> None:
        for grid in tab.get("merges", ()):
            top, bottom, left, right = area = _area(grid)
            cut = [
                t
                for t in batch.targets
                if _meets(area, (t.row, t.row + 1, t.column, t.column + 1)) and (t.row, t.column) != (top, left)
            ]
            grows = batch.added and top < batch.at < bottom and any(left <= place < right for place in batch.places)
            if cut or grows:
                raise _merged(grid)

    def _tab(self, tab: int) -> Mapping[str, Any] | None:
        return next((each for each in self.tabs if _id(each) == tab), None)


def protected(what: str) -> SyncFailed:
    """Return the failure of a write into a protected range."""
    return SyncFailed(
        "sheet_protected",
        f"the sync's account may not edit a protected range of the sheet: {what}",
        "Data > Protect sheets and ranges: let the sync's account edit it too, or only show a warning",
    )


def _merged(grid: Mapping[str, Any]) -> SyncFailed:
    return SyncFailed(
        "sheet_merged",
        f"the cells {_written(grid)} are merged: what is written into them would not be kept",
        "unmerge these cells (Format > Merge cells > Unmerge); the next run goes on by itself",
    )


def _table(table: Mapping[str, Any]) -> SyncFailed:
    return SyncFailed(
        "sheet_table",
        f"the rows of bookings are a Table of Google Sheets ({table.get('name', 'without a name')}), "
        f"{_written(table.get('range', {}))}, which has rules of its own for new rows and types",
        "in the sheet: the Table's menu, Convert to unformatted data; filters and colours may stay",
    )


def _id(tab: Mapping[str, Any]) -> int:
    # Google leaves out what is 0.
    return int(tab["properties"].get("sheetId", 0))


def _area(grid: Mapping[str, Any]) -> tuple[int, int, int, int]:
    rows = grid.get("startRowIndex", 0), grid.get("endRowIndex", _OPEN)
    return (*rows, grid.get("startColumnIndex", 0), grid.get("endColumnIndex", _OPEN))


def _meets(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    rows = one[0] < other[1] and other[0] < one[1]
    return rows and one[2] < other[3] and other[2] < one[3]


def _written(grid: Mapping[str, Any]) -> str:
    """Write a range as users see it: `B2:C9`, `B:C`, `2:9`, or the whole sheet."""
    top, bottom, left, right = _area(grid)
    first = (_letters(left) if right < _OPEN else "") + (str(top + 1) if bottom < _OPEN else "")
    last = (_letters(right - 1) if right < _OPEN else "") + (str(bottom) if bottom < _OPEN else "")
    return f"{first}:{last}" if first else "the whole sheet"


def _letters(column: int) -> str:
    text, column = "", column + 1
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(ord("A") + digit) + text
    return text
