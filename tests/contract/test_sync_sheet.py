import pytest
import urllib3
from google.oauth2.credentials import Credentials

from doubles.google.app import create
from local.serve import running
from sync.failure import SyncFailed
from sync.plan import Change, Row
from sync.settings import Settings
from sync.sheet import Sheet

COLUMNS = ("id", "arrival", "rate")
HTTP = urllib3.PoolManager()
TITLE = "People's"


class Desk:
    """One sheet of our three columns in the double, seen by the sync and by a person."""

    def __init__(self, url, columns=COLUMNS, grid=None):
        self.url = url
        token = HTTP.request("POST", f"{url}/_local/tokens", json={}).json()["token"]
        made = {"sheets": [{"properties": {"title": TITLE, "sheetId": 7, "gridProperties": grid or {}}}]}
        head = {"Authorization": f"Bearer {token}"}
        self.id = HTTP.request("POST", f"{url}/v4/spreadsheets", json=made, headers=head).json()["spreadsheetId"]
        settings = Settings(
            bookings_url="http://b",
            spreadsheet_id=self.id,
            worksheet=TITLE,
            sheets_url=f"{url}/v4/spreadsheets",
            columns=columns,
        )
        self.sheet = Sheet(settings, Credentials(token=token))

    def type(self, place, value):
        edit = {"range": f"'People''s'!{place}", "value": value}
        HTTP.request("POST", f"{self.url}/_local/spreadsheets/{self.id}/people", json=edit)


@pytest.fixture
def google(tmp_path):
    with running(create(tmp_path)) as url:
        yield url


@pytest.fixture
def desk(google):
    return Desk(google)


def test_an_empty_sheet_has_no_places_and_no_rows(desk):
    table = desk.sheet.read()
    assert (table.places, table.rows) == ((), ())


def test_the_first_write_makes_the_header(desk):
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80.5, "live")], [])
    table = desk.sheet.read()
    assert table.places == (0, 1, 2, 3)
    assert table.rows == (Row(2, "B1", ("B1", "2026-05-13", 80.5, "live")),)


def test_a_grid_that_is_too_small_grows(google):
    wide = ("id", "arrival", *(f"c{n}" for n in range(30)))
    desk = Desk(google, wide, {"rowCount": 1, "columnCount": 2})
    desk.sheet.write(desk.sheet.read(), [tuple(f"x{n}" for n in range(33))] * 3, [])
    assert len(desk.sheet.read().rows) == 3


def test_our_columns_are_found_by_their_headers_wherever_they_stand(desk):
    for place, text in zip("ABCDE", ("rate", "mine", "sync_state", "id", "arrival"), strict=True):
        desk.type(f"{place}1", text)
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80, "live")], [])
    table = desk.sheet.read()
    assert table.places == (3, 4, 0, 2)
    assert table.rows[0].cells == ("B1", "2026-05-13", 80, "live")


def test_a_change_reaches_its_cell_alone(desk):
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80, "live"), ("B2", "2026-05-14", 90, "live")], [])
    desk.sheet.write(desk.sheet.read(), [], [Change(3, "B2", {2: ""})])
    assert [row.cells[2] for row in desk.sheet.read().rows] == [80, ""]


@pytest.mark.parametrize(
    ("typed", "cell"), [("2026-05-14", "2026-05-14"), ("soon", "soon"), ("TRUE", "TRUE"), ("1.5", 1.5), ("", "")]
)
def test_what_a_person_types_into_a_day_is_read_as_a_day_or_as_it_is(desk, typed, cell):
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80, "live")], [])
    desk.type("B2", typed)
    assert desk.sheet.read().rows[0].cells[1] == cell


def test_rows_without_an_id_are_no_rows_of_ours_and_blanks_around_an_id_do_not_count(desk):
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80, "live")], [])
    desk.type("B4", "a note")
    desk.type("A2", "B1 ")
    assert [row.key for row in desk.sheet.read().rows] == ["B1"]


@pytest.mark.parametrize(("place", "text", "how"), [("C1", "price", "no column"), ("F1", "rate", "2 columns")])
def test_a_header_of_ours_that_is_missing_or_doubled_is_named(desk, place, text, how):
    desk.sheet.write(desk.sheet.read(), [("B1", "2026-05-13", 80, "live")], [])
    desk.type(place, text)
    with pytest.raises(SyncFailed, match=rf"{how} with the header 'rate'"):
        desk.sheet.read()


def test_nobody_answering_is_told_by_name_and_may_pass(desk):
    settings = Settings(bookings_url="http://b", spreadsheet_id="x", sheets_url="http://127.0.0.1:9")
    with pytest.raises(SyncFailed) as failed:
        Sheet(settings, Credentials(token="t")).read()
    assert (failed.value.kind, failed.value.wait_s > 0) == ("sheets_unreachable", True)
