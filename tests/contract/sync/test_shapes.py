"""Eight usual shapes of API, each read by settings alone, from the double that speaks them."""

import pytest
import urllib3

from doubles.bookings.shapes import BIG, TOKENS_A_DAY
from sync import settings
from sync.failure import SyncFailed
from sync.source import read
from sync.source.token import FILE

HTTP = urllib3.PoolManager()
FIELDS = {
    "id": "id",
    "guest": "guest",
    "arrival": {"path": "arrival", "type": "date"},
    "rate": {"path": "rate", "type": "money"},
}
NESTED = {
    "id": "reservation.number",
    "guest": "guest.name",
    "arrival": {"path": "stay.from", "type": "date", "format": "%d/%m/%Y"},
    "rate": {"path": "rooms.0.cents", "type": "money", "scale": 2},
}
SHAPES = {
    "page": {
        "records": "data",
        "paging": {"kind": "page", "param": "page", "size_param": "per_page", "total": "meta.total"},
    },
    "offset": {
        "records": "results",
        "paging": {"kind": "offset", "param": "offset", "size_param": "limit", "total": "count"},
    },
    "link": {"paging": {"kind": "link"}},
    "next_url": {"records": "items", "paging": {"kind": "next_url", "next": "links.next"}},
    "no_total": {"paging": {"kind": "page", "param": "p", "first": 0}},
    "nested": {"records": "response.reservations"},
    "other_key": {"records": "reservations"},
    "api_key": {
        "records": "data",
        "header": "X-API-Key",
        "header_value": "{secret}",
        "paging": {"kind": "page", "param": "page", "total": "meta.total"},
    },
}


def configured(url, shape, **more):
    own = {"nested": NESTED, "other_key": {**FIELDS, "id": "reservationNumber"}}
    source = {"kind": "http", "url": f"{url}/shapes/{shape}", **SHAPES[shape]}
    return settings.read({"spreadsheet_id": "x", "source": source, "fields": own.get(shape, FIELDS), **more})


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_read_whole_by_its_settings(double, outside, shape):
    url, secret = double
    plain = settings.read({"spreadsheet_id": "x", "bookings_url": url})
    wanted = {cells[3:5] + cells[-1:] for cells in read.read(plain, outside(secret)).cells.values()}
    found = read.read(configured(url, shape), outside(secret))
    assert {cells[1:] for cells in found.cells.values()} == wanted
    assert (len(found), found.aside) == (60, ())


@pytest.mark.parametrize("shape", SHAPES)
def test_without_settings_of_its_own_no_shape_is_readable(double, outside, shape):
    url, secret = double
    ours = settings.read({"spreadsheet_id": "x", "bookings_url": url}).origin
    plain = settings.read({"spreadsheet_id": "x", "bookings_url": url})
    unlike = settings.replace(plain, source=settings.replace(ours, url=f"{url}/shapes/{shape}"))
    with pytest.raises(SyncFailed):
        read.read(unlike, outside(secret))


def test_a_number_beyond_what_a_cell_holds_is_kept_to_its_last_digit(double, outside):
    url, secret = double
    assert str(BIG) in read.read(configured(url, "other_key"), outside(secret)).cells


def test_numbered_pages_are_believed_only_when_two_readings_agree(double, outside):
    """A booking that is deleted while pages are numbered moves all later ones up: one is on no page."""
    url, secret = double
    calls = []
    there = configured(url, "page")

    def pause_less(_seconds):
        raise AssertionError

    class Between:
        """The pool, and someone who deletes a booking of the first page before the second is asked for."""

        def request(self, method, address, **how):
            calls.append(address)
            if len(calls) == 2:
                HTTP.request("DELETE", f"{url}/_local/bookings/J00001")
                booking = HTTP.request(
                    "GET", f"{url}/v1/bookings?limit=1", headers={"Authorization": f"Bearer {secret}"}
                )
                more = booking.json()["bookings"][0] | {"id": "J99999"}
                HTTP.request("PUT", f"{url}/_local/bookings/J99999", json=more)
            return HTTP.request(method, address, **how)

    reader = read._reader(there, there.origin, outside(secret))
    reader.web.pool, reader.web.pause = Between(), pause_less
    found = reader.read()
    # J00026 was on no page of the first reading, though its total was right.
    assert {"J00026", "J99999"} <= found.cells.keys()
    assert (len(found), len(calls)) == (60, 9)


def test_a_window_is_cut_into_slices_and_each_is_asked_for(double, outside):
    url, secret = double
    window = {"from_param": "since", "to_param": "until", "slice_days": 30}
    source = {"kind": "http", "url": f"{url}/shapes/page", **SHAPES["page"], "window": window}
    given = {"window_from": "2026-11-01", "window_to": "2027-12-31"}
    sliced = settings.read({"spreadsheet_id": "x", "source": source, "fields": FIELDS, **given})
    assert len(read.read(sliced, outside(secret))) == 60


def exchanging(url, **more):
    exchange = {"url": f"{url}/shapes/token", "form": {"grant_type": "client_credentials"}, **more}
    paging = {"kind": "cursor", "param": "after", "next": "after", "has_more": "more"}
    source = {"kind": "http", "url": f"{url}/shapes/exchanged", "records": "rows", "in_body": True, "paging": paging}
    return settings.read({"spreadsheet_id": "x", "source": source | {"exchange": exchange}, "fields": FIELDS})


def test_a_token_is_exchanged_once_and_kept_for_a_day_of_runs(double, outside, tmp_path, time):
    url, secret = double
    for _run in range(47):
        assert len(read.read(exchanging(url), outside(secret))) == 60
        time.seconds += 1800
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert secret not in (tmp_path / FILE).read_text()
    # Had each run taken one, the sixth would have been told to wait.
    assert TOKENS_A_DAY < 47


def test_a_token_that_was_taken_back_is_exchanged_anew_but_not_in_each_run(double, outside, tmp_path, time):
    url, secret = double
    read.read(exchanging(url), outside(secret))
    kept = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(kept.replace('"token": "', '"token": "old-'))
    with pytest.raises(SyncFailed, match="the next is asked for in 300 minutes"):
        read.read(exchanging(url), outside(secret))
    time.seconds += 18_001
    assert len(read.read(exchanging(url), outside(secret))) == 60


def test_a_secret_that_gets_no_token_is_reported_by_its_name(double, outside):
    with pytest.raises(SyncFailed, match=r"bookings_token: .*gives no token") as failed:
        read.read(exchanging(double[0]), outside("another"))
    assert failed.value.kind == "bookings_token"


def test_a_day_without_tokens_is_not_slept_through(double, outside, time):
    url, secret = double
    for day in range(TOKENS_A_DAY + 1):
        form = {"grant_type": "client_credentials", "day": str(day)}
        if day < TOKENS_A_DAY:
            read.read(exchanging(url, form=form), outside(secret))
    with pytest.raises(SyncFailed, match="asks to wait for 3600 s"):
        read.read(exchanging(url, form=form), outside(secret))
    assert sum(time.waits) == 0
