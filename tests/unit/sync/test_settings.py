from functools import partial

import pytest

from sync.settings import read
from wire import settings_file
from wire.values import Invalid

load = partial(settings_file.load, name="sync", read=read)

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


FIELDS = '[sync.fields]\nid = "number"\narrival = { path = "from", type = "date", format = "%d/%m/%Y" }\n'
HTTP = '[sync.source]\nkind = "http"\nurl = "http://b/x"\n'
ENDS, SLICED = 'window_from = "2026-05-01"\nwindow_to = "2026-06-01"\n', "[sync.source.window]\nslice_days = 30\n"
PARAMETERS = 'from_param = "from"\nto_param = "to"\n'
HALF_SLICED = [
    ENDS + HTTP + SLICED,
    ENDS + HTTP + SLICED + 'from_param = "from"\n',
    ENDS + HTTP + SLICED + 'to_param = "to"\n',
    HTTP + SLICED + PARAMETERS,
    'window_from = "2026-05-01"\n' + HTTP + SLICED + PARAMETERS,
    'window_to = "2026-05-01"\n' + HTTP + SLICED + PARAMETERS,
]
"""Slices of which an end, or the parameter that carries one, is not said."""
CSV, JSON_LINES = (f'[sync.source]\nkind = "file"\npath = "/x"\nformat = "{name}"\n' for name in ("csv", "jsonl"))


@pytest.fixture
def whole(tmp_path):
    def write(text):
        path = tmp_path / "jada.toml"
        path.write_text(f'[sync]\nspreadsheet_id = "abc"\n{text}')
        return load(path)

    return write


def test_a_table_of_fields_says_columns_paths_and_types(whole):
    settings = whole(HTTP + FIELDS)
    assert (settings.columns, settings.dates, settings.table["id"].path) == (("id", "arrival"), ("arrival",), "number")
    assert settings.origin.url == "http://b/x"


def test_a_sync_that_is_not_set_up_yet_needs_nothing_but_the_word(whole, tmp_path):
    (tmp_path / "jada.toml").write_text("[sync]\nenabled = false\n")
    assert not load(tmp_path / "jada.toml").enabled


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[sync.source]\nkind = "soap"\n', "sync.source.kind"),
        ('[sync.source]\nurl = "http://b"\n', "sync.source.kind"),
        ('source = "http://b"\n', "sync.source.kind"),
        ("bookings_url = 'http://b'\nfields = []\n", "sync.fields"),
        ("bookings_url = 'http://b'\nfields = ['id']\n", "sync.fields"),
        ('bookings_url = "http://b"\n' + HTTP, "sync.bookings_url"),
        (HTTP + "page = 1\n", "sync.source.page"),
        (HTTP + 'header_value = "Bearer"\n', "sync.source.header_value"),
        (HTTP + 'header = "X-API-Key:"\n', "sync.source.header"),
        (HTTP + 'header = ""\nheader_value = ""\n', "sync.source.header"),
        (HTTP + '[sync.source.paging]\nkind = "pages"\n', "sync.source.paging.kind"),
        (HTTP + '[sync.source.paging]\nkind = "page"\n', "sync.source.paging.param"),
        (HTTP + '[sync.source.paging]\nkind = "offset"\nparam = "o"\n', "sync.source.paging.size_param"),
        (HTTP + '[sync.source.paging]\nkind = "cursor"\nnext = "n"\n', "sync.source.paging.param"),
        (HTTP + '[sync.source.paging]\nkind = "cursor"\nparam = "c"\n', "sync.source.paging.next"),
        (HTTP + '[sync.source.paging]\nkind = "next_url"\n', "sync.source.paging.next"),
        (HTTP + "[sync.source.window]\nslice_days = 30\n", "sync.source.window.slice_days"),
        *((text, "sync.source.window.slice_days") for text in HALF_SLICED),
        (HTTP + 'in_body = true\nparameters = { page = 1, "page.size" = 9 }\n', "sync.source.parameters"),
        (HTTP + '[sync.source.exchange]\nurl = "nowhere"\n', "sync.source.exchange.url"),
        ('[sync.source]\nkind = "file"\npath = "x"\n', "sync.source.format"),
        ('[sync.source]\nkind = "command"\ncommand = []\n', "sync.source.command"),
        (HTTP + '[sync.fields]\nid = "n"\n', "sync.fields"),
        (HTTP + '[sync.fields]\nid = "n"\narrival = "from"\n', "sync.fields.arrival.type"),
        (HTTP + FIELDS + 'rate = { path = "x", type = "dollars" }\n', "sync.fields.rate.type"),
        (HTTP + FIELDS + 'rate = { path = "x", scale = 2 }\n', "sync.fields.rate.scale"),
        (HTTP + FIELDS + 'rate = { path = "x", format = "%d" }\n', "sync.fields.rate.format"),
        (HTTP + FIELDS + 'due = { path = "x", type = "date", format = "dd/mm" }\n', "sync.fields.due.format"),
        (HTTP + FIELDS + 'due = { path = "x", type = "instant", zone = "Lisbon" }\n', "sync.fields.due.zone"),
        (HTTP + FIELDS + 'due = { path = "x", type = "date", format = "epoch" }\n', "sync.fields.due.zone"),
        (HTTP + FIELDS + 'row = "#"\n', "sync.fields.row.path"),
        (JSON_LINES + FIELDS + 'row = "#"\n', "sync.fields.row.path"),
        ('columns = ["id", "arrival"]\n' + HTTP + FIELDS, "sync.columns"),
        ('bookings_url = "http://b"\ndates = []\n', "sync.dates"),
        ("", "sync.bookings_url"),
    ],
)
def test_a_source_that_can_t_be_read_is_refused_by_the_name_of_its_key(whole, text, field):
    with pytest.raises(Invalid) as refused:
        whole(text)
    assert refused.value.field == field


def test_slices_that_have_both_ends_and_their_parameters_are_taken(whole):
    assert whole(ENDS + HTTP + SLICED + PARAMETERS).source.window.slice_days == 30


def test_a_name_with_a_dot_stands_inside_another_only_in_a_body(whole):
    assert whole(HTTP + 'parameters = { page = 1, "page.size" = 9 }\n' + FIELDS).source.parameters["page.size"] == 9


@pytest.mark.parametrize(
    "text",
    [
        HTTP + FIELDS + 'at = { path = "x", type = "instant", format = "%d/%m/%Y %H:%M", zone = "Europe/Lisbon" }\n',
        HTTP + FIELDS + 'at = { path = "x", type = "instant", format = "epoch_ms" }\n',
        HTTP + FIELDS + 'rate = { path = "x", type = "money", scale = 2 }\n',
        CSV + FIELDS + 'row = "#"\n',
    ],
)
def test_a_field_that_its_type_allows_is_taken(whole, text):
    assert "id" in whole(text).columns


def test_the_columns_that_hold_money_come_from_the_fields_of_that_type(whole):
    assert whole(HTTP + FIELDS + 'rate = { path = "x", type = "money" }\n').amounts == ("rate",)


def test_a_section_that_is_no_table_is_refused_by_its_name():
    for section in ("bookings", ["source"], 3):
        with pytest.raises(Invalid) as refused:
            read(section)
        assert refused.value.field == "sync"
