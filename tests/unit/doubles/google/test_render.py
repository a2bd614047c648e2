import pytest

from doubles.google.book import Cell, Formula
from doubles.google.errors import GoogleError
from doubles.google.render import check_format, formatted, show


def looking(value, kind, pattern):
    return Cell(value, {"numberFormat": {"type": kind, "pattern": pattern}})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (3.14159265358979, "3.141592654"),
        (True, "TRUE"),
        ("a", "a"),
        (None, None),
        (123456789012345, "123456789012345"),
        (1e20, "1E+20"),
    ],
)
def test_a_cell_without_a_format_shows_its_value(value, shown):
    assert formatted(Cell(value)) == shown


@pytest.mark.parametrize(
    ("value", "kind", "pattern", "shown"),
    [
        (1234.5, "NUMBER", "#,##0.00", "1,234.50"),
        (-1234.5, "CURRENCY", "$#,##0.00", "-$1,234.50"),
        (12.5, "CURRENCY", '0.00" €"', "12.50 €"),
        (0.125, "PERCENT", "0.0%", "12.5%"),
        (-0.001, "NUMBER", "0.00", "0.00"),
        (7, "TEXT", "@", "7"),
        (46327, "DATE", "yyyy-mm-dd", "2026-11-01"),
        (46327, "DATE", "dddd, d mmmm yyyy", "Sunday, 1 November 2026"),
        (46327.5 + 65 / 86400, "DATE_TIME", "m/d/yyyy h:mm:ss", "11/1/2026 12:01:05"),
        ("text", "NUMBER", "0.00", "text"),
    ],
)
def test_a_number_format_decides_what_a_person_sees(value, kind, pattern, shown):
    assert formatted(looking(value, kind, pattern)) == shown


def test_a_date_is_a_number_unless_its_text_is_asked_for():
    cell = looking(46327, "DATE", "yyyy-mm-dd")
    assert show(cell, "UNFORMATTED_VALUE", "SERIAL_NUMBER") == 46327
    assert show(cell, "UNFORMATTED_VALUE", "FORMATTED_STRING") == "2026-11-01"
    assert show(cell, "FORMATTED_VALUE", "SERIAL_NUMBER") == "2026-11-01"


def test_a_formula_is_shown_as_such_only_when_asked_for_and_else_as_not_yet_calculated():
    cell = Cell(Formula("=A1*2"))
    assert show(cell, "FORMULA", "SERIAL_NUMBER") == "=A1*2"
    assert show(cell, "UNFORMATTED_VALUE", "SERIAL_NUMBER") == show(cell, "FORMATTED_VALUE", "") == "Loading..."


@pytest.mark.parametrize(("kind", "pattern"), [("DATE", "m/d/yyyy"), ("NUMBER", "#,##0.00"), ("PERCENT", "0.00%")])
def test_a_format_without_a_pattern_gets_its_usual_one(kind, pattern):
    assert check_format({"type": kind}) == {"type": kind, "pattern": pattern}


@pytest.mark.parametrize(
    "look", [{"type": "SCIENTIFIC"}, {"type": "NUMBER", "pattern": "?/?"}, {"type": "DATE", "pattern": "a"}]
)
def test_a_format_that_cannot_be_shown_here_is_refused_as_not_built(look):
    with pytest.raises(GoogleError) as caught:
        check_format(look)
    assert caught.value.status == "UNIMPLEMENTED"
