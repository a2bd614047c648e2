from datetime import UTC, datetime, timedelta, timezone

import pytest

from dashboard.record import moment, stamp
from wire.values import Invalid


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
