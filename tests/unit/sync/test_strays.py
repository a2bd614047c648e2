"""What came into a wrong place: what undoes it and where, and whether a new row of ours of which no copy tells is
such.
"""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sync.batch import Batch, Target, entered
from sync.history import opened
from sync.judge import Known, Verdict, judge
from sync.settings import Settings
from sync.strays import Stray, is_in_place, locate
from sync.table import Reader
from tests.people.desk import OURS, Desk

READER = Reader(Settings(columns=("id", "arrival", "guest", "rate"), dates=("arrival",), bookings_url="http://b"))
MAY_1 = 46143
"""2026-05-01, as Sheets counts days."""
HEADER = ["id", "arrival", "guest", "rate", "sync_state", "note"]
NEW = ("B6", "2026-05-06", "Ada", 80, "live")


@pytest.mark.parametrize(
    ("header", "row", "wanted"),
    [
        (HEADER, ["B6", "2026-05-06", "Ada", 80, "live", ""], True),
        (HEADER, ["B6", "2026-05-06", "Ada", 90, "live", "late"], True),  # edited since
        (HEADER, ["", "B6", "2026-05-06", "Ada", 80, "live"], False),  # a column was moved in front
        (["id", "guest", "rate", "sync_state", "note", "arrival"], ["B6", "2026-05-06", "Ada", 80, "live", ""], False),
        (HEADER, ["B1", "2026-05-06", "Ada", 80, "live", "B6"], False),  # a guest's other booking
    ],
)
def test_it_is_in_place_where_its_id_is_and_nothing_of_it_stands_beside_its_column(header, row, wanted):
    table = READER.table([header, row])
    assert is_in_place(NEW, "B6", table, READER) == wanted


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        (("B6", "2026-05-06", "Ada", "Ada", "live"), ["B6", "2026-05-06", "Ada", 90, "live", ""]),
        (("B6", "2026-05-06", "Ada", "", "live"), ["B6", "2026-05-06", "Ada", 80, "live", ""]),
    ],
)
def test_what_users_changed_of_it_is_nowhere_else_though_another_cell_holds_the_same(ours, shown):
    assert is_in_place(ours, "B6", READER.table([HEADER, shown]), READER)


STRAY = Stray(booking="B6", column="rate", key="B1", header="rate", ours=80, value={"numberValue": 90}, was=90)
B2 = ["B2", "2026-05-02", "Cy", 80, "live", ""]


def b1(rate):
    return ["B1", "2026-05-01", "Bo", rate, "live", ""]


def located(stray, *rows):
    return locate(7, stray, READER.table([HEADER, *rows]), READER)


@pytest.mark.parametrize("rate", [95, ""])
def test_a_cell_is_put_back_only_while_it_holds_what_we_wrote(rate):
    assert located(STRAY, B2, b1(80)) == (Target(2, 3, "B1", "rate", 80, {"numberValue": 90}, (), 7),)
    assert located(STRAY, B2, b1(rate)) == ()


@pytest.mark.parametrize("rows", [[], [b1(80), b1(80)], [b1(95), b1(95)]])
def test_where_it_can_not_be_told_which_cell_it_is_nothing_is_put_back_and_it_stays_open(rows):
    assert located(STRAY, *rows) is None


def test_what_came_where_none_can_tell_stays_open():
    assert located(replace(STRAY, lost=True), b1(80)) is None
    assert str(replace(STRAY, lost=True)) == "80 of booking B6, rate, came into a place that can't be told"


def test_a_row_over_whose_id_another_came_is_called_by_that():
    stray = replace(STRAY, column="id", header="id", ours="B6", value={"stringValue": "B1"})
    row = ["B6", "2026-05-01", "Bo", 90, "live", ""]
    assert located(stray, row) == (Target(1, 0, "B6", "id", "B6", {"stringValue": "B1"}, (), 7),)
    assert str(stray) == "'B6' of booking B6 came into the row of B1, column 'id', which held 90"


