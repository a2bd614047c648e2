from datetime import UTC, datetime, timedelta

from sync.failure import SyncFailed
from sync.plan import Change, Conflict, Plan
from sync.report import FILE, report_lines, sync_run, write
from sync.run import Done
from sync.source.bookings import Aside
from wire.types import SyncRun
from wire.values import read

COLUMNS = ("id", "rate", "sync_state")
START = datetime(2026, 5, 13, 3, 0, tzinfo=UTC)
TIMES = (START, START + timedelta(seconds=4))
PLAN = Plan(
    added={f"A{n}": (f"A{n}", 1, "live") for n in range(7)},
    changes=(Change(2, "B1", {1: 90}), Change(3, "B2", {2: "removed"}), Change(4, "B3", {2: "duplicate"})),
    settled={},
    removed=("B2",),
    duplicates=("B3",),
    conflicts=(Conflict("B1", 1, 90, 75, written=True),),
)


def test_a_plan_is_reported_with_counts_and_a_few_examples():
    said = list(report_lines(PLAN, COLUMNS))
    assert said[0] == "rows added: 7 (A0; A1; A2; A3; A4; and 2 more)"
    assert said[1] == "rows changed: 1 (B1: rate = 90)"
    assert said[2] == "rows marked as removed: 1 (B2)"


def test_a_conflict_is_reported_in_full():
    assert list(report_lines(PLAN, COLUMNS))[-1] == (
        "conflict: booking B1, rate: source 90, sheet 75; the source's was written"
    )


def test_a_plan_without_anything_says_nothing():
    assert list(report_lines(Plan(added={}, changes=(), settled={}), COLUMNS)) == []


def test_a_verified_run_is_reported_with_its_counts():
    run = sync_run(Done(PLAN, 300), TIMES, START + timedelta(days=7))
    assert (run.outcome, run.rows_read, run.added, run.changed, run.removed, run.conflicts) == (
        "changed",
        300,
        7,
        1,
        1,
        1,
    )
    assert (run.started_at, run.token_dies_at) == ("2026-05-13T03:00:00Z", "2026-05-20T03:00:00Z")


def test_a_failed_run_is_reported_with_its_cause_and_cure():
    run = sync_run(SyncFailed("token_dead", "revoked", "again"), TIMES, None)
    assert (run.outcome, run.error, run.cause, run.cure) == ("failed", "token_dead", "revoked", "again")
    assert (run.finished_at, run.token_dies_at) == ("2026-05-13T03:00:04Z", None)


def test_records_that_were_set_aside_are_named_in_the_report_of_a_good_run():
    aside = tuple(Aside(place, f"B{place}", "rate: is no amount") for place in range(1, 23))
    run = sync_run(Done(PLAN, 300, aside), TIMES, None)
    assert (run.outcome, run.set_aside, run.error) == ("changed", 22, None)
    assert run.cause.startswith("set aside: record 1 (booking B1): rate: is no amount; set aside: record 2")
    assert run.cause.endswith("set aside: 2 more")


def test_a_further_row_of_a_booking_hides_no_change_of_it():
    plan = Plan(
        added={},
        changes=(Change(2, "B1", {1: 90}), Change(3, "B1", {2: "duplicate"})),
        settled={},
        duplicates=("B1",),
    )
    assert "rows changed: 1 (B1: rate = 90)" in list(report_lines(plan, COLUMNS))
    assert sync_run(Done(plan, 1), TIMES, None).changed == 1


def test_a_report_is_kept_on_the_disk_whole(tmp_path):
    run = sync_run(SyncFailed("token_dead", "revoked", "again"), TIMES, None)
    write(tmp_path, run)
    assert read(SyncRun, (tmp_path / FILE).read_bytes()) == run
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
