from datetime import date

import pytest

from doubles.google.book import Cell, Formula
from doubles.google.entry import enter, serial
from doubles.google.errors import GoogleError
from doubles.google.render import show


@pytest.mark.parametrize("value", ["=1+1", "'quoted", "12", "2026-11-01", "TRUE", 12, 1.5, True])
def test_raw_is_kept_as_it_is(value):
    cell = enter(Cell(), value, "RAW")
    assert (cell.value, type(cell.value), cell.format) == (value, type(value), None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'=1+1", "=1+1"),
        ("12", 12),
        ("1,234.5", 1234.5),
        ("-3", -3),
        ("1e3", 1000),
        ("true", True),
        ("50%", 0.5),
        ("Room 12", "Room 12"),
        ("=", "="),
        ("1,2", "1,2"),
        (".", "."),
        ("2026-02-30", "2026-02-30"),
        ("+", "+"),
    ],
)
def test_what_a_person_types_is_understood(text, value):
    assert enter(Cell(), text, "USER_ENTERED").value == value


def test_a_leading_equals_sign_makes_a_formula_only_when_typed():
    assert isinstance(enter(Cell(), "=1+1", "USER_ENTERED").value, Formula)
    assert not isinstance(enter(Cell(), "=1+1", "RAW").value, Formula)


@pytest.mark.parametrize(("text", "shown"), [("2026-11-01", "2026-11-01"), ("11/1/2026", "11/1/2026")])
def test_a_typed_date_becomes_a_serial_number_that_looks_as_typed(text, shown):
    cell = enter(Cell(), text, "USER_ENTERED")
    assert cell.value == serial(date(2026, 11, 1)) == 46327
    assert show(cell, "FORMATTED_VALUE", "SERIAL_NUMBER") == shown


def test_a_format_that_somebody_chose_stays():
    chosen = {"numberFormat": {"type": "NUMBER", "pattern": "0"}}
    assert enter(Cell(format=chosen), "2026-11-01", "USER_ENTERED").format == chosen


def test_a_cell_formatted_as_plain_text_takes_what_is_typed_as_it_is():
    plain = {"numberFormat": {"type": "TEXT", "pattern": "@"}}
    assert enter(Cell(format=plain), "007", "USER_ENTERED").value == "007"


def test_an_empty_text_clears_the_value_and_leaves_format_and_note():
    assert enter(Cell("x", {"a": 1}, "n"), "", "RAW") == Cell(None, {"a": 1}, "n")


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
def test_a_cell_holds_no_structure(value):
    with pytest.raises(GoogleError, match="a cell can't hold"):
        enter(Cell(), value, "RAW")
