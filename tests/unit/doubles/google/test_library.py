import pytest

from doubles.database import Database
from doubles.google.book import Book, Cell, Formula, Sheet
from doubles.google.errors import GoogleError
from doubles.google.library import TABLES, Library

LOOK = {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}


def book(book_id):
    sheet = Sheet(3, "Ünïcode", columns=4, rows=[{} for _ in range(2)], properties={"hidden": True})
    cells = [Cell("=text"), Cell(Formula("=A1")), Cell(46327, LOOK), Cell(value=True, note="n")]
    for column, cell in enumerate(cells):
        sheet.put(1, column, cell)
    return Book(book_id, {"title": "Bookings"}, [sheet])


def opened(folder):
    return Library(Database(folder / "google.sqlite", TABLES))


def test_a_spreadsheet_is_read_back_as_it_was_saved(tmp_path):
    first = opened(tmp_path)
    made = book(first.new_id())
    first.save(made)
    found = opened(tmp_path).get(made.id)
    assert found == made
    assert opened(tmp_path).ids() == [made.id]
    assert isinstance(found.sheets[0].cell(1, 1).value, Formula)
    assert not isinstance(found.sheets[0].cell(1, 0).value, Formula)


@pytest.mark.parametrize("name", ["missing", "../secret", "", "."])
def test_an_unknown_id_is_not_found(tmp_path, name):
    with pytest.raises(GoogleError) as caught:
        opened(tmp_path).get(name)
    assert caught.value.status == "NOT_FOUND"
