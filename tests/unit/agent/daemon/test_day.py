import pytest

from agent.daemon.day import Day
from wire.values import Invalid

NOON = 1_778_673_600.0  # 2026-05-13T12:00:00Z


def test_a_day_begins_with_nothing_used(tmp_path):
    used = Day(tmp_path / "state.json", lambda: NOON).used
    assert (used.day, used.sessions, used.spent) == ("2026-05-13", (), 0)


def test_what_was_counted_twice_counts_once(tmp_path):
    day = Day(tmp_path / "state.json", lambda: NOON)
    for _ in range(2):
        day.begin("A")
        day.spend("A", 1, 300)
    day.spend("A", 2, 50)
    assert (day.used.sessions, day.used.spent) == (("A",), 350)


def test_the_counters_outlive_the_daemon_until_midnight_utc(tmp_path):
    Day(tmp_path / "state.json", lambda: NOON).begin("A")
    assert Day(tmp_path / "state.json", lambda: NOON + 43_199).used.sessions == ("A",)
    assert Day(tmp_path / "state.json", lambda: NOON + 43_200).used.sessions == ()


def test_a_damaged_file_is_told_by_name(tmp_path):
    (tmp_path / "state.json").write_text('{"day": ')
    with pytest.raises(Invalid, match=r"state\.json: is no JSON"):
        _ = Day(tmp_path / "state.json", lambda: NOON).used
