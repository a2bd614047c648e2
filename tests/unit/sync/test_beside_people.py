"""People and the sync in one sheet: each fault that was seen, as its smallest scenario."""

import contextlib

import pytest

from sync.diff import plan_id, restore_lines
from sync.failure import SyncFailed
from sync.history import opened
from tests.people.desk import ACCOUNT, OURS, TAB, Desk, Killed

SOURCE = {f"B{n}": (f"2026-05-1{n}", f"guest {n}", 100.5 + n) for n in range(1, 5)}


@pytest.fixture
def desk(tmp_path):
    """A sheet in step, with people's note beside it, a total below it, and a table far to the right."""
    made = Desk(tmp_path)
    made.sync(SOURCE)
    made.type(0, 5, "note")
    made.type(2, 5, "likes the sea")
    made.type(6, 0, "Total")
    made.type(6, 3, "the sum")
    made.type(9, 10, "another table")
    made.requests.clear()
    return made


def changed(**guests):
    return {key: (cells[0], guests.get(key, cells[1]), cells[2]) for key, cells in SOURCE.items()}


def once(desk, act, at="POST :batchUpdate"):
    """Let people act just before the first request of a kind."""

    def before():
        if desk.requests[-1] == at:
            desk.before = lambda: None
            act()

    desk.before = before


def in_step(desk, source):
    """Whether the sheet shows the source, each booking once."""
    shown = [
        (row["id"], row.get("arrival"), row.get("guest"), row.get("rate"))
        for row in desk.rows()
        if row["id"] != "Total"
    ]
    return sorted(shown) == sorted((key, *cells) for key, cells in source.items())


def test_nothing_changed_is_one_reading(desk):
    assert not desk.sync(SOURCE).writes
    assert desk.requests == ["POST /values:batchGetByDataFilter"]


def test_a_change_is_five_calls_and_leaves_no_copy(desk):
    desk.sync(changed(B2="Ada"))
    kinds = [request.rpartition(":")[2] for request in desk.requests]
    assert kinds == ["batchGetByDataFilter", "GET", "batchUpdate", "batchUpdate", "batchGetByDataFilter"]
    assert desk.titles == ["Others", "Bookings"]
    assert in_step(desk, changed(B2="Ada"))


def test_a_new_booking_stands_above_the_total(desk):
    new = {**SOURCE, "B9": ("2026-05-19", "guest 9", 9.5)}
    desk.sync(new)
    assert [row["id"] for row in desk.rows()] == ["B1", "B2", "B3", "B4", "B9", "Total"]
    assert in_step(desk, new)


def test_rows_deleted_above_a_new_one_cost_the_total_nothing(desk):
    new = {**SOURCE, "B9": ("2026-05-19", "guest 9", 9.5)}
    once(desk, lambda: desk.delete("ROWS", 1, 2))
    desk.sync(new)
    assert in_step(desk, new)
    (total,) = [row for row in desk.rows() if row["id"] == "Total"]
    assert total["rate" if "rate" in total else "guest"] == "the sum"


def test_a_row_that_moved_up_under_our_write_gets_its_cell_back(desk):
    once(desk, lambda: desk.delete("ROWS", 2))
    desk.sync(changed(B4="Ada"))
    assert in_step(desk, changed(B4="Ada"))
    assert "Total" in desk.cells().values()
    assert [each.why for each in desk.told()] == ["misplaced", "restored"]


def test_a_blank_row_inserted_above_keeps_no_stray_guest(desk):
    once(desk, lambda: desk.insert("ROWS", 3))
    desk.sync(changed(B3="Ada"))
    assert in_step(desk, changed(B3="Ada"))
    assert list(desk.cells().values()).count("Ada") == 1


def test_a_column_moved_before_our_write_gets_its_note_back(desk):
    once(desk, lambda: desk.insert("COLUMNS", 1))
    desk.sync({**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)})
    assert in_step(desk, {**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)})
    assert "likes the sea" in desk.cells().values()
    assert list(desk.cells().values()).count("guest 9") == 1


