"""A rectangle of a grid. Indexes count from 0 and ends are exclusive, as in the API's GridRange."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPEN = 1 << 30
"""The end of an area that has none."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of a sheet."""

    top: int
    left: int
    bottom: int
    right: int

    @staticmethod
    def from_grid(grid: Mapping[str, Any]) -> "Area":
        """Read a GridRange, whatever the sheet's size."""
        return Area(
            grid.get("startRowIndex", 0),
            grid.get("startColumnIndex", 0),
            grid.get("endRowIndex", OPEN),
            grid.get("endColumnIndex", OPEN),
        )

    def grid(self, sheet_id: int) -> dict[str, int]:
        """Write it as a GridRange: a start of 0 and an end that is open are left out."""
        starts = {"sheetId": sheet_id, "startRowIndex": self.top, "startColumnIndex": self.left}
        ends = {"endRowIndex": self.bottom, "endColumnIndex": self.right}
        return {k: v for k, v in starts.items() if v} | {k: v for k, v in ends.items() if v < OPEN}

    @property
    def columns(self) -> range:
        """The columns it covers."""
        return range(self.left, self.right)

    @property
    def single(self) -> bool:
        """Whether it is one cell."""
        return (self.bottom - self.top, self.right - self.left) == (1, 1)

    def holds(self, row: int, column: int) -> bool:
        """Tell whether a cell lies in it."""
        return self.top <= row < self.bottom and self.left <= column < self.right

    def meets(self, other: "Area") -> bool:
        """Tell whether the two share a cell."""
        rows = self.top < other.bottom and other.top < self.bottom
        return rows and self.left < other.right and other.left < self.right

    def contains(self, other: "Area") -> bool:
        """Tell whether all of the other lies in it."""
        rows = self.top <= other.top and other.bottom <= self.bottom
        return rows and self.left <= other.left and other.right <= self.right
