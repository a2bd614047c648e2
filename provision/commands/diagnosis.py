"""A diagnosis as rows: what was looked at, and whether it is ok, at fault with cause and cure, or was not looked at."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from provision import verdicts
from provision.errors import CommandError

CODES = {"ok": 0, "not checked": 2, "fault": 1}
"""The exit code of the worst row: a fault is 1; 2 says that nothing is wrong as far as it could be looked at."""


class Verdict(StrEnum):
    """How a row ends; in the order of their weight."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    FAULT = "fault"


class NotChecked(Exception):
    """A look that can't be made here or now; the text says why."""


Row = verdicts.Row[Verdict]


@dataclass(frozen=True, slots=True)
class Look:
    """One thing to look at: `at` returns what it observed, or raises `CommandError` or `NotChecked`. It needs others,
    by name, not to be at fault.
    """

    name: str
    at: Callable[[], str]
    needs: tuple[str, ...] = ()


def diagnose(looks: Iterable[Look]) -> Iterator[Row]:
    """Look at one after the other. What stands on something that is at fault is not looked at."""
    blocked: set[str] = set()
    for look in looks:
        if standing := [name for name in look.needs if name in blocked]:
            blocked.add(look.name)
            yield Row(look.name, Verdict.NOT_CHECKED, f"stands on {standing[0]}, above")
            continue
        row = _row(look)
        if row.verdict is Verdict.FAULT:
            blocked.add(look.name)
        yield row


def worst(rows: Iterable[Row]) -> Verdict:
    """Return the verdict that weighs most; of no rows at all nothing is known."""
    return verdicts.worst(rows, Verdict.NOT_CHECKED)


def exit_code(rows: Iterable[Row]) -> int:
    """Return the code of the worst row."""
    return CODES[worst(rows)]


def lines(row: Row) -> Iterator[str]:
    """Say a row for a reader."""
    yield f"{row.verdict:<12} {row.name:<14} {row.said}"
    if row.cure:
        yield f"{'':<27} → {row.cure}"


def as_data(rows: Iterable[Row]) -> list[Mapping[str, str]]:
    """Return rows for a program."""
    return [{"name": row.name, "verdict": row.verdict.value, "said": row.said, "cure": row.cure} for row in rows]


def _row(look: Look) -> Row:
    try:
        return Row(look.name, Verdict.OK, look.at())
    except NotChecked as why:
        return Row(look.name, Verdict.NOT_CHECKED, str(why))
    except CommandError as error:
        return Row(look.name, Verdict.FAULT, error.cause, error.cure)
