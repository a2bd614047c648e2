import pytest

from agent.daemon.day import Day
from wire.types import HostDay
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


def test_a_clock_that_steps_back_finds_what_its_date_had_used(tmp_path):
    now = [NOON]
    day = Day(tmp_path / "state.json", lambda: now[0])
    day.begin("A")
    day.spend("A", 1, 9_000_000)
    now[0] = NOON + 86_400
    day.begin("B")
    now[0] = NOON
    assert (day.used.sessions, day.used.spent) == (("A",), 9_000_000)
    day.begin("C")
    now[0] = NOON + 86_400
    assert day.used.sessions == ("B",)
    now[0] = NOON
    assert day.used.sessions == ("A", "C")


def test_a_session_counts_once_on_the_day_on_which_it_first_began(tmp_path):
    now = [NOON]
    day = Day(tmp_path / "state.json", lambda: now[0])
    day.begin("A")
    now[0] = NOON + 86_400
    day.begin("A")
    assert (day.used.sessions, day.knows("A"), day.knows("B")) == ((), True, False)


def test_what_is_counted_again_after_midnight_stays_of_its_day(tmp_path):
    """As the end of a session that can't be delivered: it is counted at each try."""
    now = [NOON]
    day = Day(tmp_path / "state.json", lambda: now[0])
    day.spend("A", 1, 300)
    now[0] = NOON + 86_400
    day.spend("A", 1, 350)
    assert day.used.spent == 0
    day.spend("A", 2, 50)
    assert day.used.spent == 50
    now[0] = NOON
    assert day.used.spent == 350


def test_a_month_of_days_is_kept(tmp_path):
    for number in range(40):
        Day(tmp_path / "state.json", lambda number=number: NOON + number * 86_400).begin(f"S{number}")
    day = Day(tmp_path / "state.json", lambda: NOON + 39 * 86_400)
    assert [day.knows(f"S{number}") for number in (0, 7, 8, 39)] == [False, False, True, True]


def test_a_file_of_an_earlier_release_is_read(tmp_path):
    (tmp_path / "state.json").write_text('{"day": "2026-05-13", "sessions": ["A"], "usd_micros": {"A/1": 7}}')
    assert Day(tmp_path / "state.json", lambda: NOON).used.spent == 7


def test_of_two_counts_the_larger_holds(tmp_path):
    day = Day(tmp_path / "state.json", lambda: NOON)
    day.begin("A")
    day.spend("A", 1, 300)
    day.spend("A", 2, 300)
    for _ in range(2):
        day.learn(HostDay(day="2026-05-13", usd_micros={"A": 500, "B": 50, "C": 0}))
    assert (day.used.sessions, day.used.spent) == (("A", "B", "C"), 650)
    day.learn(HostDay(day="2026-05-13", usd_micros={"A": 700}))
    assert day.used.spent == 750
    day.learn(HostDay(day="2026-05-12", usd_micros={"D": 999}))
    assert day.used.spent == 750


def test_the_next_day_begins_at_midnight_utc(tmp_path):
    assert Day(tmp_path / "state.json", lambda: NOON).next == "2026-05-14T00:00:00Z"


def test_a_damaged_file_is_reported_by_name(tmp_path):
    (tmp_path / "state.json").write_text('{"day": ')
    with pytest.raises(Invalid, match=r"state\.json: is no JSON"):
        _ = Day(tmp_path / "state.json", lambda: NOON).used
