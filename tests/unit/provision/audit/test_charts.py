from datetime import timedelta

from provision.audit import charts
from provision.audit.report import SPAN
from tests.unit.provision.audit.conftest import NOW, points, run
from wire.types import SessionsOfDay, SyncOutcome


def test_a_metric_fills_its_time_and_no_more():
    drawn = charts.metric("CPU", points(50.0, maximum=100.0), "Percent", NOW, SPAN, None)
    levels = [bar for bar in drawn.bars if bar.kind == "level"]
    assert all(0 <= bar.x <= charts.WIDTH for bar in levels)
    assert {bar.height for bar in levels} == {charts.HEIGHT / 2}
    assert {bar.y for bar in drawn.bars if bar.kind == "peak"} == {0.0}
    assert (drawn.top, drawn.begin, drawn.end) == ("100 %", "16:00", "18:00 UTC")


def test_a_point_from_before_the_span_is_not_drawn():
    old = [type(point)(point.at - timedelta(days=1), point.average, point.maximum) for point in points(1.0)]
    assert charts.metric("CPU", old, "Percent", NOW, SPAN, None).bars == ()


def test_nothing_but_zeros_has_no_height():
    assert {bar.height for bar in charts.metric("x", points(0.0), "Count", NOW, SPAN, None).bars} == {0.0, 0.8}


def test_the_kinds_of_a_days_sessions_stand_upon_each_other():
    found = charts.sessions([SessionsOfDay(day="2026-05-13", finished=1, hits=2, others=1)])
    assert [bar.kind for bar in found.bars] == ["good", "other", "hit"]
    assert sum(bar.height for bar in found.bars) == charts.HEIGHT
    assert found.bars[-1].y == 0


def test_a_failed_run_hangs_from_above():
    found = charts.syncs([run(5, SyncOutcome.FAILED), run(35, SyncOutcome.CHANGED), run(65)])
    assert [(bar.kind, bar.y == 0) for bar in found.bars] == [("good", False), ("good", False), ("hit", True)]
