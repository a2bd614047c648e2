"""A new row of ours in a wrong place, of which no copy tells: proven by its key and all of its cells, no less."""

import pytest

from sync.settings import Settings
from sync.strays import stands_astray
from sync.table import Reader

READER = Reader(Settings(columns=("id", "arrival", "guest", "rate"), bookings_url="http://b"))
HEADER = ["id", "arrival", "guest", "rate", "sync_state", "note"]
NEW = ("B6", "2026-05-06", "Ada", 80, "live")


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (["", "B6", "2026-05-06", "Ada", 80, "live"], True),  # a column was moved in front
        (["total", "B6", "2026-05-06", "Ada", 80, "live"], True),
        (["B6", "2026-05-06", "Ada", 80, "live", ""], False),  # where it belongs
        (["B1", "2026-05-06", "Ada", 80, "live", "B6"], False),  # a guest's other booking, and a note about this one
        (["", "2026-05-06", "Ada", 90, "live", "B6"], False),
        (["", "", "", "", "", "B6"], False),
    ],
)
def test_it_stands_where_all_of_it_is_and_its_id_is_not(row, wanted):
    table = READER.table([HEADER, ["B1", "2026-05-01", "Ada", 80, "live", ""], row])
    assert stands_astray(NEW, "B6", {"B1"}, table, READER) == wanted