def test_a_note_moved_under_our_write_is_put_back(desk):
    once(desk, lambda: desk.move("COLUMNS", 5, 2))
    desk.sync(changed(B2="Ada"))
    assert in_step(desk, changed(B2="Ada"))
    assert "likes the sea" in desk.cells().values()


def test_what_a_user_types_a_moment_before_our_write_is_reported(desk):
    once(desk, lambda: desk.type(2, 2, "typed by a user"))
    desk.sync(changed(B2="Ada"))
    assert in_step(desk, changed(B2="Ada"))
    assert [(each.why, each.booking, each.was) for each in desk.told()] == [("overwritten", "B2", "typed by a user")]


def test_what_a_user_types_a_moment_before_our_write_is_put_back_where_the_sheet_wins(desk):
    once(desk, lambda: desk.type(2, 2, "typed by a user"))
    desk.sync(changed(B2="Ada"), sheet_wins=True)
    assert desk.rows()[1]["guest"] == "typed by a user"


@pytest.mark.parametrize("typed", ["Ada", ""])
def test_over_what_we_would_have_written_and_over_nothing_no_one_lost_anything(desk, typed):
    once(desk, lambda: desk.type(2, 2, typed))
    desk.sync(changed(B2="Ada"))
    assert in_step(desk, changed(B2="Ada"))
    assert desk.told() == []


def test_a_cell_of_ours_in_a_wrong_place_that_a_user_overtypes_is_told_once_and_left_to_them(desk):
    def before():
        if len(desk.requests) == 3:
            desk.delete("ROWS", 1)  # the guest of B2 comes into the row of B3
        if len(desk.requests) == 5:
            desk.type(2, 2, "typed by a user")  # before it is looked for

    desk.before = before
    desk.sync(changed(B2="Ada"))
    assert in_step(desk, changed(B2="Ada", B3="typed by a user"))
    with opened(desk.folder, OURS) as history:
        assert history.strays() == {}
    told = len(desk.told())
    desk.sync(changed(B2="Ada"))
    assert len(desk.told()) == told


def test_what_a_user_types_a_moment_before_a_cell_is_put_back_stays(desk):
    def before():
        if len(desk.requests) == 3:
            desk.delete("ROWS", 1)  # the guest of B2 comes into the row of B3
        if len(desk.requests) == 7:
            desk.type(2, 2, "typed by a user")  # over that, as the guest of B3 is about to be put back

    desk.before = before
    desk.sync(changed(B2="Ada"))
    assert in_step(desk, changed(B2="Ada", B3="typed by a user"))
    assert [(each.why, each.was) for each in desk.told() if each.was == "typed by a user"] == [
        ("kept", "typed by a user"),
        ("restored", "typed by a user"),
    ]


def test_what_a_user_types_after_our_write_is_an_edit_and_stays(desk):
    desk.before = lambda: len(desk.requests) == 5 and desk.type(2, 2, "typed by a user")
    assert desk.sync(changed(B2="Ada")).edited == ("B2",)
    assert desk.rows()[1]["guest"] == "typed by a user"


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("done", [False, True])
def test_a_run_that_is_killed_anywhere_is_made_good_by_the_next(desk, at, done):
    def kill():
        if len(desk.requests) == at:
            raise Killed

    def act():
        if len(desk.requests) == 3:
            desk.delete("ROWS", 1)
        if not done:
            kill()

    desk.before, desk.after = act, kill if done else lambda: None
    source = changed(B3="Ada")
    with pytest.raises(Killed):
        desk.sync(source)
    desk.before = desk.after = lambda: None
    desk.later(minutes=30)
    desk.sync(source)
    assert in_step(desk, source)
    assert "the sum" in desk.cells().values()
    assert desk.titles == ["Others", "Bookings"]


