"""Rows of an examination: what was seen of each thing, its verdict, and what helps where it is not well."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

V = TypeVar("V", bound=StrEnum)
"""The verdicts of one examination, in the order of their weight."""


@dataclass(frozen=True)  # slots: a generic class can have none before Python 3.12
class Row(Generic[V]):
    """One thing: `said` is what was observed, the cause of a fault, or why nothing is known; `cure` is what helps."""

    name: str
    verdict: V
    said: str
    cure: str = ""


def worst(rows: Iterable[Row[V]], of_none: V) -> V:
    """Return the verdict that weighs most; of no rows at all `of_none`, which must be no good news."""
    return max((row.verdict for row in rows), key=[*type(of_none)].index, default=of_none)
