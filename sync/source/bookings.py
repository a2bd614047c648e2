"""The bookings of one reading: their cells by id, what was set aside, what is cancelled; and how they are collected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec

from sync.failure import SyncFailed
from sync.plan import Base, Cells, Row
from sync.settings import KEY, Settings
from sync.source.fields import BadField, Columns, named, value_at

_RECORDS = 100_000
"""Records of one reading at most: those of more would not fit into the unit's memory."""
_AT_ONCE = 1_000
"""Records that are read together; one among them that can't be used has only these read one by one."""
_FEW = 10
"""Records that may be set aside, whatever share they are: beyond, the mapping is wrong, not a record."""
_SHARE = 10
"""Of so many records one may be set aside."""
ASK = "ask who runs the booking system"


class Aside(msgspec.Struct, frozen=True):
    """A record that could not be used: its place from 1, its id if it has one, and why."""

    place: int
    key: str | None
    why: str

    def __str__(self) -> str:
        return f"record {self.place}{f' (booking {self.key})' if self.key else ''}: {self.why}"


class Bookings(msgspec.Struct, frozen=True):
    """What a reading came to. `cells` are all bookings that are live."""

    cells: Mapping[str, Cells]
    aside: tuple[Aside, ...] = ()
    cancelled: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.cells)

    def standing_in(self, rows: Sequence[Row], base: Base) -> Mapping[str, Cells]:
        """Return the bookings with the last known cells in place of those that could not be read: neither changed nor
        gone is said of them.
        """
        unread = {each.key for each in self.aside if each.key}
        known = {row.key: row.cells[:-1] for row in rows if row.key in unread}
        settled = {key: cells[:-1] for key in unread if None not in (cells := base.get(key, (None,)))}
        return {**known, **settled, **self.cells}  # type: ignore[dict-item]  # without None

    @property
    def is_whole(self) -> bool:
        """Whether what is absent is gone: not so when a record without an id could be any booking."""
        return all(each.key for each in self.aside)


@dataclass
class Collector:
    """Takes the records of one reading, one by one."""

    settings: Settings
    records: int = 0
    cells: dict[str, Cells] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        settings = self.settings
        self._columns = Columns(KEY, settings.table, settings.origin.missing)
        self._arrival = settings.columns.index(settings.arrival)
        window = settings.window_from, settings.window_to
        self._window = window if any(window) else None

    def take_all(self, records: Iterable[Any], header: Sequence[str] = ()) -> None:
        """Take records, many at once where all of them can be used. With a `header` a record is its values.

        Raises `SyncFailed` beyond the bound.
        """
        several = iter(records)
        while some := list(islice(several, _AT_ONCE)):
            if not self._take_at_once(some, header):
                for record in some:
                    self.take(named(header, record) if header else record)

    def take(self, record: object) -> None:
        """Take a record; one that can't be used is set aside. Raises `SyncFailed` beyond the bound."""
        self.records += 1
        if self.records > _RECORDS:
            raise odd(f"it gave more than {_RECORDS} records", "narrow sync.window_from and sync.window_to")
        try:
            key = self._columns.key(record, self.records)
        except BadField as bad:
            self.aside.append(Aside(self.records, None, bad.why))
            return
        try:
            if self._is_cancelled(record):
                self.cancelled.add(key)
                return
            self._keep(key, self._columns.cells(record, self.records, key))  # type: ignore[arg-type]  # it has an id
        except BadField as bad:
            self.aside.append(Aside(self.records, key, str(bad)))

    def keys(self) -> frozenset[str]:
        """Return the ids of what was read, cancelled and set aside ones too: two equal readings have the same."""
        return frozenset((*self.cells, *self.cancelled, *(each.key or f"\0{each.place}" for each in self.aside)))

    def bookings(self) -> Bookings:
        """Return the reading. Raises `SyncFailed` when so much was set aside that the mapping must be wrong."""
        usable = self.records - len(self.aside)
        if self.aside and (not usable or (len(self.aside) > _FEW and len(self.aside) * _SHARE > self.records)):
            cause = f"{len(self.aside)} of {self.records} records don't fit the fields, the first: {self.aside[0]}"
            raise odd(cause, "compare [sync.fields] (or sync.columns) with the records: `fab sync-source` shows some")
        for key in {each.key for each in self.aside if each.key}:
            # A booking that is there twice, once well and once not: neither is believed.
            self.cells.pop(key, None)
        return Bookings(self.cells, tuple(self.aside), frozenset(self.cancelled - self.cells.keys()))

    def _take_at_once(self, records: Sequence[Any], header: Sequence[str]) -> bool:
        """Take records of which each is a live booking of its own; otherwise take none, and say so."""
        if self.settings.origin.cancelled or self.records + len(records) > _RECORDS:
            return False
        cells = self._columns.at_once(records, header)
        if cells is None or not self.cells.keys().isdisjoint(cells):
            return False
        self.records += len(records)
        self.cells |= {key: row for key, row in cells.items() if self._is_asked(row)} if self._window else cells
        return True

    def _is_asked(self, cells: Cells) -> bool:
        """Tell whether a booking is in the window: a system that knows none gives all."""
        arrival, (first, last) = str(cells[self._arrival]), self._window or ("", "")
        # Days are ISO text here.
        return not arrival or not ((first and arrival < first) or (last and arrival > last))

    def _keep(self, key: str, cells: Cells) -> None:
        if not self._is_asked(cells):
            return
        if self.cells.setdefault(key, cells) != cells:
            raise BadField(KEY, "is there twice, with other values")

    def _is_cancelled(self, record: object) -> bool:
        rule = self.settings.origin.cancelled
        return rule is not None and str(value_at(record, rule.path)) in rule.words


def require_plausible_size(found: int, lost: int, shrink_percent: int) -> None:
    """Refuse a source of `found` bookings that lacks `lost` of those it had: all of them, or too large a share."""
    if lost and (not found or lost > _FEW) and lost * 100 > (found + lost) * shrink_percent:
        raise SyncFailed(
            "source_shrunken" if found else "source_empty",
            f"the booking system gave {found} bookings and no longer {lost} of those it had; nothing was written",
            f"{ASK}; if it is right, set sync.shrink_percent = 100 for one run",
        )


def odd(cause: str, cure: str) -> SyncFailed:
    """Name an answer that can't be used."""
    return SyncFailed("bookings_odd", f"the booking system's answer can't be used: {cause}", cure)
