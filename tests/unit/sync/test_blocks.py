import json

from sync.blocks import batches
from sync.plan import Change


def requests(batch):
    return json.loads(batch)["requests"]


def test_nothing_to_write_is_no_batch():
    assert list(batches(0, (0, 1), [], [])) == []


def test_everything_small_goes_in_one_batch():
    (batch,) = batches(7, (0, 1), [("B2", 1)], [Change(5, "B1", {1: 9})])
    assert [next(iter(request)) for request in requests(batch)] == ["updateCells", "appendCells"]


def test_a_change_names_its_cell_and_leaves_its_format():
    (batch,) = batches(7, (0, 3), [], [Change(5, "B1", {1: 9})])
    assert requests(batch) == [
        {
            "updateCells": {
                "start": {"sheetId": 7, "rowIndex": 4, "columnIndex": 3},
                "rows": [{"values": [{"userEnteredValue": {"numberValue": 9}}]}],
                "fields": "userEnteredValue",
            }
        }
    ]


def test_a_new_row_leaves_the_columns_of_people_blank():
    (batch,) = batches(7, (2, 0), [("B1", "Ada")], [])
    (row,) = requests(batch)[0]["appendCells"]["rows"]
    assert [cell.get("userEnteredValue", {}).get("stringValue") for cell in row["values"]] == ["Ada", None, "B1"]


def test_what_looks_like_a_formula_is_written_as_text():
    (batch,) = batches(0, (0,), [('=IMPORTXML("http://x")',)], [])
    (row,) = requests(batch)[0]["appendCells"]["rows"]
    assert row["values"] == [{"userEnteredValue": {"stringValue": '=IMPORTXML("http://x")'}}]


def test_neighbours_with_the_same_change_share_one_request():
    (batch,) = batches(0, (0, 1, 2), [], [Change(n, str(n), {1: n, 2: ""}) for n in (4, 2, 3)])
    (update,) = requests(batch)
    assert update["updateCells"]["start"]["rowIndex"] == 1
    assert len(update["updateCells"]["rows"]) == 3


def test_columns_that_do_not_touch_are_requests_of_their_own():
    (batch,) = batches(0, (0, 1, 4), [], [Change(2, "B1", {1: "a", 2: "b"})])
    assert [r["updateCells"]["start"]["columnIndex"] for r in requests(batch)] == [1, 4]


def test_what_is_large_is_cut_into_batches_of_whole_rows_below_two_megabytes():
    rows = [(f"B{n}", "x" * 1000) for n in range(5000)]
    made = list(batches(0, (0, 1), rows, []))
    sent = [row for batch in made for r in requests(batch) for row in r["appendCells"]["rows"]]
    assert all(len(batch) <= 2_000_000 for batch in made)
    assert (len(made), len(sent)) == (3, 5000)


def test_columns_that_the_grid_lacks_come_first():
    (batch,) = batches(0, (0, 1), [("B1", 1)], [], columns=2)
    assert requests(batch)[0] == {"appendDimension": {"sheetId": 0, "dimension": "COLUMNS", "length": 2}}