def test_a_write_whose_answer_is_lost_and_that_comes_late_is_carried_out_once(desk):
    """The first try is still on its way when the second is sent: both begin with a copy of one id."""
    late = []

    def before():
        if desk.requests[-1] == "POST :batchUpdate" and not late:
            late.append(True)
            raise SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    desk.before = before
    new = {**SOURCE, "B9": ("2026-05-19", "guest 9", 9.5)}
    sent = []
    carry_out = desk.carry_out

    def sending(method, path="", query=None, body=None):
        if path == ":batchUpdate":
            sent.append((query, body))
        return carry_out(method, path, query, body)

    desk.carry_out = sending
    desk.sync(new)
    assert in_step(desk, new)
    copies = [title for title in desk.titles if title.startswith(".jada")]
    assert copies  # while the first may come, the copy stands in its way
    assert len(sent) == 1
    desk.later(minutes=10)
    desk.before = lambda: None
    desk.sync(new)
    assert desk.titles == ["Others", "Bookings"]


def test_the_tab_is_known_by_its_id(desk):
    properties = {"sheetId": TAB, "title": "Season 2026"}
    desk.do({"updateSheetProperties": {"properties": properties, "fields": "title"}})
    desk.sync(changed(B1="Ada"))
    assert in_step(desk, changed(B1="Ada"))


def on_our_tab(request_):
    """A request whose ranges, at any depth, are of the bookings' tab."""
    if not isinstance(request_, dict):
        return request_
    inner = {name: on_our_tab(value) for name, value in request_.items()}
    return inner | {"range": {**inner["range"], "sheetId": TAB}} if "range" in inner else inner


REFUSED = pytest.mark.parametrize(
    ("kind", "request_"),
    [
        (
            "sheet_merged",
            {
                "mergeCells": {
                    "range": {"startRowIndex": 1, "endRowIndex": 3, "startColumnIndex": 2, "endColumnIndex": 3}
                }
            },
        ),
        (
            "sheet_protected",
            {"addProtectedRange": {"protectedRange": {"range": {"startColumnIndex": 2, "endColumnIndex": 3}}}},
        ),
        ("sheet_protected", {"addProtectedRange": {"protectedRange": {"range": {}}}}),
        (
            "sheet_protected",
            {"addProtectedRange": {"protectedRange": {"range": {"startRowIndex": 6, "endRowIndex": 7}}}},
        ),
        (
            "sheet_table",
            {
                "addTable": {
                    "table": {
                        "name": "T",
                        "range": {"startRowIndex": 0, "endRowIndex": 5, "startColumnIndex": 0, "endColumnIndex": 5},
                    }
                }
            },
        ),
    ],
)


@REFUSED
def test_what_would_not_keep_a_write_is_refused_by_name_before_anything_is_written(desk, kind, request_):
    assert desk.do(on_our_tab(request_))
    before = desk.cells()
    with pytest.raises(SyncFailed) as failed:
        desk.sync(changed(B2="Ada", B3="Bob"))
    assert failed.value.kind == kind
    assert desk.cells() == before
    assert desk.titles == ["Others", "Bookings"]
    # On the wire: the sheet was read and its shape asked for, and nothing else was sent.
    assert set(desk.requests) == {"POST /values:batchGetByDataFilter", "GET"}


