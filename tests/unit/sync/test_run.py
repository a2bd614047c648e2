import pytest

from sync.failure import SyncFailed
from sync.plan import Row
from sync.run import _compare, require_writable, secret
from sync.settings import Settings
from sync.sheet import Sheet
from sync.source.bookings import Aside, Bookings
from tests.people import desk as people
from tests.people.desk import Desk

SETTINGS = Settings(bookings_url="http://b", spreadsheet_id="x", columns=("id", "arrival", "rate"), dates=("arrival",))
SOURCE = {"B1": ("2026-05-13", "Ada", 80)}
CHANGED = {"B1": ("2026-05-13", "Ada", 90)}


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    made.sync(SOURCE)
    made.requests.clear()
    return made


def failing(desk, times, **how):
    """Let the next requests fail before they are carried out."""
    left = [SyncFailed("sheets_down", "x", "y", **how)] * times

    def before():
        if left:
            raise left.pop()

    desk.before = before


def test_what_was_written_is_read_again_before_it_counts(desk):
    desk.sync(CHANGED)
    assert desk.requests[-1] == "POST /values:batchGetByDataFilter"


def test_a_sheet_that_does_not_keep_what_is_written_is_reported_by_its_cell(desk):
    """A script of the sheet types the old rate again, whenever we read."""
    desk.after = lambda: desk.requests[-1] == "POST :batchUpdate" and desk.type(1, 4, "mine")
    with pytest.raises(SyncFailed, match="booking B1, sync_state: wrote 'live', reads 'mine'") as failed:
        desk.sync(CHANGED)
    assert failed.value.kind == "sheet_not_verified"


def test_an_outage_that_passes_is_waited_for(desk):
    failing(desk, 2, wait_s=2)
    desk.sync(CHANGED)
    assert (desk.rows()[0]["rate"], desk.pauses) == (90, [2, 4])


def test_an_outage_that_lasts_ends_the_run_by_its_name(desk):
    failing(desk, 9, wait_s=2)
    with pytest.raises(SyncFailed, match="sheets_down"):
        desk.sync(CHANGED)
    assert desk.pauses == [2, 4, 8]


def test_what_does_not_pass_is_not_tried_again(desk):
    failing(desk, 9)
    with pytest.raises(SyncFailed, match="sheets_down"):
        desk.sync(CHANGED)
    assert len(desk.requests) == 1


def test_a_refusal_that_stays_ends_the_run(desk):
    desk.before = lambda: desk.do({"addProtectedRange": {"protectedRange": {"range": {"sheetId": 7}}}})
    with pytest.raises(SyncFailed, match="sheet_protected"):
        desk.sync(CHANGED)
    assert desk.rows()[0]["rate"] == 80


def test_a_secret_is_read_without_its_line_end_and_never_shown(tmp_path):
    (tmp_path / "bookings_token").write_text("hush\n")
    found = secret(tmp_path, "bookings_token")
    assert (found.reveal(), "hush" in repr(found)) == ("hush", False)


@pytest.mark.parametrize("aside", [Aside(1, "B1", "rate: bad"), Aside(1, None, "record 1 has no id")])
def test_a_booking_that_could_not_be_read_is_neither_changed_nor_marked_as_removed(aside):
    base = {"B1": ("B1", "2026-05-13", 80, "live")}
    bookings = Bookings({} if aside.key else {"B2": ("B2", "2026-05-14", 1)}, (aside,))
    found = _compare(SETTINGS, bookings, (Row(2, "B1", base["B1"]),), base)
    assert (found.changes, found.removed, found.settled["B1"]) == ((), (), base["B1"])


def test_a_booking_that_is_cancelled_is_marked_as_removed_and_not_taken_for_a_shrunken_source():
    rows = tuple(Row(n, f"B{n}", (f"B{n}", "2026-05-13", 80, "live")) for n in range(2, 22))
    base = {row.key: row.cells for row in rows}
    live = {"B2": base["B2"][:-1]}
    with pytest.raises(SyncFailed, match="no longer 19 of those"):
        _compare(SETTINGS, Bookings(live), rows, base)
    cancelled = Bookings(live, cancelled=frozenset(base.keys() - {"B2"}))
    assert len(_compare(SETTINGS, cancelled, rows, base).removed) == 19


def require_desk_writable(desk, call=None):
    require_writable(Sheet(call or desk.call, people.SETTINGS), "x", 4711)


def test_a_sheet_that_takes_a_write_is_left_as_it_is(desk):
    before = desk.carry_out("GET")
    require_desk_writable(desk)
    assert desk.carry_out("GET") == before
    assert desk.requests == ["GET", "POST :batchUpdate"]


def test_a_reader_can_not_write(desk):
    def as_reader(method, path="", query=None, body=None):
        return desk.carry_out(method, path, query, body, account=people.READER)

    with pytest.raises(SyncFailed) as failed:
        require_desk_writable(desk, as_reader)
    assert failed.value.kind == "sheet_forbidden"


def test_a_tab_with_a_range_that_is_not_ours_is_not_writable(desk):
    desk.do({"addProtectedRange": {"protectedRange": {"range": {"sheetId": 7}}}})
    with pytest.raises(SyncFailed, match="sheet_protected"):
        require_desk_writable(desk)


def test_a_tab_that_is_not_there_is_not_writable(desk):
    desk.do({"updateSheetProperties": {"properties": {"sheetId": 7, "title": "Other"}, "fields": "title"}})
    with pytest.raises(SyncFailed, match="worksheet_missing"):
        require_desk_writable(desk)
