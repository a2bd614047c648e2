"""What a reading comes to, and how much a source may lose from one run to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.failure import SyncFailed
from sync.plan import Row
from sync.settings import Settings
from sync.source.bookings import Aside, Bookings, Collector, require_plausible_size
from sync.source_settings import Cancelled, Field, Http


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


PLACES = {
    "id": Field(path="id"),
    "arrival": Field(path="arrival", type="date"),
    "rate": Field(path="rate"),
    "guest": Field(path="guest"),
}
RECORD = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["B1", "B2", "B3", " B4 ", 5, None, "", True, 1.5, "\ud800"]),
        "arrival": st.sampled_from(["2026-05-13", "2026-07-01", "13/05/2026", None]),
        "rate": st.sampled_from([1, True, 1.0, 0.5, "1", 2**60, None, ["x"], float("nan")]),
    },
    optional={"guest": st.sampled_from(["Ada", "a\r\nb", "", "x" * 50_001])},
)


@given(
    st.lists(st.one_of(RECORD, st.sampled_from([None, [], "text"])), max_size=12),
    st.sampled_from([("", ""), ("2026-06-01", ""), ("", "2026-06-01")]),
    st.sampled_from([None, Cancelled(path="rate", words=("1",))]),
)
def test_records_that_are_taken_at_once_come_to_what_each_by_itself_would(records, window, cancelled):
    source = Http(url="http://b", cancelled=cancelled)
    settings = Settings(fields=PLACES, columns=tuple(PLACES), source=source, window_from=window[0], window_to=window[1])
    once, one_by_one = Collector(settings), Collector(settings)
    once.take_all(records)
    for record in records:
        one_by_one.take(record)
    assert repr(once) == repr(one_by_one)  # 1, 1.0 and True are equal, and other cells


def test_equal_values_of_other_types_become_their_own_cells():
    rates = [1, True, 1.0, 1.5, False, 0]
    records = [{"id": f"B{n}", "arrival": "", "rate": rate, "guest": ""} for n, rate in enumerate(rates)]
    collector = Collector(Settings(fields=PLACES, columns=tuple(PLACES), source=Http(url="http://b")))
    collector.take_all(records)
    assert [cells[2] for cells in collector.cells.values()] == [1, "TRUE", 1, 1.5, "FALSE", 0]


def test_of_many_records_one_that_does_not_fit_is_set_aside():
    good = [{"id": f"B{n}", "arrival": "2026-05-13", "rate": n, "guest": "Ada"} for n in range(2500)]
    collector = Collector(Settings(fields=PLACES, columns=tuple(PLACES), source=Http(url="http://b")))
    collector.take_all([*good[:1500], {**good[0], "id": "odd", "rate": []}, *good[1500:]])
    assert (len(collector.bookings()), [(a.place, a.key) for a in collector.aside]) == (2500, [(1501, "odd")])


@pytest.mark.parametrize("row", [["B2"], ["B2", "2026-05-13", "1", "Ada", "more"]])
def test_a_row_that_is_cut_is_set_aside_and_those_around_it_are_read(row):
    header = ["guest", "id", "rate", "arrival"]
    collector = Collector(Settings(fields=PLACES, columns=tuple(PLACES), source=Http(url="http://b")))
    collector.take_all([["Ada", "B1", "1", "2026-05-13"], row, ["Bea", "B3", "2", "2026-05-14"]], header)
    assert collector.cells == {"B1": ("B1", "2026-05-13", "1", "Ada"), "B3": ("B3", "2026-05-14", "2", "Bea")}
    assert [each.place for each in collector.aside] == [2]
