"""What lies over a grid's cells and moves with them: merges, protections, filter, bands, tables, hidden rows, columns.

An area without an end in a direction (a protected sheet, a whole column) ends at `OPEN` there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from doubles.google.area import OPEN, Area
from doubles.google.errors import invalid

Interval: TypeAlias = tuple[int, int]
Moved: TypeAlias = Callable[[Interval], Interval | None]
"""Where an interval of rows or columns comes to lie; None when it is gone."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Something on an area; `data` is the API's object without its range."""

    area: Area
    data: Mapping[str, Any]


@dataclass
class Layout:
    """All that lies over one grid; `rows` and `columns` hold DimensionProperties by their number."""

    merges: list[Area] = field(default_factory=list)
    protected: list[Placed] = field(default_factory=list)
    bands: list[Placed] = field(default_factory=list)
    tables: list[Placed] = field(default_factory=list)
    filter: Placed | None = None
    rows: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    columns: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def copy(self) -> "Layout":
        """Return one that can be changed without changing this one."""
        return Layout(
            self.merges.copy(),
            self.protected.copy(),
            self.bands.copy(),
            self.tables.copy(),
            self.filter,
            self.rows.copy(),
            self.columns.copy(),
        )

    def insert(self, dimension: str, start: int, count: int) -> None:
        """Make room: what begins behind moves on, what lies across grows."""

        def moved(at: Interval) -> Interval:
            first, end = at
            return (first + count if first >= start else first, _later(end, count) if end > start else end)

        self._move(dimension, moved)

    def delete(self, dimension: str, start: int, end: int) -> None:
        """Take away rows or columns with what lies on nothing else."""

        def left(place: int) -> int:
            return place if place >= OPEN else place - max(0, min(place, end) - start)

        def moved(at: Interval) -> Interval | None:
            first, last = left(at[0]), left(at[1])
            return (first, last) if last > first else None

        self._move(dimension, moved)

    def move(self, dimension: str, order: list[int]) -> None:
        """Follow rows or columns into a new order of them all. Raises `GoogleError` when that would tear a merge."""
        places = {old: new for new, old in enumerate(order)}

        def moved(at: Interval) -> Interval:
            if at[1] >= OPEN:
                return at
            now = sorted(places[n] for n in range(*at))
            together = now[-1] - now[0] == len(now) - 1
            return (now[0], now[-1] + 1) if together else at

        rows = dimension == "ROWS"
        for merge in self.merges:
            at = (merge.top, merge.bottom) if rows else (merge.left, merge.right)
            now = moved(at)
            if now == at and any(places[n] != n for n in range(*at)):
                raise invalid("You can't move this selection: it would break apart merged cells.")
        self._move(dimension, moved)

    def _move(self, dimension: str, moved: Moved) -> None:
        def area(old: Area) -> Area | None:
            found = moved((old.top, old.bottom) if dimension == "ROWS" else (old.left, old.right))
            if found is None:
                return None
            first, end = found
            return replace(old, top=first, bottom=end) if dimension == "ROWS" else replace(old, left=first, right=end)

        def placed(old: list[Placed]) -> list[Placed]:
            return [Placed(now, each.data) for each in old if (now := area(each.area))]

        self.merges = [now for merge in self.merges if (now := area(merge)) and not now.single]
        self.protected, self.bands, self.tables = placed(self.protected), placed(self.bands), placed(self.tables)
        self.filter = next(iter(placed([self.filter])), None) if self.filter else None
        kept = self.rows if dimension == "ROWS" else self.columns
        lines = {place[0]: data for n, data in kept.items() if (place := moved((n, n + 1)))}
        if dimension == "ROWS":
            self.rows = lines
        else:
            self.columns = lines

    def covered(self, row: int, column: int) -> bool:
        """Tell whether a merge shows another cell in this one's place: what is written here is not kept."""
        return any(m.holds(row, column) and (m.top, m.left) != (row, column) for m in self.merges)

    def require_whole_merges(self, area: Area, what: str) -> None:
        """Refuse an area that a merge crosses the edge of. Raises `GoogleError`."""
        for merge in self.merges:
            if merge.meets(area) and not area.contains(merge):
                raise invalid(f"You can't {what}: it would break apart merged cells.")

    def require_editable(self, area: Area, account: str) -> None:
        """Refuse an account that may not change all of an area. Raises `GoogleError`."""
        for each in self.protected:
            if each.area.meets(area) and not may_edit(each.data, account) and not _left_out(each.data, area):
                raise invalid(
                    "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to remove "
                    "protection if you need to edit."
                )


def may_edit(protection: Mapping[str, Any], account: str) -> bool:
    """Tell whether an account may edit a protected range; the account without a name owns it."""
    listed = account in protection.get("editors", {}).get("users", ())
    return account == "" or listed or bool(protection.get("warningOnly"))


def _left_out(protection: Mapping[str, Any], area: Area) -> bool:
    return any(Area.from_grid(grid).contains(area) for grid in protection.get("unprotectedRanges", ()))


def _later(end: int, count: int) -> int:
    return end if end >= OPEN else end + count
