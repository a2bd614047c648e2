"""What a field of a record becomes in its cell, type by type."""

import pytest

from sync.source.fields import BadField, Columns, value_at
from sync.source_settings import Field

BIG = 2**53 + 1


def cell(value, missing=(), **field):
    table = {"id": Field(path="id"), "x": Field(path="x", **field)}
    return Columns("id", table, missing).cells({"id": "B1", "x": value}, 1, "B1")[1]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ({}, "0042", "0042"),
        ({}, True, "TRUE"),
        ({}, "a\r\nb", "a\nb"),
        ({}, 3, 3),
        ({}, 80.0, 80),
        ({}, None, ""),
        ({}, BIG, str(BIG)),
        ({}, 2**53, 2**53),
        ({"type": "text"}, 42, "42"),
        ({"type": "date"}, "2026-05-13", "2026-05-13"),
        ({"type": "date", "format": "%d/%m/%Y"}, "13/5/2026", "2026-05-13"),
        ({"type": "date", "format": "%Y %B %d"}, "2026 May 3", "2026-05-03"),
        ({"type": "date", "zone": "Europe/Lisbon"}, "2026-05-13T23:30:00Z", "2026-05-14"),
        ({"type": "date", "zone": "UTC", "format": "epoch"}, 1778716800, "2026-05-14"),
        ({"type": "instant", "zone": "Europe/Lisbon"}, "2026-05-13T23:30:00Z", "2026-05-14 00:30:00"),
        ({"type": "instant", "zone": "Europe/Lisbon"}, "2026-05-13T23:30:00", "2026-05-13 23:30:00"),
        ({"type": "instant", "format": "epoch_ms"}, 1778716800500, "2026-05-14 00:00:00"),
        ({"type": "instant", "format": "%d.%m.%Y %H:%M", "zone": "UTC"}, "13.05.2026 14:05", "2026-05-13 14:05:00"),
        ({"type": "money"}, "80.50", 80.5),
        ({"type": "money"}, "80.00", 80),
        ({"type": "money"}, 80.1, 80.1),
        ({"type": "money"}, "-0.1", -0.1),
        ({"type": "money", "scale": 2}, 8050, 80.5),
        ({"type": "money", "decimal_mark": ","}, "1.234,50", 1234.5),
        ({"type": "money"}, "", ""),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, 7.0, 7),
        ({"type": "integer"}, str(BIG), str(BIG)),
        ({"type": "yes_no"}, "No", "FALSE"),
        ({"type": "yes_no"}, 1, "TRUE"),
        ({"type": "integer", "prefix": "B"}, 7, "B7"),
    ],
)
def test_a_value_becomes_the_cell_of_its_type(field, value, wanted):
    found = cell(value, **field)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({}, ["x"]),
        ({}, {"a": 1}),
        ({}, float("inf")),
        ({}, "\ud800"),
        ({}, "x" * 50_001),
        ({"type": "date"}, "13/05/2026"),
        ({"type": "date"}, "2026-02-30"),
        ({"type": "date"}, 20260513.5),
        ({"type": "date"}, True),
        ({"type": "date", "zone": "UTC"}, "never"),
        ({"type": "instant"}, "25 o'clock"),
        ({"type": "instant", "format": "epoch"}, "1e40"),
        ({"type": "money"}, "eighty"),
        ({"type": "money"}, "nan"),
        ({"type": "money"}, "1,234.50"),
        ({"type": "money"}, True),
        ({"type": "integer"}, "7.5"),
        ({"type": "integer"}, "1e400"),
        ({"type": "yes_no"}, "perhaps"),
        ({"type": "date", "zone": "America/New_York"}, "0001-01-01T00:00:00Z"),
        ({"type": "date", "zone": "Europe/Berlin"}, "9999-12-31T23:59:59Z"),
        ({"type": "instant", "zone": "Europe/Berlin"}, "9999-12-31T23:59:59Z"),
        ({"type": "money"}, "1e9999999"),
        ({"type": "integer"}, float("inf")),
        ({"type": "integer"}, "Infinity"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_named_by_its_column(field, value):
    with pytest.raises(BadField) as bad:
        cell(value, **field)
    assert bad.value.column == "x"


def test_texts_that_mean_nothing_become_blank():
    assert cell("NULL", ("NULL",), type="integer") == ""


def test_a_field_that_is_absent_is_bad_unless_it_may_be():
    table = {"id": Field(path="id"), "x": Field(path="a.x")}
    with pytest.raises(BadField, match=r"there is nothing at a\.x"):
        Columns("id", table).cells({"a": {}}, 1, "B1")
    table["x"] = Field(path="a.x", optional=True)
    assert Columns("id", table).cells({"a": {}}, 1, "B1") == ("B1", "")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("guest.name", "Ana"),
        ("rooms.1.type", "Suite"),
        ("a.b", "dotted"),
        ("c.d.e", "half dotted"),
        ("none.name", None),
        ("rooms.9.type", None),
        ("guest.name.first", None),
        ("", "all"),
    ],
)
def test_a_path_leads_through_objects_lists_and_keys_with_dots(path, found):
    record = {
        "guest": {"name": "Ana"},
        "rooms": [{"type": "Twin"}, {"type": "Suite"}],
        "a.b": "dotted",
        "c.d": {"e": "half dotted"},
        "none": None,
    }
    assert value_at(record, path) == (record if found == "all" else found)


def test_several_paths_are_joined():
    table = {"id": Field(path="id"), "day": Field(path=("y", "m", "d"), type="date", format="%Y %B %d")}
    assert Columns("id", table).cells({"y": 2015, "m": "July", "d": "1"}, 1, "B")[1] == "2015-07-01"


@pytest.mark.parametrize(("value", "key"), [("B1 ", "B1"), (7, "7"), (BIG, str(BIG))])
def test_an_id_is_text(value, key):
    assert Columns("id", {"id": Field(path="id")}).key({"id": value}, 1) == key


@pytest.mark.parametrize("value", [None, "", " ", True, 1.5, [], "NULL"])
def test_what_names_no_booking_is_no_id(value):
    with pytest.raises(BadField, match="record 3 has no id"):
        Columns("id", {"id": Field(path="id")}, ("NULL",)).key({"id": value}, 3)


def test_a_value_that_was_met_before_becomes_the_cell_of_its_own_type():
    columns = Columns("id", {"id": Field(path="id"), "x": Field(path="x", optional=True)})
    values = [1, True, 1.0, "1", 1, None, "TRUE"]
    found = [columns.cells({"x": value}, 1, "B1")[1] for value in values]
    assert found == [1, "TRUE", 1, "1", 1, "", "TRUE"]


def test_a_bad_value_is_bad_each_time():
    columns = Columns("id", {"id": Field(path="id"), "x": Field(path="x", type="date")})
    for _ in range(2):
        with pytest.raises(BadField):
            columns.cells({"x": "13/5/2026"}, 1, "B1")


def test_an_id_that_no_json_can_carry_is_none():
    with pytest.raises(BadField, match="is no text"):
        Columns("id", {"id": Field(path="id")}).key({"id": "B\ud800"}, 1)
