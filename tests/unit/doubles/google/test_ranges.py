import pytest

from doubles.google import ranges
from doubles.google.book import Area, Book, Sheet
from doubles.google.errors import GoogleError

BOOK = Book("id", {}, [Sheet(0, "Sheet1"), Sheet(7, "It's ours", columns=3, rows=[{} for _ in range(5)])])


@pytest.mark.parametrize(
    ("text", "title", "area"),
    [
        ("A1", "Sheet1", Area(0, 0, 1, 1)),
        ("sheet1!b2:D4", "Sheet1", Area(1, 1, 4, 4)),
        ("D4:B2", "Sheet1", Area(1, 1, 4, 4)),
        ("Sheet1", "Sheet1", Area(0, 0, 1000, 26)),
        ("'It''s ours'", "It's ours", Area(0, 0, 5, 3)),
        ("'It''s ours'!A:B", "It's ours", Area(0, 0, 5, 2)),
        ("'It''s ours'!2:3", "It's ours", Area(1, 0, 3, 3)),
        ("'It''s ours'!A2:B", "It's ours", Area(1, 0, 5, 2)),
        ("'It''s ours'!B2:4", "It's ours", Area(1, 1, 4, 3)),
        ("'It''s ours'!A1:Z99", "It's ours", Area(0, 0, 5, 3)),
    ],
)
def test_a1_notation_means_a_sheet_and_an_area(text, title, area):
    sheet, found = ranges.find(BOOK, text)
    assert (sheet.title, found) == (title, area)


@pytest.mark.parametrize(
    "text", ["Nowhere!A1", "A", "1", "A0", "Sheet1!", "'open", "A1:B2:C3", "", "Sheet1!A1 ", ":B2"]
)
def test_what_is_no_a1_notation_is_refused(text):
    with pytest.raises(GoogleError, match="Unable to parse range"):
        ranges.find(BOOK, text)


def test_a_start_past_the_grid_is_refused_with_its_limits():
    with pytest.raises(GoogleError) as caught:
        ranges.find(BOOK, "'It''s ours'!A6:B9")
    assert caught.value.message == "Range ('It''s ours'!A6:B9) exceeds grid limits. Max rows: 5, max columns: 3"


def test_an_end_past_the_grid_is_refused_for_writing_alone():
    assert ranges.find(BOOK, "'It''s ours'!A5:C6")[1].bottom == 5
    with pytest.raises(GoogleError, match="exceeds grid limits"):
        ranges.find(BOOK, "'It''s ours'!A5:C6", write=True)


def test_a_grid_range_without_ends_is_the_whole_sheet():
    assert ranges.find_grid(BOOK, {"sheetId": 7})[1] == Area(0, 0, 5, 3)
    with pytest.raises(GoogleError, match="No grid with id: 9"):
        ranges.find_grid(BOOK, {"sheetId": 9})


def test_an_end_before_its_start_is_refused():
    with pytest.raises(GoogleError, match="Invalid range"):
        ranges.find_grid(BOOK, {"startRowIndex": 4, "endRowIndex": 2})


def test_areas_are_written_as_they_are_read():
    sheet = BOOK.sheets[1]
    assert ranges.name(sheet, Area(1, 0, 3, 2)) == "'It''s ours'!A2:B3"
    assert ranges.name(sheet, Area(1, 0, 2, 1)) == "'It''s ours'!A2"


@pytest.mark.parametrize(("column", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_are_counted_in_letters(column, letters):
    assert (ranges.letters(column), ranges.number(letters)) == (letters, column)
