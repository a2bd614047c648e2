"""What to write so that the sheet follows the source: a pure three-way comparison of source, sheet and base.

*Base* is what the source said when sheet and source were last settled. Cells are compared one by one and in our
columns only; the last of these is the state, by which the sync marks the rows it keeps.
"""

import enum
import re
from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

Cell = str | int | float
"""A cell as a sheet keeps it: text or number, `""` when blank. Whole numbers are `int`, so that 2.0 reads as 2."""
Cells = tuple[Cell, ...]
Base = Mapping[str, tuple[Cell | None, ...]]
"""The settled cells of each booking, the state last; None where a column is new to us."""

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

LIVE, REMOVED, DUPLICATE = "live", "removed", "duplicate"
"""The state of a row of ours: in the source, gone from it, or a further row of a booking that has one already."""
STATES = (LIVE, REMOVED, DUPLICATE)
STATE = -1
"""The place of the state among our columns."""


class Row(msgspec.Struct, frozen=True):
    """A row of the sheet that names a booking: its number (the header is 1), and its cells in our columns."""

    number: int
    key: str
    cells: Cells


class Change(msgspec.Struct, frozen=True):
    """Cells to write into one row, by their place among our columns."""

    number: int
    key: str
    cells: Mapping[int, Cell]


class Conflict(msgspec.Struct, frozen=True):
    """A cell that both sides changed, or that differs while no base is known; `written`: the source won."""

    key: str
    column: int
    source: Cell
    sheet: Cell
    written: bool


class Policy(msgspec.Struct, frozen=True):
    """Who wins, where the arrival stands, and the first and last arrival the source was asked for ("" is open)."""

    arrival: int
    restore_edits: bool = False
    sheet_wins: bool = False
    window: tuple[str, str] = ("", "")

    def covers(self, arrival: object) -> bool:
        """Tell whether a booking with this arrival would be in the source if it existed. Of an arrival in another
        spelling than ISO, as a user may type it, that cannot be told where the window has an end.
        """
        first, last = self.window
        day = str(arrival)
        if (first or last) and not _ISO_DAY.fullmatch(day):
            return False
        return (not first or day >= first) and (not last or day <= last)


class Plan(msgspec.Struct, frozen=True):
    """What to write, what to report, and the base once it is written."""

    added: Mapping[str, Cells]
    changes: tuple[Change, ...]
    settled: Base
    removed: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether the sheet is to be changed at all."""
        return bool(self.added or self.changes)


def diff(source: Mapping[str, Cells], sheet: Sequence[Row], base: Base, policy: Policy) -> Plan:
    """Plan the writes. `source` has cells without the state. A row whose key we never had is a user's, and left."""
    rows, further = _first_rows(sheet)
    live = {key: (*cells, LIVE) for key, cells in source.items()}
    differ = {key: cells for key, cells in live.items() if key in rows and rows[key].cells != cells}
    compared = [_compare(rows[key], cells, base.get(key), policy) for key, cells in differ.items()]
    gone = {key: row for key, row in rows.items() if key not in live and _ours(row, base, policy)}
    removed = [_mark(row, REMOVED) for row in gone.values() if row.cells[STATE] != REMOVED]
    doubled = [row for row in further if row.key in live or row.key in gone]
    marked = [_mark(row, DUPLICATE) for row in doubled if not _marked_duplicate(row)]
    written = [Change(c.row.number, c.row.key, c.writes) for c in compared if c.writes]
    return Plan(
        added={key: cells for key, cells in live.items() if key not in rows},
        changes=(*written, *removed, *marked),
        settled={**_settled_without_source(live, gone, base, policy), **live},
        removed=tuple(change.key for change in removed),
        put_back=tuple(key for key in live if key not in rows and key in base),
        duplicates=tuple(row.key for row in doubled),
        edited=tuple(c.row.key for c in compared if c.edited),
        conflicts=tuple(conflict for c in compared for conflict in c.conflicts),
    )


def joined(plans: Sequence[Plan]) -> Plan:
    """Return what the plans of one run come to: each reading of the sheet may find more to write, or less."""
    added: dict[str, Cells] = {}
    changes: dict[str, dict[int, Cell]] = {}
    for plan in plans:
        added |= plan.added
        for change in plan.changes:
            # What was added in this run and written again after that is one new row.
            if change.key not in added:
                changes.setdefault(change.key, {}).update(change.cells)
    return Plan(
        added=added,
        changes=tuple(Change(0, key, cells) for key, cells in changes.items()),
        settled=plans[-1].settled,
        removed=_all(plan.removed for plan in plans),
        put_back=_all(plan.put_back for plan in plans),
        duplicates=_all(plan.duplicates for plan in plans),
        edited=_all(plan.edited for plan in plans),
        conflicts=tuple(dict.fromkeys(conflict for plan in plans for conflict in plan.conflicts)),
    )