@pytest.mark.parametrize(
    "requests",
    [
        [
            {
                "setBasicFilter": {
                    "filter": {"range": {"sheetId": TAB, "startRowIndex": 0, "endRowIndex": 5, "endColumnIndex": 6}}
                }
            }
        ],
        [
            {
                "updateDimensionProperties": {
                    "range": {"sheetId": TAB, "dimension": "ROWS", "startIndex": 1, "endIndex": 3},
                    "properties": {"hiddenByUser": True},
                    "fields": "hiddenByUser",
                }
            }
        ],
        [
            {
                "updateSheetProperties": {
                    "properties": {"sheetId": TAB, "gridProperties": {"frozenRowCount": 1}},
                    "fields": "gridProperties.frozenRowCount",
                }
            }
        ],
        [
            {
                "mergeCells": {
                    "range": {
                        "sheetId": TAB,
                        "startRowIndex": 9,
                        "endRowIndex": 11,
                        "startColumnIndex": 0,
                        "endColumnIndex": 3,
                    }
                }
            }
        ],
        [
            {
                "setDataValidation": {
                    "range": {
                        "sheetId": TAB,
                        "startRowIndex": 1,
                        "endRowIndex": 5,
                        "startColumnIndex": 2,
                        "endColumnIndex": 3,
                    },
                    "rule": {"condition": {"type": "NOT_BLANK"}, "strict": True},
                }
            }
        ],
        [
            {
                "addBanding": {
                    "bandedRange": {
                        "range": {"sheetId": TAB, "startRowIndex": 0, "endRowIndex": 5},
                        "rowProperties": {},
                    }
                }
            }
        ],
        [
            {
                "repeatCell": {
                    "range": {
                        "sheetId": TAB,
                        "startRowIndex": 2,
                        "endRowIndex": 3,
                        "startColumnIndex": 2,
                        "endColumnIndex": 3,
                    },
                    "cell": {"note": "call first"},
                    "fields": "note",
                }
            }
        ],
        [
            {
                "addProtectedRange": {
                    "protectedRange": {"range": {"sheetId": TAB, "endColumnIndex": 5}, "warningOnly": True}
                }
            }
        ],
        [
            {
                "addProtectedRange": {
                    "protectedRange": {"range": {"sheetId": TAB}, "editors": {"users": [ACCOUNT, "boss@hotel.example"]}}
                }
            }
        ],
        [
            {
                "mergeCells": {
                    "range": {
                        "sheetId": TAB,
                        "startRowIndex": 1,
                        "endRowIndex": 5,
                        "startColumnIndex": 6,
                        "endColumnIndex": 8,
                    }
                }
            }
        ],
        [
            {
                "addTable": {
                    "table": {
                        "name": "Rooms",
                        "range": {
                            "sheetId": TAB,
                            "startRowIndex": 8,
                            "endRowIndex": 12,
                            "startColumnIndex": 6,
                            "endColumnIndex": 9,
                        },
                    }
                }
            }
        ],
    ],
)
def test_what_people_do_with_a_sheet_is_worked_with(desk, requests):
    assert desk.do(*requests)
    new = {**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)}
    desk.sync(new)
    assert in_step(desk, new)
    assert [row["id"] for row in desk.rows()][-1] == "Total"


def test_no_room_for_the_copy_is_said_before_anything_is_written(desk):
    size = {"rowCount": 20, "columnCount": 20}
    small = {"properties": {"sheetId": 0, "gridProperties": size}, "fields": "gridProperties"}
    huge = {"title": "Huge", "gridProperties": {"rowCount": 99_990, "columnCount": 100}}
    assert desk.do({"updateSheetProperties": small}, {"addSheet": {"properties": huge}})
    before = desk.cells()
    with pytest.raises(SyncFailed) as failed:
        desk.sync(changed(B2="Ada"))
    assert (failed.value.kind, desk.cells() == before) == ("sheet_full", True)
    assert desk.requests == ["POST /values:batchGetByDataFilter", "GET"]


@REFUSED
def test_what_would_not_keep_a_first_load_is_refused_by_name_before_anything_is_written(tmp_path, kind, request_):
    desk = Desk(tmp_path)
    assert desk.do(on_our_tab(request_))
    before = desk.cells()
    with pytest.raises(SyncFailed) as failed:
        desk.sync(SOURCE)
    assert (failed.value.kind, bool(failed.value.cure), desk.cells()) == (kind, True, before)
    assert set(desk.requests) == {"POST /values:batchGetByDataFilter", "GET"}


def test_merged_cells_beside_the_columns_of_bookings_are_no_reason_to_refuse_a_first_load(tmp_path):
    desk = Desk(tmp_path)
    aside = {"startRowIndex": 1, "endRowIndex": 3, "startColumnIndex": 8, "endColumnIndex": 10}
    assert desk.do(on_our_tab({"mergeCells": {"range": aside}}))
    desk.sync(SOURCE)
    assert in_step(desk, SOURCE)


def test_an_empty_tab_is_filled_in_one_call_and_nothing_typed_meanwhile_is_lost(tmp_path):
    desk = Desk(tmp_path)
    once(desk, lambda: desk.type(2, 1, "typed by a user"), "POST /values/%27Bookings%27:append")
    with pytest.raises(SyncFailed) as failed:
        desk.sync(SOURCE)
    assert failed.value.kind == "sheet_header"
    assert "typed by a user" in desk.cells().values()
    desk.delete("ROWS", 0, 3)
    desk.delete("COLUMNS", 0, 1)
    desk.sync(SOURCE)
    assert in_step(desk, SOURCE)
    assert [desk.tab.rows[0][c].value for c in range(5)] == list(OURS)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("comes", [1, 2, 3, 100])
