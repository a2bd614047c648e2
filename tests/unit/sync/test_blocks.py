import json

import msgspec

from sync.batch import Batch, NewRow, Target, entered
from sync.blocks import body, delete, first_load, spans


def target(row, column, value, **more):
    return Target(row, column, f"B{row}", "rate", "old", entered(value), **more)


def batch(*targets, added=(), at=0, places=(0, 1)):
    columns = ("id", "guest", "rate")[: len(places)]
    return Batch(copy=99, tab=7, places=places, columns=columns, targets=targets, added=added, at=at)


def requests(made):
    return json.loads(body(made, 3))["requests"]


def test_a_batch_begins_with_a_copy_of_the_tab_that_is_hidden():
    first, second, *_ = requests(batch(target(4, 1, 9)))
    assert first == {
        "duplicateSheet": {"sourceSheetId": 7, "newSheetId": 99, "newSheetName": ".jada 99-1", "insertSheetIndex": 3}
    }
    assert second == {"updateSheetProperties": {"properties": {"sheetId": 99, "hidden": True}, "fields": "hidden"}}


def test_a_batch_is_marked_beside_the_sheet_under_its_copys_id_and_the_mark_goes_with_the_copy():
    made = msgspec.structs.replace(batch(target(4, 1, 9)), marked=True)
    (mark,) = [each["createDeveloperMetadata"]["developerMetadata"] for each in requests(made)[2:3]]
    assert (mark["metadataId"], mark["metadataValue"], mark["location"]) == (99, ".jada 99-1", {"spreadsheet": True})
    lookup = {"dataFilter": {"developerMetadataLookup": {"metadataId": 99}}}
    assert json.loads(delete(made))["requests"] == [
        {"deleteSheet": {"sheetId": 99}},
        {"deleteDeveloperMetadata": lookup},
    ]


def test_a_change_names_its_cell_and_leaves_its_format():
    assert requests(batch(target(4, 3, 9)))[2:] == [
        {
            "updateCells": {
                "start": {"sheetId": 7, "rowIndex": 4, "columnIndex": 3},
                "rows": [{"values": [{"userEnteredValue": {"numberValue": 9}}]}],
                "fields": "userEnteredValue",
            }
        }
    ]


def test_new_rows_are_inserted_below_ours_and_leave_the_columns_of_people_alone():
    insert, *updates = requests(batch(added=(NewRow("B1", ("B1", "Ada", 5)),), at=4, places=(2, 0, 3)))[2:]
    assert insert["insertDimension"] == {
        "range": {"sheetId": 7, "dimension": "ROWS", "startIndex": 4, "endIndex": 5},
        "inheritFromBefore": True,
    }
    assert [u["updateCells"]["start"]["columnIndex"] for u in updates] == [0, 2]
    (left,), (right,) = (u["updateCells"]["rows"] for u in updates)
    assert [c["userEnteredValue"] for c in left["values"]] == [{"stringValue": "Ada"}]
    assert [c["userEnteredValue"] for c in right["values"]] == [{"stringValue": "B1"}, {"numberValue": 5}]


def test_a_row_right_below_the_header_does_not_look_like_it():
    insert = requests(batch(added=(NewRow("B1", ("B1", "Ada")),), at=1))[2]
    assert insert["insertDimension"]["inheritFromBefore"] is False


def test_what_looks_like_a_formula_is_written_as_text():
    (update,) = requests(batch(target(1, 0, '=IMPORTXML("http://x")')))[2:]
    assert update["updateCells"]["rows"][0]["values"] == [
        {"userEnteredValue": {"stringValue": '=IMPORTXML("http://x")'}}
    ]


def test_neighbours_with_the_same_change_share_one_request():
    cells = [target(row, column, f"{row}{column}") for row in (4, 2, 3) for column in (1, 2)]
    (update,) = requests(batch(*cells))[2:]
    assert update["updateCells"]["start"] == {"sheetId": 7, "rowIndex": 2, "columnIndex": 1}
    assert len(update["updateCells"]["rows"]) == 3


def test_columns_that_do_not_touch_are_requests_of_their_own():
    made = requests(batch(target(2, 1, "a"), target(2, 2, "b"), target(2, 4, "c")))[2:]
    assert [r["updateCells"]["start"]["columnIndex"] for r in made] == [1, 4]


def test_a_batch_answers_with_the_rows_that_it_is_judged_by():
    made = batch(target(4, 1, 9), target(5, 1, 9), target(8, 1, 9), added=(NewRow("B1", ("B1", "")),), at=12)
    assert list(spans(made)) == [(0, 1), (4, 6), (8, 9), (11, 12)]
    assert json.loads(body(made, 3))["responseRanges"] == [
        f"'.jada 99-1'!{rows}" for rows in ("1:1", "5:6", "9:9", "12:12")
    ]


def test_the_first_load_is_plain_values():
    made = first_load("'T'", ("id", "rate"), [("B1", 1.5)])
    assert json.loads(made) == {"range": "'T'", "majorDimension": "ROWS", "values": [["id", "rate"], ["B1", 1.5]]}
