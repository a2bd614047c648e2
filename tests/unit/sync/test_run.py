from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync.failure import SyncFailed
from sync.plan import Row
from sync.run import Context, _compare, _converge, secret
from sync.settings import Settings
from sync.sheet import Table
from sync.source.bookings import Aside, Bookings

SETTINGS = Settings(bookings_url="http://b", spreadsheet_id="x", columns=("id", "arrival", "rate"), dates=("arrival",))
BEFORE, AFTER = ("B1", "2026-05-13", 80), ("B1", "2026-05-13", 90)
BASE = {"B1": (*BEFORE, "live")}


@dataclass
class Paper:
    """A sheet in memory of one row; `sticks`: it keeps what is written; `fails`: what its readings raise."""

    sticks: bool = True
    moves: bool = False
    fails: list[SyncFailed] = field(default_factory=list)
    row: tuple = (*BEFORE, "live")
    writes: int = 0

    def read(self):
        if self.fails:
            raise self.fails.pop()
        places = (1, 2, 3, 4) if self.moves and self.writes else (0, 1, 2, 3)
        return Table(places, (Row(2, "B1", self.row),))

    def write(self, _table, _added, changes):
        self.writes += 1
        if self.sticks:
            self.row = tuple(changes[0].cells.get(i, cell) for i, cell in enumerate(self.row))


@pytest.fixture
def waits():
    return []


@pytest.fixture
def converge(waits):
    context = Context(SETTINGS, Path(), None, None, waits.append)
    return lambda paper: _converge(context, Bookings({"B1": AFTER}), paper, BASE)


def test_what_was_written_is_read_again_before_it_counts(converge):
    paper = Paper()
    plan, settled = converge(paper)
    assert (paper.writes, plan.changes[0].cells, settled) == (1, {2: 90}, {"B1": (*AFTER, "live")})


def test_a_sheet_that_does_not_keep_what_is_written_is_told_by_its_cell(converge):
    with pytest.raises(SyncFailed, match="booking B1, rate: wrote 90, reads 80") as failed:
        converge(Paper(sticks=False))
    assert failed.value.kind == "sheet_not_verified"


def test_columns_that_moved_while_we_wrote_are_told(converge):
    with pytest.raises(SyncFailed) as failed:
        converge(Paper(moves=True))
    assert (failed.value.kind, "B1" in failed.value.cause) == ("sheet_moved", True)


def test_an_outage_that_passes_is_waited_for(converge, waits):
    paper = Paper(fails=[SyncFailed("sheets_down", "x", "y", wait_s=2), SyncFailed("sheets_down", "x", "y", wait_s=2)])
    converge(paper)
    assert (paper.writes, waits) == (1, [2, 4])


def test_an_outage_that_lasts_ends_the_run_by_its_name(converge, waits):
    with pytest.raises(SyncFailed, match="sheets_down"):
        converge(Paper(fails=[SyncFailed("sheets_down", "x", "y", wait_s=2) for _ in range(9)]))
    assert waits == [2, 4, 8]


def test_what_does_not_pass_is_not_tried_again(converge, waits):
    with pytest.raises(SyncFailed, match="sheet_forbidden"):
        converge(Paper(fails=[SyncFailed("sheet_forbidden", "x", "y")]))
    assert waits == []


def test_a_secret_is_read_without_its_line_end_and_never_shown(tmp_path):
    (tmp_path / "bookings_token").write_text("hush\n")
    found = secret(tmp_path, "bookings_token")
    assert (found.reveal(), "hush" in repr(found)) == ("hush", False)


@pytest.mark.parametrize("aside", [Aside(1, "B1", "rate: bad"), Aside(1, None, "record 1 has no id")])
def test_a_booking_that_could_not_be_read_is_neither_changed_nor_marked_as_removed(converge, aside):
    paper = Paper()
    context = Context(SETTINGS, Path(), None, None, None)
    bookings = Bookings({} if aside.key else {"B2": ("B2", "2026-05-14", 1)}, (aside,))
    found = _compare(context.settings, bookings, paper.read(), BASE)
    assert (found.changes, found.removed, found.settled["B1"]) == ((), (), BASE["B1"])


def test_a_booking_that_is_cancelled_is_marked_as_removed_and_not_taken_for_a_shrunken_source():
    table = Table((0, 1, 2, 3), tuple(Row(n, f"B{n}", (f"B{n}", "2026-05-13", 80, "live")) for n in range(2, 22)))
    base = {row.key: row.cells for row in table.rows}
    live = {"B2": base["B2"][:-1]}
    with pytest.raises(SyncFailed, match="no longer 19 of those"):
        _compare(SETTINGS, Bookings(live), table, base)
    cancelled = Bookings(live, cancelled=frozenset(base.keys() - {"B2"}))
    assert len(_compare(SETTINGS, cancelled, table, base).removed) == 19
