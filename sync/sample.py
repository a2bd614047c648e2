"""The first records of the booking system as they would land in the sheet, for a reader and for a program."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sync.source.fields import BadField

_SHOWN = 200
"""Characters of a value that a reader is shown."""
_PATHS = 60


class Sample(msgspec.Struct, frozen=True):
    """A record and what it becomes: its cells by column, or the field that does not fit."""

    record: Any
    lands: Mapping[str, object] | BadField

    @property
    def fits(self) -> bool:
        """Whether the record can be used."""
        return not isinstance(self.lands, BadField)


def lines(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield each record for a reader; beside one that does not fit, what it has."""
    for place, sample in enumerate(samples, start=1):
        if isinstance(sample.lands, BadField):
            yield f"record {place} does not fit: {sample.lands}"
            yield f"    it has: {', '.join(list(paths(sample.record))[:_PATHS]) or ascii(sample.record)[:_SHOWN]}"
            continue
        yield f"record {place} would land as"
        width = max(map(len, sample.lands))
        for column, cell in sample.lands.items():
            yield f"    {column:{width}}  {_typed(cell)}"
    if not samples:
        yield "the booking system has no record in the window"


def as_data(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the records for a program."""
    return [
        {"record": sample.record, "misfit": {"field": sample.lands.column, "why": sample.lands.why}}
        if isinstance(sample.lands, BadField)
        else {"record": sample.record, "lands": dict(sample.lands)}
        for sample in samples
    ]


def paths(record: Any, before: str = "") -> Iterator[str]:
    """Yield the paths of a record's values, with what each holds."""
    items: Any = ()
    if isinstance(record, Mapping):
        items = record.items()
    elif isinstance(record, list):
        items = enumerate(record)
    elif before:
        yield f"{before} = {ascii(record)[:40]}"
    for key, value in items:
        yield from paths(value, f"{before}.{key}" if before else str(key))


def _typed(cell: object) -> str:
    """Say a cell so that text and number can be told apart."""
    return f'"{cell[:_SHOWN]}"' if isinstance(cell, str) else str(cell)
