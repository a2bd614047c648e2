"""One text in memory for all equal ones: days and states stand in source, sheet and memory thousands of times."""

import sys
from collections.abc import Iterable
from typing import Any


def interned(cells: Iterable[Any]) -> list[Any]:
    """Return the cells with their texts shared."""
    return [sys.intern(cell) if type(cell) is str else cell for cell in cells]
