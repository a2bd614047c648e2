"""What came into a wrong place: what undoes it, and whether a new row of ours of which no copy tells is such."""

import pytest

from sync.settings import Settings
from sync.strays import Stray, is_in_place, locate
from sync.table import Reader

READER = Reader(Settings(columns=("id", "arrival", "guest", "rate"), bookings_url="http://b"))
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


STRAY = Stray(booking="B6", column="rate", key="B1", header="rate", ours=80, value={"numberValue": 90}, was=90)


def b1(rate):
    return ["B1", "2026-05-01", "Bo", rate, "live", ""]


@pytest.mark.parametrize(("rate", "undone"), [(80, [(2, 3, {"numberValue": 90})]), (95, []), ("", [])])
def test_a_cell_is_put_back_only_while_it_holds_what_we_wrote(rate, undone):
    table = READER.table([HEADER, ["B2", "2026-05-02", "Cy", 80, "live", ""], b1(rate)])
    assert [(found.row, found.column, found.new) for found in locate(1, STRAY, table, READER)] == undone


@pytest.mark.parametrize("grid", [[HEADER], [HEADER, b1(80), b1(80)], [HEADER, b1(95), b1(95)]])
def test_where_it_can_not_be_told_which_cell_it_is_nothing_is_put_back_and_it_stays_open(grid):
    assert locate(1, STRAY, READER.table(grid), READER) is None