def test_a_first_load_that_comes_late_is_there_once(tmp_path, killed, comes):
    """It can't begin with a copy: nothing is sent again while it may come."""
    desk = Desk(tmp_path)

    def lose():
        if desk.requests[-1].endswith(":append"):
            desk.delay(comes)
            desk.before = lambda: None
            raise Killed if killed else SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    desk.before = lose
    for _ in range(3):
        with contextlib.suppress(SyncFailed, Killed):
            desk.sync(SOURCE)
    desk.later(minutes=10)
    desk.sync(SOURCE)
    assert in_step(desk, SOURCE)
    assert len(desk.rows()) == len(SOURCE)


@pytest.mark.parametrize("done", [False, True])
def test_a_first_load_without_an_answer_is_sent_again_only_by_a_later_run(tmp_path, done):
    desk = Desk(tmp_path)

    def lose():
        if desk.requests[-1].endswith(":append"):
            desk.before = desk.after = lambda: None
            raise SyncFailed("sheets_down", "x", "y", wait_s=1)

    if done:
        desk.after = lose
        desk.sync(SOURCE)
    else:
        desk.before = lose
        for _ in range(2):
            with pytest.raises(SyncFailed, match="sheets_unreachable: cause: the first load of the sheet, sent at"):
                desk.sync(SOURCE)
        desk.later(minutes=30)
        desk.sync(SOURCE)
    assert in_step(desk, SOURCE)
    assert sum(request.endswith(":append") for request in desk.requests) == 2 - done
    # The sync's lease is given up only by a run that leaves nothing under way.
    desk.later(minutes=30)
    desk.sync(SOURCE)
    with opened(tmp_path, OURS) as history:
        assert not history.is_under_way


def test_a_first_load_that_google_refused_is_sent_again_at_once(tmp_path):
    desk = Desk(tmp_path)
    protect = {"addProtectedRange": {"protectedRange": {"protectedRangeId": 5, "range": {"sheetId": TAB}}}}
    once(desk, lambda: desk.do(protect), "POST /values/%27Bookings%27:append")
    with pytest.raises(SyncFailed, match="sheet_protected"):
        desk.sync(SOURCE)
    desk.do({"deleteProtectedRange": {"protectedRangeId": 5}})
    desk.sync(SOURCE)
    assert in_step(desk, SOURCE)


def test_a_stray_that_cannot_be_found_again_is_reported_until_someone_has_looked(desk):
    def hide():
        desk.before = lambda: None
        desk.before = vanish
        desk.insert("ROWS", 2)

    def vanish():
        if len(desk.requests) == 5:
            # Two rows like the stray's: which of them is ours can't be told.
            desk.type(9, 2, "Ada")

    once(desk, hide)
    with pytest.raises(SyncFailed) as failed:
        desk.sync(changed(B2="Ada"))
    assert failed.value.kind == "sheet_stray"
    with pytest.raises(SyncFailed, match="sheet_stray"):
        desk.sync(changed(B2="Ada"))


def test_a_plan_that_was_printed_is_written_and_no_more_than_it(desk):
    new = changed(B2="Ada")
    name = plan_id(desk.preview(new)[0])
    once(desk, lambda: desk.delete("ROWS", 4))  # the row of another booking goes while the run writes
    with pytest.raises(SyncFailed, match=r"plan_changed.* a new row of booking B4 was not printed"):
        desk.sync(new, printed=name)
    assert [row["id"] for row in desk.rows()] == ["B1", "B2", "B3", "Total"]
    with pytest.raises(SyncFailed, match=r"plan_changed.*nothing was written"):
        desk.sync(new, printed=name)
    name = plan_id(desk.preview(new)[0])
    assert set(desk.sync(new, printed=name).added) == {"B4"}
    assert in_step(desk, new)


