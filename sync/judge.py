"""What a write really met, judged by the copy of the tab that its batch began with. Pure."""

import functools
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sync.batch import Batch, Target, plain
from sync.plan import STATES, Base, Cell, Cells
from sync.strays import Stray, alike, content
from sync.table import Reader

Before = Mapping[int, Sequence[Mapping[str, Any]]]
"""Rows of the copy by their index (the header is 0): each cell what was entered, and what it showed."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that our write took from a user's cell, or that is in a place where it should not be."""

    why: str
    booking: str
    column: str
    was: Cell
    ours: Cell
    key: str = ""
    header: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        return _WORDS[self.why].format(
            b=self.booking, c=self.column, was=repr(self.was), ours=repr(self.ours), row=self._row(), header=self.header
        )

    def _row(self) -> str:
        return f"the row of {self.key}" if self.key else "a row without a booking"


_WORDS = {
    "overwritten": "booking {b}, {c}: a user had typed {was}; the source's {ours} was written",
    "kept": "booking {b}, {c}: a user typed {was} just before {ours} was written; the user's is put back",
    "misplaced": (
        "booking {b}, {c}: rows or columns were moved while we wrote: {ours} came into {row}, column {header!r}, which "
        "held {was}; it is to be put back"
    ),
    "misplaced row": "booking {b}: rows or columns were moved while we wrote: its new row stands in a wrong place",
    "unproven": "booking {b}, {c}: {ours} was written over {was}; what really stood there can't be told any more",
    "restored": "{row}, column {header!r}: {was} is there again in place of {ours}",
    "changed since": "{row}, column {header!r}: it held {was}, then our {ours}, and was changed since: it is left",
}


@dataclass(slots=True)
class Verdict:
    """What a batch settled (cells by booking and our column), what it took, what to undo, what is undone."""

    cells: dict[str, dict[int, Cell]] = field(default_factory=dict)
    rows: dict[str, Cells] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    @property
    def calm(self) -> bool:
        """Whether everything came where it was meant to come."""
        return not self.strays


class Known(msgspec.Struct, frozen=True):
    """What is known when a batch is judged: our memory, which keys are ours, who wins conflicts, open strays."""

    base: Base
    keys: AbstractSet[str]
    sheet_wins: bool
    strays: Mapping[int, Stray]


def judge(batch: Batch, before: Before, known: Known, reader: Reader) -> Verdict:
    """Judge each target and each new row."""
    copy = _Copy(before, reader)
    verdict = Verdict()
    for target in batch.targets:
        if copy.same(target):
            _right(target, copy, known, verdict, reader)
        else:
            _wrong(target, batch, copy, known, verdict)
    _judge_rows(batch, copy, known, verdict, reader)
    return verdict


class _Copy:
    """The copy: what stood where when our write came."""

    def __init__(self, before: Before, reader: Reader) -> None:
        self._before, self._reader = before, reader
        self.header = tuple(str(_shown(each)).strip() for each in before.get(0, ()))

    def name(self, column: int) -> str:
        return self.header[column] if column < len(self.header) else ""

    @functools.cache  # noqa: B019 - lives as long as one judgement
    def row(self, number: int) -> Cells:
        return content([_shown(each) for each in self._before.get(number, ())], self.header, self._reader)

    @functools.cache  # noqa: B019
    def key(self, number: int) -> str:
        return self._reader.key(self.header, self.row(number))

    def seen(self, target: Target) -> Cell:
        row = self.row(target.row)
        return row[target.column] if target.column < len(row) else ""

    def value(self, target: Target) -> dict[str, Any]:
        cells = self._before.get(target.row, ())
        return dict(cells[target.column].get("userEnteredValue", {})) if target.column < len(cells) else {}

    def same(self, target: Target) -> bool:
        """Whether the write found the row and the column that it was meant for."""
        key = self.key(target.row)
        row = key == target.key and (bool(key) or alike(target.like, self.row(target.row)))
        return row and self.name(target.column) == target.header


