import pytest

from sync.settings import Settings
from wire.settings_file import section
from wire.values import Invalid


def load(path):
    return section(Settings, path, "sync")


LEAST = 'bookings_url = "http://b"\nspreadsheet_id = "abc"\n'


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "jada.toml"
        path.write_text("[sync]\n" + LEAST + text)
        return path

    return write


def test_two_addresses_are_all_that_must_be_said(written):
    settings = load(written(""))
    assert (settings.edits, settings.conflicts, settings.worksheet) == ("keep", "source", "Bookings")
    assert settings.token_url == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("name", ["jada.local.toml", "jada.prod.toml"])
def test_the_shipped_files_are_valid(name, pytestconfig):
    assert load(pytestconfig.rootpath / name).columns[0] == "id"


@pytest.mark.parametrize(
    "text",
    [
        'edits = "restore"',
        'conflicts = "sheet"',
        'window_from = "2026-05-01"',
        'window_to = "2026-05-01"',
        'window_from = "2026-05-01"\nwindow_to = "2026-05-01"',
        'window_from = "2026-05-01"\nwindow_to = "2026-06-01"',
    ],
)
def test_what_contradicts_nothing_is_accepted(written, text):
    load(written(text))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('edits = "drop"', "sync.edits"),
        ('conflicts = "sheet"\nedits = "restore"', "sync.conflicts"),
        ('columns = ["id", "hotel"]', "sync.columns"),
        ('columns = ["id", "arrival", "arrival"]', "sync.columns"),
        ('columns = ["id", "arrival", "sync_state"]', "sync.columns"),
        ('amounts = ["price"]', "sync.amounts"),
        ('window_from = "13.5.2026"', "sync.window_from"),
        ('window_from = "2026-02-30"', "sync.window_from"),
        ('window_from = "2026-06-01"\nwindow_to = "2026-05-01"', "sync.window_to"),
        ("shrink_percent = 0", "sync.shrink_percent"),
        ('sheet_url = "http://x"', "sync.sheet_url"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_key(written, text, field):
    with pytest.raises(Invalid) as refused:
        load(written(text))
    assert refused.value.field == field


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Invalid, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
