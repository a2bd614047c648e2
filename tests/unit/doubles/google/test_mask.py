import pytest

from doubles.google import mask
from doubles.google.contract import sheets
from doubles.google.errors import GoogleError

SPREADSHEET = {"$ref": "Spreadsheet"}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a", {"a": {}}),
        ("a.b,a.c,d", {"a": {"b": {}, "c": {}}, "d": {}}),
        ("a(b,c(d)),e", {"a": {"b": {}, "c": {"d": {}}}, "e": {}}),
        ("a/b", {"a": {"b": {}}}),
        ("a.b,a", {"a": {}}),
        ("a,a.b", {"a": {}}),
        (" a , b ", {"a": {}, "b": {}}),
    ],
)
def test_a_mask_is_a_tree_of_fields(text, parsed):
    assert mask.parse(text) == parsed


@pytest.mark.parametrize("text", ["", ",", "a(", "a()", "a)", "a..b", "a.", "a b-c", "(a)"])
def test_what_is_no_mask_is_refused(text):
    with pytest.raises(GoogleError, match="Invalid field mask"):
        mask.parse(text)


def test_a_field_the_type_does_not_have_is_named_with_its_path():
    with pytest.raises(GoogleError, match=r"Cannot find matching fields for path 'sheets\.properties\.colour'"):
        mask.check(mask.parse("sheets.properties.colour"), sheets(), SPREADSHEET)


def test_lists_are_selected_item_by_item():
    data = {"id": 1, "sheets": [{"title": "a", "index": 0}, {"title": "b", "index": 1}]}
    assert mask.select(mask.parse("sheets.title"), data) == {"sheets": [{"title": "a"}, {"title": "b"}]}
    assert mask.select(mask.parse("*"), data) == data


def test_only_named_fields_change_and_named_ones_that_are_absent_are_cleared():
    old = {"note": "n", "format": {"bold": True, "size": 9}}
    new = {"format": {"bold": False}}
    assert mask.merge(mask.parse("format.bold"), old, new) == {"note": "n", "format": {"bold": False, "size": 9}}
    assert mask.merge(mask.parse("format,note"), old, new) == {"format": {"bold": False}}
    assert mask.merge(mask.parse("*"), old, new) == new
