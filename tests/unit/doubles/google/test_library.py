import pytest

from doubles.google.book import Book, Cell, Formula, Sheet
from doubles.google.errors import Failure
from doubles.google.library import Library

LOOK = {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}


def book(book_id):
    sheet = Sheet(3, "Ünïcode", columns=4, rows=[{} for _ in range(2)], properties={"hidden": True})
    cells = [Cell("=text"), Cell(Formula("=A1")), Cell(46327, LOOK), Cell(value=True, note="n")]
    for column, cell in enumerate(cells):
        sheet.put(1, column, cell)
    return Book(book_id, {"title": "Bookings"}, [sheet])


def test_a_spreadsheet_is_read_back_as_it_was_saved(tmp_path):
    first = Library(tmp_path)
    made = book(first.new_id())
    first.save(made)
    found = Library(tmp_path).get(made.id)
    assert found == made
    assert isinstance(found.sheets[0].cell(1, 1).value, Formula)
    assert not isinstance(found.sheets[0].cell(1, 0).value, Formula)


@pytest.mark.parametrize("name", ["missing", "../secret", "", "."])
def test_an_unknown_id_is_not_found(tmp_path, name):
    (tmp_path / "secret.json").write_text("{}")
    with pytest.raises(Failure) as caught:
        Library(tmp_path / "sheets").get(name)
    assert caught.value.status == "NOT_FOUND"


def test_a_write_that_was_cut_leaves_the_spreadsheet_as_it_was(tmp_path):
    library = Library(tmp_path)
    library.save(book("one"))
    (tmp_path / "one.part").write_text('{"id": "o')
    assert Library(tmp_path).get("one") == book("one")
    assert Library(tmp_path).ids() == ["one"]