def _all(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for keys in several for key in keys))


def our_rows(source: Container[str], sheet: Sequence[Row], base: Base) -> tuple[Row, ...]:
    """Return the rows of the sheet that are ours: of a booking that is known, or marked by us."""
    return tuple(row for row in sheet if row.key in source or row.key in base or row.cells[STATE] in STATES)


def lost(source: Mapping[str, Cells], plan: Plan, base: Base, policy: Policy) -> int:
    """Count the bookings that the source had and lacks now, whether the sheet still shows them or not."""
    gone = {key: base[key] for key in base if key not in source}
    known = {k for k, cells in gone.items() if cells[STATE] == LIVE and policy.covers(cells[policy.arrival])}
    return len(known | (set(plan.removed) - source.keys()))


class _Verdict(enum.Enum):
    SAME = enum.auto()
    WRITE = enum.auto()
    EDIT = enum.auto()
    CONFLICT = enum.auto()


class _Compared(msgspec.Struct, frozen=True):
    row: Row
    writes: dict[int, Cell] = msgspec.field(default_factory=dict)
    conflicts: list[Conflict] = msgspec.field(default_factory=list)
    edited: bool = False


def _compare(row: Row, wanted: Cells, base: tuple[Cell | None, ...] | None, policy: Policy) -> _Compared:
    known = base or (None,) * len(wanted)
    verdicts = [_judge(*cells) for cells in zip(wanted, row.cells, known, strict=True)]
    # The state says what we know of the row; a user has other columns to say something else.
    verdicts[STATE] = _Verdict.SAME if row.cells[STATE] == wanted[STATE] else _Verdict.WRITE
    over = {
        _Verdict.WRITE: True,
        _Verdict.EDIT: policy.restore_edits,
        _Verdict.CONFLICT: not policy.sheet_wins,
        _Verdict.SAME: False,
    }
    return _Compared(
        row,
        writes={i: wanted[i] for i, verdict in enumerate(verdicts) if over[verdict]},
        conflicts=[
            Conflict(row.key, i, wanted[i], row.cells[i], over[verdict])
            for i, verdict in enumerate(verdicts)
            if verdict is _Verdict.CONFLICT
        ],
        edited=_Verdict.EDIT in verdicts,
    )


def _judge(source: Cell, sheet: Cell, base: Cell | None) -> _Verdict:
    if sheet == source:
        return _Verdict.SAME
    if sheet == base or (base is None and sheet == ""):
        return _Verdict.WRITE
    return _Verdict.EDIT if source == base else _Verdict.CONFLICT


def _first_rows(sheet: Sequence[Row]) -> tuple[dict[str, Row], list[Row]]:
    """Choose the row of each booking, and list what further rows name it: one marked before stays a duplicate."""
    chosen = {row.key: row for row in sheet}
    if len(chosen) == len(sheet):
        return chosen, []
    chosen.clear()
    for row in sheet:
        held = chosen.get(row.key)
        if held is None or (_marked_duplicate(held) and not _marked_duplicate(row)):
            chosen[row.key] = row
    numbers = {row.number for row in chosen.values()}
    return chosen, [row for row in sheet if row.number not in numbers]


def _marked_duplicate(row: Row) -> bool:
    return row.cells[STATE] == DUPLICATE


def _ours(row: Row, base: Base, policy: Policy) -> bool:
    """Tell whether a row without a booking in the source is one of ours that the source would have shown.

    Its mark stands in for a lost base: a new host still knows which rows the sync made.
    """
    known = base.get(row.key, row.cells if row.cells[STATE] in (LIVE, REMOVED) else None)
    return known is not None and policy.covers(known[policy.arrival])


def _mark(row: Row, state: str) -> Change:
    return Change(row.number, row.key, {len(row.cells) + STATE: state})


def _settled_without_source(live: Mapping[str, Cells], gone: Mapping[str, Row], base: Base, policy: Policy) -> Base:
    """Keep the base of removed rows, should the booking come back, and of those outside the window."""
    removed = {key: (*base.get(key, row.cells)[:STATE], REMOVED) for key, row in gone.items()}
    absent = {key: base[key] for key in base if key not in live}
    outside = {key: cells for key, cells in absent.items() if not policy.covers(cells[policy.arrival])}
    return {**outside, **removed}
