"""A new row of ours of which no copy tells: whether it stands where it belongs."""

import pytest

from sync.settings import Settings
from sync.strays import is_in_place
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
