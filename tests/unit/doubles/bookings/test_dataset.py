import csv
from datetime import date

import pytest

from doubles.bookings.booking import as_csv
from doubles.bookings.dataset import PUBLISHED, UnreadableFile, load
from doubles.bookings.generator import season

TODAY = date(2026, 11, 21)
ROW = {
    "hotel": "City Hotel",
    "arrival_date_year": "2016",
    "arrival_date_month": "February",
    "arrival_date_day_of_month": "28",
    "stays_in_weekend_nights": "1",
    "stays_in_week_nights": "2",
    "adults": "2",
    "children": "1",
    "babies": "1",
    "meal": "BB",
    "country": "PRT",
    "adr": "101.5",
    "distribution_channel": "TA/TO",
    "reserved_room_type": "A",
    "reservation_status": "Check-Out",
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bookings.csv"


def write(file, *rows):
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, PUBLISHED)
        writer.writeheader()
        writer.writerows(rows)


def test_our_own_csv_is_read_back_as_it_was_written(file):
    bookings = season(1, date(2026, 11, 1), 40)
    file.write_text(as_csv(bookings), encoding="utf-8")
    assert load(file, TODAY) == bookings


def test_a_published_row_becomes_a_booking(file):
    write(file, ROW)
    (booking,) = load(file, TODAY)
    assert (booking.id, booking.arrival, booking.departure, booking.nights) == ("B00001", "2016-02-28", "2016-03-02", 3)
    assert (booking.adults, booking.children, booking.rate, booking.status) == (2, 2, "101.50", "checked_out")
    assert (booking.guest, booking.room_type, booking.channel) == ("", "A", "TA/TO")


def test_published_statuses_and_gaps_are_translated(file):
    gone = {**ROW, "reservation_status": "Canceled", "country": "NULL", "children": "NA"}
    write(file, gone, {**ROW, "reservation_status": "No-Show"}, {**ROW, "arrival_date_year": "2027"})
    cancelled, no_show, future = load(file, TODAY)
    assert (cancelled.status, cancelled.country, cancelled.children) == ("cancelled", "", 1)
    assert (no_show.status, future.status) == ("no_show", "confirmed")


def test_a_stay_of_no_night_is_kept(file):
    write(file, {**ROW, "stays_in_weekend_nights": "0", "stays_in_week_nights": "0"})
    (booking,) = load(file, TODAY)
    assert (booking.nights, booking.departure) == (0, booking.arrival)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arrival_date_month": "Brumaire"}, "line 3: arrival_date_month: must be a month's English name"),
        ({"arrival_date_day_of_month": "31"}, "line 3: arrival_date_day_of_month: there is no 31 February"),
        ({"adults": "two"}, "line 3: adults: must be a whole number"),
        ({"adr": "free"}, "line 3: adr: must be an amount"),
        ({"reservation_status": "Lost"}, "line 3: reservation_status: must be one of"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(file, change, words):
    write(file, ROW, {**ROW, **change})
    with pytest.raises(UnreadableFile, match=words):
        load(file, TODAY)


def test_a_file_with_neither_header_is_refused_by_what_it_lacks_of_the_nearer(file):
    file.write_text("id,hotel,room_type,guest,arrival,departure,nights,adults,children,meal,country,channel\n")
    with pytest.raises(UnreadableFile, match=r"lacks status, rate$"):
        load(file, TODAY)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("J00002", "J00001", "line 3: id: J00001 is there twice"),
        ("J00002,", "J00002,extra,", "line 3: the line: has more fields"),
        ("J00002,Old Town Hotel,", "J00002,", "line 3: rate: missing"),
    ],
)
def test_a_bad_line_of_our_own_csv_is_named(file, old, new, words):
    text = as_csv(season(1, date(2026, 11, 1), 2)).replace("Harbour Hotel", "Old Town Hotel")
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=words):
        load(file, TODAY)


def test_nights_that_contradict_the_dates_are_refused(file):
    (booking,) = season(1, date(2026, 11, 1), 1)
    dates = f"{booking.arrival},{booking.departure},"
    file.write_text(as_csv([booking]).replace(f"{dates}{booking.nights}", f"{dates}99"), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=f"line 2: nights: must be {booking.nights}"):
        load(file, TODAY)


def test_bytes_that_are_no_utf_8_are_refused(file):
    file.write_bytes(b"id,hotel\n\xff")
    with pytest.raises(UnreadableFile, match=r"not UTF-8 text \(byte 9\)"):
        load(file, TODAY)