def test_what_an_earlier_run_left_to_be_put_right_is_printed_and_no_part_of_a_plan(desk):
    def kill():
        if len(desk.requests) == 4:
            raise Killed

    desk.after = kill
    once(desk, lambda: desk.move("ROWS", 1, 4))
    with pytest.raises(Killed):
        desk.sync(changed(B2="Ada"))
    desk.after = lambda: None
    new = changed(B2="Ada", B4="Dan")
    plan, restores = desk.preview(new)
    (line,) = restore_lines(restores)
    assert line == '^ row 3, guest: "Ada" -> "guest 3" (a write of an earlier run came there)'
    before = desk.cells()
    with pytest.raises(SyncFailed, match="plan_changed: cause: 1 cell that an earlier run wrote into a wrong place"):
        desk.sync(new, printed=plan_id(plan))
    assert desk.cells() == before
    desk.sync(new)
    assert in_step(desk, new)
    assert desk.preview(new)[1] == ()


@pytest.fixture
def killed(desk):
    """A run that was killed while its batch was on its way; a user types into one of its cells before it arrives."""

    def kill():
        if desk.requests[-1] == "POST :batchUpdate":
            desk.delay(100)
            raise Killed

    desk.before = kill
    with pytest.raises(Killed):
        desk.sync({**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)})
    desk.requests.clear()
    desk.type(2, 2, "typed by a user")
    desk.before = lambda: None
    return desk


@pytest.mark.parametrize("at", range(1, 8))
def test_a_batch_that_comes_late_while_the_next_run_is_at_any_of_its_requests_is_judged(killed, at):
    """The killed run's batch arrives after the next run's replay has seen no copy, or at any other moment."""
    killed.before = lambda: len(killed.requests) == at and killed.arrive()
    new = {**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)}
    killed.sync(new)
    killed.before = lambda: None
    assert in_step(killed, new)
    assert [(each.why, each.was) for each in killed.told()] == [("overwritten", "typed by a user")]
    killed.later(minutes=10)
    killed.sync(new)
    assert killed.titles == ["Others", "Bookings"]
    assert in_step(killed, new)


@pytest.mark.parametrize(
    ("act", "astray"),
    [
        (lambda desk: None, []),
        (lambda desk: desk.move("ROWS", 1, 4), ["B2"]),
        (lambda desk: desk.move("COLUMNS", 5, 2), ["B2"]),
        (lambda desk: desk.delete("COLUMNS", 1), ["B2"]),  # and one of our headers with it
    ],
)
def test_a_write_of_a_killed_run_whose_copy_a_user_deleted_is_told_and_what_went_astray_until_someone_looked(
    killed, act, astray
):
    act(killed)
    killed.arrive()
    assert killed.do({"deleteSheet": {"sheetId": 1001}})
    new = {**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)}
    with pytest.raises(SyncFailed, match="sheet_copy_gone: cause: a user deleted the copy"):
        killed.sync(new)
    assert ("unproven", "B2", "guest 2") in [(each.why, each.booking, each.was) for each in killed.told()]
    with opened(killed.folder, OURS) as history:
        assert [each.booking for each in history.strays().values() if not each.unit] == astray
    if "arrival" not in killed.cells().values():
        killed.type(0, 9, "arrival")
    for _ in range(2):
        with pytest.raises(SyncFailed, match="sheet_stray") if astray else contextlib.nullcontext():
            killed.sync(new)


@pytest.mark.parametrize("at", ["in the same run", "between two runs"])
def test_a_batch_that_comes_after_it_was_sent_again_adds_nothing_twice(desk, at):
    """Both begin with a copy of one id, and a spreadsheet has room for one."""

    def lose():
        if desk.requests[-1] == "POST :batchUpdate":
            desk.delay(3 if at == "in the same run" else 100)
            desk.before = lambda: None
            raise SyncFailed("sheets_unreachable", "x", "y", wait_s=1)

    desk.before = lose
    new = {**changed(B2="Ada"), "B9": ("2026-05-19", "guest 9", 9.5)}
    desk.sync(new)
    desk.arrive()
    assert in_step(desk, new)
    desk.later(minutes=30)
    assert not desk.sync(new).writes
    assert desk.titles == ["Others", "Bookings"]
