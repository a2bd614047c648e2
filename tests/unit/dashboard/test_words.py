import pytest

from dashboard import words
from wire.types import Need, Session, State, SyncOutcome


def test_everything_has_its_word():
    assert set(words.STATES) == set(State)
    assert (set(words.NEEDS), set(words.OUTCOMES)) == (set(Need), set(SyncOutcome))


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KB"), (3 << 20, "3.0 MB"), (5 << 30, "5.0 GB")],
)
def test_sizes_are_readable(count, text):
    assert words.size(count) == text


def test_a_session_without_an_exit_runs():
    assert words.session_end(Session(id="s", task="t", host="h", started_at="", updated_at="")) == "running"


def test_a_time_is_written_for_people_and_what_is_none_as_it_is():
    assert words.when("2026-05-13T12:00:00Z") == "2026-05-13 12:00 UTC"
    assert words.when("yesterday") == "yesterday"
