from datetime import date

from doubles.bookings.booking import STATUSES
from doubles.bookings.generator import FORMULA_GUEST, season

FIRST = date(2026, 11, 1)


def test_the_same_seed_gives_the_same_season_and_another_seed_another():
    assert season(1, FIRST, 50) == season(1, FIRST, 50)
    assert season(1, FIRST, 50) != season(2, FIRST, 50)


def test_a_season_has_every_status_and_names_of_all_alphabets():
    bookings = season(1, FIRST, 300)
    assert {b.status for b in bookings} == set(STATUSES)
    assert any(not b.guest.isascii() for b in bookings)
    assert len({b.id for b in bookings}) == 300


def test_one_guest_is_a_formula():
    assert [b.guest for b in season(1, FIRST, 300) if b.guest.startswith("=")] == [FORMULA_GUEST]


def test_no_guest_has_left_before_the_end_of_the_stay():
    now = date(2026, 12, 16).isoformat()
    assert all(b.departure <= now for b in season(1, FIRST, 300) if b.status in ("checked_out", "no_show"))
