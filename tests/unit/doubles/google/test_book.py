import pytest

from doubles.google.area import Area
from doubles.google.book import CELL_LIMIT, Book, Cell, Sheet
from doubles.google.errors import GoogleError

BOLD = {"textFormat": {"bold": True}}


@pytest.fixture
def sheet():
    made = Sheet(0, "Sheet1", columns=3, rows=[{} for _ in range(4)])
    for row in range(3):
        for column in range(3):
            made.put(row, column, Cell(f"{row}{column}", BOLD if row == 1 else None))
    return made


def values(sheet):
    return [[sheet.cell(row, column).value for column in range(sheet.columns)] for row in range(len(sheet.rows))]


def test_inserted_rows_push_the_others_down_and_look_like_the_row_before(sheet):
    sheet.insert("ROWS", 2, 2, like_before=True)
    assert [row[0] for row in values(sheet)] == ["00", "10", None, None, "20", None]
    assert sheet.cell(2, 1) == Cell(format=BOLD)


def test_inserted_rows_may_look_like_the_row_after(sheet):
    sheet.insert("ROWS", 1, 1, like_before=False)
    assert sheet.cell(1, 0) == Cell(format=BOLD)


def test_inserted_columns_push_the_others_right(sheet):
    sheet.insert("COLUMNS", 1, 1, like_before=False)
    assert (values(sheet)[0], sheet.columns) == (["00", None, "01", "02"], 4)
    assert sheet.cell(1, 1) == Cell(format=BOLD)


def test_deleted_rows_and_columns_are_gone_with_their_cells(sheet):
    sheet.delete("ROWS", 0, 2)
    sheet.delete("COLUMNS", 1, 2)
    assert values(sheet) == [["20", "22"], [None, None]]
    with pytest.raises(GoogleError, match="You can't delete all the rows"):
        sheet.delete("ROWS", 0, 2)


@pytest.mark.parametrize(("target", "order"), [(0, "1023"), (1, "0123"), (3, "0213"), (4, "0231")])
def test_a_row_is_moved_to_before_another(sheet, target, order):
    sheet.put(3, 0, Cell("30"))
    sheet.move("ROWS", 1, 2, target)
    assert "".join(row[0][0] for row in values(sheet)) == order


def test_columns_are_moved_with_their_cells(sheet):
    sheet.move("COLUMNS", 0, 2, 3)
    assert values(sheet)[2] == ["22", "20", "21"]


def test_sorting_moves_the_cells_of_the_area_alone(sheet):
    for row, value in enumerate(["b", None, 2, True]):
        sheet.put(row, 1, Cell(value))
    sheet.sort(Area(0, 1, 4, 3), [(1, False)])
    assert values(sheet) == [["00", 2, "22"], ["10", "b", "02"], ["20", True, None], [None, None, "12"]]


def test_equal_rows_keep_their_order_and_the_first_key_weighs_most(sheet):
    for row, (one, two) in enumerate([(1, "x"), (2, "b"), (1, "X"), (2, "a")]):
        sheet.put(row, 1, Cell(one))
        sheet.put(row, 2, Cell(two))
    sheet.sort(sheet.whole, [(1, True), (2, False)])
    assert [row[1:] for row in values(sheet)] == [[2, "a"], [2, "b"], [1, "x"], [1, "X"]]


def test_a_smaller_grid_loses_what_falls_outside(sheet):
    sheet.resize(2, 2)
    sheet.resize(3, 3)
    assert values(sheet) == [["00", "01", None], ["10", "11", None], [None, None, None]]


def test_height_ends_at_the_last_value_not_at_the_last_format(sheet):
    sheet.put(3, 0, Cell(format=BOLD))
    assert sheet.height == 3
    assert Sheet(1, "empty").height == 0


def test_a_copy_changes_alone(sheet):
    other = Book("id", {}, [sheet]).copy()
    other.sheets[0].put(0, 0, Cell("changed"))
    other.sheets[0].delete("ROWS", 1, 2)
    assert (sheet.cell(0, 0).value, len(sheet.rows)) == ("00", 4)


def test_a_text_that_is_too_long_for_a_cell_is_refused(sheet):
    sheet.put(0, 0, Cell("x" * 50_000))
    with pytest.raises(GoogleError, match="more than the maximum of 50000 characters"):
        sheet.put(0, 0, Cell("x" * 50_001))


def test_more_cells_than_google_allows_are_refused_before_they_are_made(sheet):
    for grow in (lambda: sheet.resize(CELL_LIMIT, 2), lambda: sheet.insert("ROWS", 1, CELL_LIMIT, like_before=True)):
        with pytest.raises(GoogleError, match="above the limit of 10000000 cells"):
            grow()
