import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from dashboard import rules
from dashboard.record import RESTORE, BudgetChange, Damaged, FamilyBudget, Lost, Move, budget_change, digest, moment
from wire.times import stamp
from wire.types import Budget, NewTask, State
from wire.values import Invalid

NOON = "2026-05-13T12:00:00Z"
RECORD = rules.draft(NewTask(title="t"), "01TASK", moment(NOON, "now"))


def record(*, task=None, **fields):
    return replace(RECORD, task=replace(RECORD.task, **task or {}), **fields)


@pytest.mark.parametrize(
    "text", ["2026-05-13T12:00:00Z", "2026-05-13T14:00:00+02:00", "2026-05-13T12:00:00.999Z", "20260513T120000Z"]
)
def test_a_time_is_one_text_however_it_was_written(text):
    assert stamp(moment(text, "at")) == "2026-05-13T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "2026-05-13",
        "2026-05-13T12:00:00",
        "9999-12-31T23:59:59-01:00",
        "1999-12-31T23:59:59Z",
        "2099-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_is_refused_by_its_fields_name(text):
    with pytest.raises(Invalid) as refused:
        moment(text, "not_before")
    assert refused.value.field == "not_before"


def test_times_sort_as_their_texts():
    zone = timezone(timedelta(hours=-9))
    times = [datetime(year, 1, 1, hour, tzinfo=zone) for year in (999, 2026) for hour in (3, 20)]
    assert sorted(stamp(time) for time in times) == [stamp(time.astimezone(UTC)) for time in times]


@pytest.mark.parametrize("text", ["2000-01-01T00:00:00Z", "2098-12-31T23:59:59Z"])
def test_the_first_and_the_last_time_that_can_be_meant_are_read(text):
    assert stamp(moment(text, "at")) == text


@pytest.fixture
def in_tokyo(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("text", [NOON, "2098-12-31T23:59:59Z"])
def test_a_hosts_own_time_zone_changes_no_time(text):
    assert stamp(moment(text, "at")) == text


def test_a_queued_task_is_ready_at_once_or_when_its_time_has_come():
    assert record().ready_at is None
    assert record(task={"not_before": NOON}).ready_at == moment(NOON, "noon").timestamp()


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED, State.NEEDS_YOU, State("paused")])
def test_what_is_neither_queued_nor_running_is_ready_at_no_time(state):
    assert record(task={"state": state, "not_before": NOON}).ready_at is None


USED = record(
    task={"sessions_used": 1, "usd_micros_spent": 40}, granted=Budget(sessions=5, usd_micros=900), reserved=60
)


@pytest.mark.parametrize(
    ("move", "change"),
    [
        ({}, BudgetChange()),
        ({"granted": Budget(sessions=7, usd_micros=1000)}, BudgetChange(sessions=2, usd_micros=100)),
        ({"reserved": 0}, BudgetChange(usd_micros=60, reserved=-60)),
        ({"reserved": 70}, BudgetChange(usd_micros=-10, reserved=10)),
        ({"task": replace(USED.task, sessions_used=3)}, BudgetChange(sessions=-2)),
        ({"task": replace(USED.task, usd_micros_spent=90)}, BudgetChange(usd_micros=-50)),
        ({"task": replace(USED.task, usd_micros_spent=100), "reserved": 0}, BudgetChange(reserved=-60)),
    ],
)
def test_a_family_gains_what_is_granted_and_loses_what_is_used_or_reserved(move, change):
    assert budget_change(USED, replace(USED, **move)) == change


def test_a_move_reads_its_familys_budget_where_that_decides():
    left = FamilyBudget(sessions=3, usd_micros=50)
    reserve = Move(lambda record, budget: replace(record, reserved=budget.usd_micros), needs_budget=True)
    moved = reserve.applied(RECORD, left)
    assert (moved.record.reserved, moved.budget) == (50, BudgetChange(usd_micros=-50, reserved=50))
    with pytest.raises(ValueError, match="needs the family's budget"):
        reserve.applied(RECORD)


def test_a_move_that_needs_no_budget_finds_none_to_give_away():
    take_all = Move(lambda record, budget: replace(record, reserved=budget.sessions + budget.usd_micros))
    assert take_all.applied(RECORD).record.reserved == 0


def test_a_queue_that_is_lost_or_damaged_says_what_and_how_to_get_it_back():
    lost, damaged = Lost("it is gone"), Damaged("01TASK", "no JSON")
    assert (str(lost), lost.cure) == ("it is gone", RESTORE)
    assert all(word in str(damaged) for word in ("01TASK", "no JSON", "backup"))
    assert damaged.task_id == "01TASK"


def test_a_blob_is_named_by_the_sha_256_of_its_content():
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