def _right(target: Target, copy: _Copy, known: Known, verdict: Verdict, reader: Reader) -> None:
    """The write came where it was meant to come: what it replaced is our old value, or a user's."""
    seen, ours = copy.seen(target), plain(target.new)
    if target.restores:
        _undone(target, seen, ours, copy, known, verdict)
        return
    if target.header not in reader.columns:  # the settings changed since the batch was sent
        return
    place = reader.columns.index(target.header)
    verdict.cells.setdefault(target.key, {})[place] = ours
    if seen in (ours, "") or seen in STATES:
        return
    base = known.base.get(target.key)
    if base is not None and seen == base[place]:
        return
    typed_meanwhile = seen != target.old
    keep = known.sheet_wins and typed_meanwhile
    why = "kept" if keep else "overwritten"
    verdict.findings.append(Finding(why=why, booking=target.key, column=target.header, was=seen, ours=ours))
    if keep:
        verdict.strays.append(_stray(target, copy, target.key, ours))


def _undone(target: Target, seen: Cell, ours: Cell, copy: _Copy, known: Known, verdict: Verdict) -> None:
    verdict.done.add(target.restores)
    stray = known.strays.get(target.restores)
    if seen != target.old:
        # A user typed between our reading and our write: that is newer than what we put back.
        typed = _stray(target, copy, stray.booking if stray else "", ours)
        verdict.strays.append(typed)
        verdict.findings.append(_tell("kept", typed))
    if stray and not stray.unit:
        verdict.findings.append(_tell("restored", stray))


def _tell(why: str, stray: Stray) -> Finding:
    return Finding(
        why=why,
        booking=stray.booking,
        column=stray.column,
        was=stray.was,
        ours=stray.ours,
        key=stray.key,
        header=stray.header,
    )


def changed_since(stray: Stray) -> Finding:
    """Tell of a stray whose cell was changed by somebody else before it could be put right."""
    return _tell("changed since", stray)


def _wrong(target: Target, batch: Batch, copy: _Copy, known: Known, verdict: Verdict) -> None:
    seen, ours = copy.seen(target), plain(target.new)
    if seen == ours:
        return
    booking = target.key
    stray = _stray(target, copy, booking, ours, batch)
    earlier = next((n for n, old in known.strays.items() if _same_place(old, stray) and old.ours == seen), 0)
    if earlier:
        old = known.strays[earlier]
        stray = msgspec.structs.replace(stray, value=old.value, was=old.was)
        verdict.done.add(earlier)
    verdict.strays.append(stray)
    verdict.findings.append(_tell("misplaced", stray))


def _same_place(one: Stray, other: Stray) -> bool:
    return (
        not (one.unit or one.lost)
        and (one.key, one.header) == (other.key, other.header)
        and (bool(one.key) or alike(one.like, other.like))
    )


def _stray(target: Target, copy: _Copy, booking: str, ours: Cell, batch: Batch | None = None) -> Stray:
    """What undoes a write at the place where it came, which the copy names."""
    row = dict(enumerate(copy.row(target.row)))
    # The row as our write left it: the other targets of the batch came into it, too.
    for each in batch.targets if batch else (target,):
        if each.row == target.row:
            row[each.column] = plain(each.new)
    key = copy.key(target.row)
    return Stray(
        booking=booking,
        column=target.header,
        key=key,
        header=copy.name(target.column),
        ours=ours,
        value=copy.value(target),
        was=copy.seen(target),
        like=() if key else tuple(row.get(n, "") for n in range(max(row, default=-1) + 1)),
    )


def _judge_rows(batch: Batch, copy: _Copy, known: Known, verdict: Verdict, reader: Reader) -> None:
    """New rows are inserted, so they replace nothing; they stand right below the header or a row of ours, or wrong."""
    fits = all(copy.name(place) == name for place, name in zip(batch.places, batch.columns, strict=True))
    below_ours = batch.at == 1 or copy.key(batch.at - 1) in known.keys
    for row in batch.added:
        if fits and below_ours:
            if batch.columns == reader.columns:
                verdict.rows[row.key] = row.cells
        else:
            verdict.strays.append(Stray(booking=row.key, unit=row.cells))
            verdict.findings.append(Finding(why="misplaced row", booking=row.key, column="", was="", ours=""))


def _shown(data: Mapping[str, Any]) -> object:
    """Return what a cell of the copy showed, as `values` would read it."""
    effective = data.get("effectiveValue", {})
    if "errorValue" in effective:
        return data.get("formattedValue", "")
    return next(iter(effective.values()), "")
