"""How much a source may lose from one run to the next."""

import pytest

from sync.failure import SyncFailed
from sync.plan import Row
from sync.source.bookings import Aside, Bookings, require_plausible_size


@pytest.mark.parametrize(
    ("found", "lost", "percent", "kind"),
    [(0, 1, 30, "source_empty"), (69, 31, 30, "source_shrunken"), (0, 100, 99, "source_empty")],
)
def test_a_source_that_lost_too_much_is_refused(found, lost, percent, kind):
    with pytest.raises(SyncFailed) as failed:
        require_plausible_size(found, lost, percent)
    assert failed.value.kind == kind


@pytest.mark.parametrize(("found", "lost", "percent"), [(0, 0, 30), (70, 30, 30), (1, 10, 30), (0, 100, 100)])
def test_a_source_that_lost_little_or_as_was_said_is_accepted(found, lost, percent):
    require_plausible_size(found, lost, percent)


def test_a_booking_that_could_not_be_read_keeps_its_last_settled_cells():
    unread = Bookings({"B1": ("B1", 1)}, (Aside(2, "B2", "bad"), Aside(3, "B3", "bad")))
    rows = [Row(2, "B2", ("B2", "edited", "live")), Row(3, "B3", ("B3", 3, "live"))]
    stands = unread.standing_in(rows, {"B2": ("B2", "settled", "live")})
    # The base, not what a user typed: that would pass for the source's from then on.
    assert stands == {"B1": ("B1", 1), "B2": ("B2", "settled"), "B3": ("B3", 3)}


def test_a_reading_with_a_record_that_names_no_booking_is_not_whole():
    assert Bookings({}, (Aside(1, "B1", "bad"),)).is_whole
    assert not Bookings({}, (Aside(1, None, "bad"),)).is_whole
