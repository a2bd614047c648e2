import pytest

from doubles.database import Database

TABLES = "CREATE TABLE IF NOT EXISTS word (text TEXT);"


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "state" / "words.sqlite", TABLES)
    yield database
    database.close()


def test_a_text_is_made_once_and_kept_over_a_restart(database, tmp_path):
    assert database.kept("token", lambda: "first") == "first"
    again = Database(tmp_path / "state" / "words.sqlite", TABLES)
    assert again.kept("token", lambda: "second") == "first"
    again.keep("token", "third")
    assert database.kept("token", lambda: "fourth") == "third"
    again.close()


def test_a_transaction_that_fails_changes_nothing(database):
    database.write("INSERT INTO word VALUES ('kept')")

    def fail():
        with database.transaction():
            database.write("DELETE FROM word")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert database.rows("SELECT text FROM word") == [("kept",)]


def test_its_folder_is_for_its_owner_only(database, tmp_path):
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert database.row("SELECT text FROM word") is None
