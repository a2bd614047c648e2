from datetime import UTC, datetime, timedelta, timezone

from wire.times import stamp


def test_a_time_is_written_in_utc_to_the_second_so_that_texts_sort_as_times():
    here = datetime(2026, 5, 13, 2, 0, 5, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert stamp(here) == "2026-05-13T00:00:05Z"
    assert stamp(datetime(2026, 5, 13, tzinfo=UTC)) < stamp(here)
