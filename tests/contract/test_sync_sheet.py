import msgspec
import pytest
import urllib3

from doubles.google.services import create
from local.serve import running
from sync.api import Api
from sync.batch import Batch, NewRow, Target, entered
from sync.credentials import Access
from sync.failure import SyncFailed
from sync.plan import Row
from sync.settings import Settings
from sync.sheet import Sheet
from wire.secret import Secret

COLUMNS = ("id", "arrival", "rate")
HTTP = urllib3.PoolManager()
TITLE = "People's"


def unasked():
    raise AssertionError("the token's hour is not over")


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
        self.sheet = Sheet(Api(settings, Access(Secret(token), unasked)), settings)

    def read(self):
        return self.sheet.read(7)

    def load(self, *rows):
        self.sheet.load(TITLE, rows)

    def write(self, *targets, added=(), at=0):
        table = self.read()
        ours = {"places": table.places, "columns": self.sheet.reader.columns}
        batch = Batch(copy=99, tab=7, **ours, targets=targets, added=added, at=at, marked=True)
        return batch, self.sheet.write(batch, 1)

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
    table = desk.read()
    assert (table.places, table.rows) == ((), ())


def test_the_first_load_makes_the_header_and_stores_texts_as_they_are(desk):
    desk.load(("B1", "2026-05-13", 80.5, "=1+1"))
    table = desk.read()
    assert table.places == (0, 1, 2, 3)
    assert table.rows == (Row(2, "B1", ("B1", "2026-05-13", 80.5, "=1+1")),)


def test_a_grid_that_is_too_small_grows(google):
    wide = ("id", "arrival", *(f"c{n}" for n in range(30)))
    desk = Desk(google, wide, {"rowCount": 1, "columnCount": 2})
    desk.load(*[tuple(f"x{n}" for n in range(33))] * 3)
    assert len(desk.read().rows) == 3


def test_our_columns_are_found_by_their_headers_wherever_they_stand(desk):
    for place, text in zip("ABCDE", ("rate", "mine", "sync_state", "id", "arrival"), strict=True):
        desk.type(f"{place}1", text)
    desk.write(added=(NewRow("B1", ("B1", "2026-05-13", 80, "live")),), at=1)
    table = desk.read()
    assert table.places == (3, 4, 0, 2)
    assert table.rows[0].cells == ("B1", "2026-05-13", 80, "live")


def test_a_write_answers_what_it_met_and_so_does_its_copy_until_it_is_deleted(desk):
    desk.load(("B1", "2026-05-13", 80, "live"), ("B2", "2026-05-14", 90, "live"))
    batch, met = desk.write(Target(2, 2, "B2", "rate", 90, entered("")))
    assert [row.cells[2] for row in desk.read().rows] == [80, ""]
    assert met == desk.sheet.met(batch)
    assert met[2][2]["userEnteredValue"] == {"numberValue": 90}
    assert desk.sheet.shape().copies == {99: ".jada 99-1"}
    assert desk.sheet.shape().marks == desk.sheet.shape().copies
    desk.sheet.delete(batch)
    assert (desk.sheet.shape().copies, desk.sheet.shape().marks) == ({}, {})


def test_a_batch_whose_copy_a_user_deleted_is_carried_out_once_all_the_same_and_leaves_no_mark(desk):
    desk.load(("B1", "2026-05-13", 80, "live"))
    batch, _ = desk.write(Target(1, 2, "B1", "rate", 80, entered(81)))
    desk.sheet.delete(msgspec.structs.replace(batch, marked=False))
    assert (desk.sheet.shape().copies, desk.sheet.shape().marks) == ({}, {99: batch.title})
    with pytest.raises(SyncFailed, match="already exists"):
        desk.write(Target(1, 2, "B1", "rate", 81, entered(82)))
    desk.sheet.delete(batch)
    assert desk.sheet.shape().marks == {}


def test_the_same_batch_is_carried_out_once(desk):
    desk.load(("B1", "2026-05-13", 80, "live"))
    desk.write(Target(1, 2, "B1", "rate", 80, entered(81)))
    with pytest.raises(SyncFailed, match="already exists"):
        desk.write(Target(1, 2, "B1", "rate", 80, entered(82)))
    assert desk.read().rows[0].cells[2] == 81


@pytest.mark.parametrize(
    ("typed", "cell"), [("2026-05-14", "2026-05-14"), ("soon", "soon"), ("TRUE", "TRUE"), ("1.5", 1.5), ("", "")]
)
def test_what_a_person_types_into_a_day_is_read_as_a_day_or_as_it_is(desk, typed, cell):
    desk.load(("B1", "2026-05-13", 80, "live"))
    desk.type("B2", typed)
    assert desk.read().rows[0].cells[1] == cell


def test_rows_without_an_id_are_no_rows_of_ours_and_blanks_around_an_id_do_not_count(desk):
    desk.load(("B1", "2026-05-13", 80, "live"))
    desk.type("B4", "a note")
    desk.type("A2", "B1 ")
    assert [row.key for row in desk.read().rows] == ["B1"]


@pytest.mark.parametrize(("place", "text", "how"), [("C1", "price", "no column"), ("F1", "rate", "2 columns")])
def test_a_header_of_ours_that_is_missing_or_doubled_is_named(desk, place, text, how):
    desk.load(("B1", "2026-05-13", 80, "live"))
    desk.type(place, text)
    with pytest.raises(SyncFailed, match=rf"{how} with the header 'rate'"):
        desk.read()


def test_no_answer_is_reported_by_name_and_may_pass(desk):
    settings = Settings(bookings_url="http://b", spreadsheet_id="x", sheets_url="http://127.0.0.1:9")
    with pytest.raises(SyncFailed) as failed:
        Sheet(Api(settings, Access(Secret("t"), unasked)), settings).read(0)
    assert (failed.value.kind, failed.value.wait_s > 0) == ("sheets_unreachable", True)


def test_a_call_that_is_sent_again_with_another_token_is_asked_for_again(google, desk):
    """Getting that token took time, of which a lease may have had too little left."""
    settings = Settings(bookings_url="http://b", spreadsheet_id=desk.id, sheets_url=f"{google}/v4/spreadsheets")
    good = Secret(HTTP.request("POST", f"{google}/_local/tokens", json={}).json()["token"])
    asked, batch = [], Batch(copy=4711, tab=7, places=(), columns=())

    def once(path):
        asked.append(path)
        if len(asked) > 1:
            raise SyncFailed("lease_short", "x", "y")

    with pytest.raises(SyncFailed, match="lease_short"):
        Sheet(Api(settings, Access(Secret("taken away"), lambda: good), once), settings).delete(batch)
    assert asked == [":batchUpdate", ":batchUpdate"]
