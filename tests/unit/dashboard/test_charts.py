from datetime import date

import pytest

from dashboard import charts
from wire.types import Exit, Session, SyncOutcome, SyncRun

TODAY = date(2026, 5, 13)


def session(day, code=Exit.FINISHED, turns=10, **fields):
    at = f"{day}T12:00:00Z"
    return Session(id="S", task="T", host="h", started_at=at, updated_at=at, exit=code, turns=turns, **fields)


def run(outcome):
    return SyncRun(started_at="x", finished_at="y", outcome=SyncOutcome(outcome))


def test_each_day_counts_its_sessions_that_are_over():
    sessions = [
        session("2026-05-13"),
        session("2026-05-13", Exit.TURN_LIMIT, 30),
        session("2026-05-13", Exit.TURN_LIMIT, 12),
        session("2026-05-12", Exit.ASKED, suspended=True),
        session("2026-05-12", None),
        session("2026-05-10"),
        session("yesterday"),
    ]
    counted = charts.days(sessions, 30, TODAY, 3)
    assert [(day.day.day, day.finished, day.hits, day.others) for day in counted] == [
        (11, 0, 0, 0),
        (12, 0, 0, 0),
        (13, 1, 1, 1),
    ]


def test_bars_stand_on_each_other_and_the_highest_fills_the_chart():
    chart = charts.stacked([charts.Day(TODAY), charts.Day(TODAY, finished=2, hits=1, others=1)])
    assert chart.top == 4
    assert [bar.kind for bar in chart.bars] == ["finished", "other", "hit"]
    assert {bar.x for bar in chart.bars} == {charts.DAY}
    assert [bar.y for bar in chart.bars] == [charts.HEIGHT / 2, charts.HEIGHT / 4, 0]
    assert sum(bar.height for bar in chart.bars) == charts.HEIGHT


def test_days_without_sessions_draw_nothing():
    assert charts.stacked([charts.Day(TODAY)] * 28).bars == ()
    assert charts.stacked([]).bars == ()


def test_a_failed_run_is_told_from_others_by_its_height():
    chart = charts.strip([run("unchanged"), run("changed"), run("failed"), run("half")])
    assert [bar.kind for bar in chart.bars] == ["unchanged", "changed", "failed", "unknown"]
    assert [bar.height for bar in chart.bars[:3]] == sorted({bar.height for bar in chart.bars[:3]})
    assert all(bar.y + bar.height == charts.LINE for bar in chart.bars)


@pytest.mark.parametrize(("used", "limit", "share"), [(0, 5, 0), (1, 4, 0.25), (6, 5, 1), (0, 0, 1), (-1, 5, 0)])
def test_a_limit_is_filled_from_nothing_to_all(used, limit, share):
    assert charts.filled(used, limit) == share
