import pytest

from doubles.google.contract import sheets
from doubles.google.requests import KINDS
from doubles.google.sheets import READING, WRITING

BOOK = "/v4/spreadsheets/1a-B_c"


@pytest.mark.parametrize(
    ("method", "path", "name", "values"),
    [
        ("POST", "/v4/spreadsheets", "create", []),
        ("GET", BOOK, "get", ["1a-B_c"]),
        ("POST", f"{BOOK}:batchUpdate", "batchUpdate", ["1a-B_c"]),
        ("GET", f"{BOOK}/values/A1:B2", "values.get", ["1a-B_c", "A1:B2"]),
        ("GET", f"{BOOK}/values:batchGet", "values.batchGet", ["1a-B_c"]),
        ("POST", f"{BOOK}/values/A1:B2:clear", "values.clear", ["1a-B_c", "A1:B2"]),
        ("POST", f"{BOOK}/values/%27A%2FB%27%21A1:append", "values.append", ["1a-B_c", "%27A%2FB%27%21A1"]),
    ],
)
def test_a_path_means_one_operation_a_verb_before_a_range(method, path, name, values):
    operation, found = sheets().find(method, path)
    assert (operation.name, list(found.values())) == (f"spreadsheets.{name}", values)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v4"), ("PATCH", BOOK), ("GET", f"{BOOK}/values/a/b")])
def test_other_paths_mean_none(method, path):
    assert sheets().find(method, path) is None


def test_everything_built_is_in_googles_description():
    known = {operation.name for operation in sheets()._operations}
    assert READING.keys() | WRITING.keys() <= known
    assert KINDS.keys() <= sheets().schemas["Request"]["properties"].keys()


@pytest.mark.parametrize(
    ("schema", "data", "words"),
    [
        ("GridRange", {"startRowIndex": True}, "'start_row_index' (TYPE_INT32), true"),
        ("GridRange", {"startRowIndex": 2**31}, "'start_row_index' (TYPE_INT32)"),
        ("ExtendedValue", {"numberValue": "1"}, "'number_value' (TYPE_DOUBLE)"),
        ("RowData", {"values": [{}, {"note": 1}]}, "'values[1].note' (TYPE_STRING), 1"),
        ("RowData", {"values": {}}, "'values' (TYPE_CELLDATA)"),
        ("Sheet", {"properties": []}, "google.apps.sheets.v4.SheetProperties"),
        ("Sheet", {"colour": 1}, 'Unknown name "colour": Cannot find field.'),
    ],
)
def test_what_does_not_fit_a_type_is_named_with_its_path(schema, data, words):
    (violation,) = sheets().violations(schema, data)
    assert words in violation


def test_null_means_absent_everywhere():
    data = {"properties": None, "data": [{"rowData": None, "startRow": None}]}
    assert list(sheets().violations("Sheet", data)) == []
