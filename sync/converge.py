"""The sheet is brought in step: read, undo, compare, write, judge; until a reading finds nothing to do.

1. A batch that an earlier run left is judged first, by its copy; by its mark, where users deleted that.
2. The tab is read by its id.
3. What stands in a wrong place is undone by itself, and the tab is read again.
4. The plan becomes batches; each is journalled before it is sent.
5. A batch begins with a copy of the tab: that is what our write met.
6. Each cell is judged by the copy; what a user typed, and what hit a wrong place, is told and kept on disk.
7. The copy is deleted.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from sync import plan
from sync.api import SheetsRefused
from sync.batch import ROWS, Batch, NewRow, Target, plain, targets
from sync.failure import SyncFailed
from sync.history import Begun, History
from sync.judge import Before, Finding, Known, Verdict, changed_since, judge
from sync.plan import Base, Cell, Cells, Plan, Row
from sync.settings import Settings
from sync.shape import Shape
from sync.sheet import Sheet
from sync.strays import Stray, is_in_place, locate
from sync.table import Table

_ROUNDS = 12
"""Readings of the sheet in one run: the last of them must find nothing left to do."""
_TRIES = 4
"""Calls of one run that may get no answer: the last one ends it; the pauses between them double."""
_REFUSED = 3
"""Refusals one after another: the sheet may have changed under the first of them."""
_LATE = timedelta(minutes=5)
"""How long a write may be on its way after its answer was lost: Google ends each call after 180 s."""
_STOOD_STILL = timedelta(days=1)
"""How long a host may stand still between its last look at its lease and the sending of a write."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What the work has of the outside: the time, how to wait, and ids for copies that no tab has.

    `is_shared`: other hosts write to the sheet at other times.
    """

    now: Callable[[], datetime]
    pause: Callable[[float], None]
    new_id: Callable[[], int]
    is_shared: bool = False


class Converge:
    """One run's work on the sheet."""

    def __init__(self, sheet: Sheet, history: History, outside: Outside, settings: Settings) -> None:
        self._sheet, self._history, self._outside = sheet, history, outside
        self._spreadsheet, self._sheet_wins = settings.spreadsheet_id, settings.conflicts == "sheet"
        self.base = history.base()
        self._tab: int | None = None
        self._shape: Shape | None = None
        self._loaded = False
        self._unproven = "cells of ours go astray again and again"
        self._tries = 0
        self._reuse: Batch | None = None
        self._gone: list[Begun] = []
        self._planned_only = False
        self._looked = outside.now()

    def run(
        self, compare: Callable[[Sequence[Row], Base], Plan], keys: AbstractSet[str], *, planned_only: bool = False
    ) -> Plan:
        """Bring the sheet in step and return what was written. Raises `SyncFailed`.

        `compare` plans for the rows that were read, and refuses what must not be written; `keys` are the source's.
        `planned_only`: what earlier runs left to be put back is not, and refused.
        """
        self._planned_only = planned_only
        plans: list[Plan] = []
        refused = 0
        for _ in range(_ROUNDS):
            try:
                # A round of its own: what it read is gone from memory before the next one reads.
                if self._round(compare, keys, plans):
                    return self._settled(plans)
                refused = 0
            except SheetsRefused:
                # Rows that users deleted meanwhile make a place that is not there: the next reading knows.
                refused += 1
                if refused >= _REFUSED:
                    raise
            except SyncFailed as failed:
                self._wait(failed)
        cause = f"the sheet does not keep what is written to it, or a user edits it all the time ({self._unproven})"
        cure = "look at that cell: a script or a formula of the sheet may own it"
        raise SyncFailed("sheet_not_verified", cause, cure)

    def _round(self, compare: Callable[[Sequence[Row], Base], Plan], keys: AbstractSet[str], plans: list[Plan]) -> bool:
        """Read, and write what is to be written; return whether there was nothing."""
        self._replay()
        self._history.end_load(self._outside.now() - _LATE)
        table = self.read()
        if self._came_late(table):
            return False
        ours = plan.our_rows(keys, table.rows, self.base)
        # By themselves: with a damaged id column bookings would seem to be gone.
        if undo := self._undo(table):
            if self._planned_only and not plans:
                raise _not_planned(len(undo))
            self._write(undo, (), table, ours)
            return False
        found = compare(table.rows, self.base)
        # Only the last plan's settled cells count, and each plan has as many as there are bookings.
        plans[-1:] = [msgspec.structs.replace(each, settled={}) for each in plans[-1:]]
        plans.append(found)
        if not found.writes:
            return True
        self._unproven = _unproven(found, table, self._sheet.reader.columns)
        cells = tuple(targets(found, table, self._sheet.reader.columns))
        self._write(cells, tuple(NewRow(*row) for row in found.added.items()), table, ours)
        return False

    def _settled(self, plans: Sequence[Plan]) -> Plan:
        """Keep what the last reading verified; not all is well while something of ours stands where it should not."""
        strays = self._history.strays()
        self._history.settle(plans[-1].settled, self._outside.now(), proven=not strays)
        if strays:
            lost = [str(stray) for stray in strays.values()]
            raise SyncFailed(
                "sheet_stray",
                f"users moved rows or columns while the sync wrote, and {len(lost)} of its cells can't be found again: "
                + "; ".join(lost[:5]),
                "look for them in the sheet (File > Version history shows the row), put right what is wrong, then run "
                "port_sheet_sync.py --looked once; all else is in step",
            )
        return plan.joined(plans)

    def read(self) -> Table:
        """Read the tab. Raises `SyncFailed`."""
        if self._tab is None:
            self._tab = self._history.tab(self._spreadsheet, self._sheet.worksheet)
        if self._tab is None:
            self._tab = self._find()
        try:
            return self._sheet.read(self._tab)
        except SheetsRefused as refused:
            if "No grid with id" not in refused.said:
                raise
            # The tab was deleted; one of its name in its place is the tab from now on.
            self._tab = self._find()
            return self._sheet.read(self._tab)

    def _find(self) -> int:
        title = self._sheet.worksheet
        self._shape = self._sheet.shape()
        tab = self._shape.require_tab(title, self._spreadsheet)
        self._history.keep_tab(self._spreadsheet, title, tab)
        return tab

    def _undo(self, table: Table) -> tuple[Target, ...]:
        """Return what undoes the strays that are found; those that need nothing any more are told and closed."""
        strays = self._history.strays()
        if closed := [number for number, found in self._located(table, strays).items() if found == ()]:
            findings = [changed_since(strays[number]) for number in closed if not strays[number].unit]
            self._say(findings)
            self._history.close_strays(closed, findings, self._outside.now())
        return self.restores(table)

    def restores(self, table: Table) -> tuple[Target, ...]:
        """Return what is to be written before anything else: it undoes what earlier writes put into wrong places."""
        located = self._located(table, self._history.strays()).values()
        targets = [target for found in located for target in found or ()]
        # One write a cell: what two strays would put into one place is decided in the next round.
        first = {(t.row, t.column): t for t in reversed(targets)}
        return tuple(first.values())

    def _located(self, table: Table, strays: Mapping[int, Stray]) -> dict[int, tuple[Target, ...] | None]:
        reader = self._sheet.reader
        return {n: locate(n, stray, table, reader) if table.places else None for n, stray in strays.items()}

    def _write(self, cells: Sequence[Target], rows: tuple[NewRow, ...], table: Table, ours: Sequence[Row]) -> None:
        shape = self._shape or self._sheet.shape()
        self._shape = None  # users may change it until the next write
        if not table.places:
            self._load(shape, rows)
            return
        for batch in self._batches(cells, rows, table, ours, shape):
            shape.require_writable(batch)
            shape.require_room(batch)
            if not self._carry_out(batch, len(shape.tabs), {row.key for row in ours}).calm:
                return

    def _load(self, shape: Shape, rows: Sequence[NewRow]) -> None:
        title = shape.title(self._tab or 0)
        if self._loaded:
            cause = (
                f"tabs of the spreadsheet were renamed while the sync filled {title!r}: its rows came into another one"
            )
            raise SyncFailed("sheet_moved", cause, "delete them there; the next run fills the tab")
        if title is not None:
            shape.require_loadable(self._tab or 0, len(self._sheet.reader.columns))
            self._require_no_load_under_way()
            self._history.keep_load(self._tab or 0, self._outside.now())
            try:
                self._sheet.load(title, (row.cells for row in rows))
            except SyncFailed as failed:
                # Of these Google says itself that nothing was done.
                if isinstance(failed, SheetsRefused) or failed.kind == "sheets_quota":
                    self._history.forget_load()
                raise
            self._history.forget_load()
            self._loaded = True

    def _require_no_load_under_way(self) -> None:
        """Refuse to append all rows while they may still come: both would be there. Raises `SyncFailed`."""
        sent = self._history.load(self._tab or 0)
        if sent and self._outside.now() - sent < _LATE:
            cause = f"the first load of the sheet, sent at {sent:%H:%M:%S} UTC, got no answer: Google may still do it"
            cure = f"nothing to do: a run after {sent + _LATE:%H:%M} UTC finds the rows there, or sends them again"
            raise SyncFailed("sheets_unreachable", cause, cure)

    def _batches(
        self, cells: Sequence[Target], rows: tuple[NewRow, ...], table: Table, ours: Sequence[Row], shape: Shape
    ) -> Iterator[Batch]:
        """Cut the writes into batches; the new rows come last, for they push down what stands below."""
        columns = self._sheet.reader.columns
        tab = self._tab or 0
        by_row = [tuple(group) for _, group in itertools.groupby(sorted(cells, key=_place), key=lambda t: t.row)]
        last = max((row.number for row in ours), default=1)
        end = shape.size(tab)[0]
        while by_row or rows:
            some, by_row = by_row[:ROWS], by_row[ROWS:]
            room = ROWS - len(some) if not by_row else 0
            new, rows = rows[:room], rows[room:]
            earlier, self._reuse = self._reuse, None
            yield Batch(
                copy=earlier.copy if earlier else self._outside.new_id(),
                attempt=earlier.attempt + 1 if earlier else 1,
                tab=tab,
                places=table.places,
                columns=columns,
                targets=tuple(itertools.chain.from_iterable(some)),
                added=new,
                at=last,
                below_is_nothing=last >= end,
                marked=True,
            )
            last += len(new)
            end += len(new)

    def _carry_out(self, batch: Batch, tabs: int, keys: set[str]) -> Verdict:
        number = self._history.begin(batch, self._outside.now())
        try:
            before = self._sheet.write(batch, tabs)
        except SheetsRefused:
            self._history.forget(number)
            raise
        return self._judge(number, batch, before, keys)

    def _judge(self, number: int, batch: Batch, before: Before, keys: set[str]) -> Verdict:
        history, now = self._history, self._outside.now()
        known = Known(self.base, {*keys, *self.base}, self._sheet_wins, history.strays())
        verdict = judge(batch, before, known, self._sheet.reader)
        settled = {key: self._merged(key, cells) for key, cells in verdict.cells.items()} | verdict.rows
        # On disk before the copy goes: it is all that knows what users had typed.
        history.judged(number, verdict, settled, now)
        self.base.learn(settled)
        self._say(verdict.findings)
        self._delete(number, batch)
        return verdict

    def _merged(self, key: str, cells: Mapping[int, Cell]) -> tuple[Cell | None, ...]:
        old = self.base.get(key) or (None,) * len(self._sheet.reader.columns)
        return tuple(cells.get(place, cell) for place, cell in enumerate(old))

    def _delete(self, number: int, batch: Batch) -> None:
        others = [
            b for b in self._history.batches() if b.batch.copy == batch.copy and b.number != number and not b.is_watched
        ]
        # An older batch of this id may still be on its way: while the copy stands, it is refused.
        if any(self._may_come(each) for each in others):
            return
        self._sheet.delete(batch)
        self._history.forget(number)
        for each in others:
            self._let_go(each)

    def _replay(self) -> None:
        """See to batches that were sent and are not over: by the copy that each of them would have made, and by its
        mark where users deleted the copy. Raises `SyncFailed` for one that can't be judged any more.
        """
        begun, self._looked = self._history.batches(), self._outside.now()
        shape = self._sheet.shape() if begun else Shape(())
        self._gone = []
        for each in begun:
            number, batch = each.number, each.batch
            if each.judged and shape.shows(batch):
                self._delete(number, batch)
            elif shape.has_copy(batch):
                keys = {row.key for row in batch.added} | {target.key for target in batch.targets}
                self._judge(number, batch, self._sheet.met(batch), keys)
            elif shape.shows(batch):
                raise self._copy_gone(each)
            elif each.judged or (each.is_watched and self._looked - each.at >= _STOOD_STILL):
                self._history.forget(number)
            elif each.is_watched:
                continue
            elif batch.copy not in shape.copies and batch.copy not in shape.marks:
                # Not carried out, or not yet: its id is taken by the next batch, so that only one of them ever is.
                self._gone.append(each)
                self._reuse = batch

    def _came_late(self, table: Table) -> bool:
        """Tell whether a batch was carried out after the replay had found no copy of it: the next replay judges it."""
        shown = [self._shows(each.batch, table) for each in self._gone]
        # Read again: between the two readings before it may have come.
        shape = self._sheet.shape() if any(shown) else Shape(())
        if any(shape.shows(each.batch) for each in self._gone):
            return True
        for each in self._gone:
            if self._looked - each.at >= _LATE:
                self._let_go(each)
        return False

    def _shows(self, batch: Batch, table: Table) -> bool:
        """Tell whether the sheet shows anything of a batch that was not there before it."""
        cells = {row.key: row.cells for row in table.rows}
        return any(_stands(t, cells, self._sheet.reader.columns) for t in batch.targets) or any(
            row.key in cells and row.key not in self.base for row in batch.added
        )

    def _copy_gone(self, begun: Begun) -> SyncFailed:
        """Tell all of a batch that was carried out, and look in the sheet for what is not where it belongs: before
        anything else is written, for that would then stand there.
        """
        batch, reader = begun.batch, self._sheet.reader
        try:
            table = self.read()
        except SyncFailed as failed:
            if failed.kind != "sheet_header":
                raise
            table = Table((), ())
        cells = {row.key: row.cells for row in table.rows}
        astray = [t for t in batch.targets if not t.restores and not _stands(t, cells, reader.columns)]
        rows = [row for row in batch.added if not is_in_place(row.cells, row.key, table, reader)]
        strays = [Stray(booking=t.key, column=t.header, ours=plain(t.new), was=t.old, lost=True) for t in astray]
        strays += [Stray(booking=row.key, unit=row.cells) for row in rows]
        findings = [
            Finding(why="unproven", booking=t.key, column=t.header, was=t.old, ours=plain(t.new)) for t in batch.targets
        ]
        findings += [Finding(why="misplaced row", booking=row.key, column="", was="", ours="") for row in rows]
        self._say(findings)
        self._history.judged(begun.number, Verdict(findings=findings, strays=strays), {}, self._outside.now())
        self._delete(begun.number, batch)
        cause = (
            f"a user deleted the copy of the tab (a hidden tab, {batch.title!r}) before the sync could prove its last "
            f"write by it: {len(batch.targets)} cells and {len(batch.added)} new rows, of which {len(strays)} are not "
            "where they belong"
        )
        cure = "look at these bookings in File > Version history, and leave the hidden tabs of this name alone"
        return SyncFailed("sheet_copy_gone", cause, cure)

    def _let_go(self, begun: Begun) -> None:
        """A batch is over; one of another host that may yet wake and send it leaves its copy as its only trace."""
        if self._outside.is_shared and not begun.judged:
            self._history.watch(begun.number)
        else:
            self._history.forget(begun.number)

    def _may_come(self, begun: Begun) -> bool:
        """Whether Google may still carry out a batch of which no answer came."""
        return not (begun.judged or begun.is_watched) and self._outside.now() - begun.at < _LATE

    def _wait(self, failed: SyncFailed) -> None:
        self._tries += 1
        if not failed.wait_s or self._tries >= _TRIES:
            raise failed
        _log.warning("%s; trying again", failed)
        self._outside.pause(failed.wait_s * 2 ** (self._tries - 1))

    def _say(self, findings: Sequence[Finding]) -> None:
        for each in findings:
            _log.info("%s", each)


def _stands(target: Target, cells: Mapping[str, Cells], columns: Sequence[str]) -> bool:
    """Tell whether a booking's cell holds what a target was to write, and held something else before."""
    ours, row = plain(target.new), cells.get(target.key)
    if row is None or target.header not in columns or ours == target.old:
        return False
    return row[columns.index(target.header)] == ours


def _not_planned(count: int) -> SyncFailed:
    what = "1 cell" if count == 1 else f"{count} cells"
    cause = f"{what} that an earlier run wrote into a wrong place must be put right first, which is no part of the plan"
    return SyncFailed("plan_changed", cause, "let a run without --plan put them right, then look again with --dry-run")


def _place(target: Target) -> tuple[int, int]:
    return target.row, target.column


def _unproven(wanted: Plan, table: Table, columns: Sequence[str]) -> str:
    """Say what a plan still finds to write, by one cell or row."""
    if not wanted.changes:
        return f"booking {next(iter(wanted.added), '')} is not there"
    change = wanted.changes[0]
    place, cell = next(iter(change.cells.items()))
    seen = next(row.cells for row in table.rows if row.number == change.number)[place]
    return f"booking {change.key}, {columns[place]}: wrote {cell!r}, reads {seen!r}"