@pytest.mark.parametrize(
    ("rest", "is_known"),
    [
        (("", "", "likes the sea"), True),
        ((90, "live", "likes the sea"), True),
        ((90, "", "late"), True),
        ((90, "live", "late"), False),
    ],
)
def test_a_row_without_a_booking_is_known_by_half_of_what_the_fuller_one_holds(rest, is_known):
    like = ("", "2026-05-01", "Ada", "", "", "likes the sea")
    stray = Stray(booking="B6", column="guest", header="guest", ours="Ada", value={}, like=like)
    target = Target(2, 2, "", "guest", "Ada", {}, ("", "2026-05-01", "Ada", *rest), 7)
    assert located(stray, B2, ["", MAY_1, "Ada", *rest]) == ((target,) if is_known else None)
    assert str(stray) == "'Ada' of booking B6 came into a row without a booking, column 'guest', which held ''"


def test_of_a_row_in_a_wrong_place_only_what_is_ours_is_blanked():
    stray = Stray(booking="B6", unit=NEW)
    moved = ["mine", "B6", "2026-05-06", "Ada", 90, "live", "Ada"]
    like = ("mine", "B6", "2026-05-06", "Ada", 90, "live", "Ada")
    blanked = [(1, "arrival", "B6"), (2, "guest", "2026-05-06"), (3, "rate", "Ada"), (5, "note", "live")]
    expected = tuple(Target(2, at, "mine", name, ours, {}, (), 7) for at, name, ours in blanked)
    assert located(stray, b1(80), moved) == expected
    assert located(stray, b1(80), ["", *moved[1:]]) == tuple(
        replace(target, key="", like=("", *like[1:])) for target in expected
    )
    assert located(stray, moved, moved) is None
    assert located(stray, ["mine", "B6", "2026-05-06", "Bo"]) == ()
    four = replace(stray, unit=("B6", "2026-05-06", "Ada", "", "live"))
    assert located(four, ["mine", "B6", "", "Ada"]) == ()  # half is not enough
    assert str(stray) == "a new row of booking B6 in a wrong place"


KEYLESS = ("", "2026-05-03", "Di", 80, "", "late")
BATCH = Batch(copy=1, tab=0, places=(0, 1, 2, 3, 4), columns=READER.columns)


def judged(target, row):
    """What is said of a write into the second row, which held `row` when it came."""
    before = {n: [{"effectiveValue": entered(cell)} for cell in cells] for n, cells in enumerate((HEADER, row))}
    known = Known({}, set(), sheet_wins=False, strays={7: STRAY})
    return judge(replace(BATCH, targets=(target,)), before, known, READER)


@pytest.mark.parametrize(
    ("met", "is_undone"),
    [
        (KEYLESS, True),
        (("", "2026-05-03", "Di", 80, "", "edited meanwhile"), True),
        (("", "2026-06-30", "another's", 80, "", "row"), False),
    ],
)
def test_a_row_without_a_booking_is_the_one_that_was_meant_only_by_what_it_holds(met, is_undone):
    """Users moved rows between our reading and our write: what was to undo a stray came over another row."""
    verdict = judged(Target(1, 3, "", "rate", 80, {"numberValue": 90}, KEYLESS, 7), met)
    assert (verdict.done, verdict.calm) == (({7}, True) if is_undone else (set(), False))


def test_of_what_two_strays_would_put_into_one_cell_only_the_firsts_is_written(tmp_path):
    """The other's cell holds something else then, and it is told that it was changed since."""
    desk = Desk(tmp_path)
    desk.sync({"B1": ("2026-05-11", "Ada", 80)})
    both = [
        Stray(booking="B9", column="rate", key="B1", header="rate", ours=80, value={"numberValue": n}, was=n)
        for n in (90, 70)
    ]
    with opened(desk.folder, OURS) as history:
        history.judged(0, Verdict(strays=both), {}, datetime(2026, 5, 13, tzinfo=UTC))
    _, (only,) = desk.preview({})
    assert (only.key, only.header, only.new, only.restores) == ("B1", "rate", {"numberValue": 90}, 1)
