"""The sync's reader of an API, over HTTP against a booking system that answers what it is made to."""

import gzip

import pytest
from starlette.responses import Response

from sync import settings
from sync.failure import SyncFailed
from sync.source import read as source
from sync.source.web import BODY_BYTES

COLUMNS = ("id", "guest", "arrival", "rate")
ONE = {"id": "B1", "guest": "Ana", "arrival": "2026-05-13", "rate": "80.50"}
TWO = {**ONE, "id": "B2"}
FIELDS = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
LONG = "x" * 50_001


@pytest.fixture
def read(bookings, outside):
    def read(*answers, **more):
        bookings.answers = list(answers)
        given = {"bookings_url": bookings.url, "spreadsheet_id": "x", "columns": COLUMNS, "dates": ["arrival"]}
        return source.read(settings.read({**given, **more}), outside())

    return read


def page(*records, total=None, cursor=None):
    return {"bookings": records, "total": len(records) if total is None else total, "next": cursor}


def test_all_pages_are_read_by_their_cursors(read, bookings):
    assert set(read(page(ONE, total=2, cursor="c1"), page(TWO, total=2)).cells) == {"B1", "B2"}
    assert [asked.get("cursor") for asked in bookings.asked] == [None, "c1"]


def test_the_window_is_asked_for_where_it_is_not_open(read, bookings):
    read(page(ONE), window_from="2026-05-01")
    assert bookings.asked == [{"limit": "1000", "from": "2026-05-01"}]


@pytest.mark.parametrize(
    ("paging", "answers"),
    [
        ({}, [{"rows": [ONE], "more": True}]),
        ({"kind": "page", "param": "p"}, [{"rows": [ONE], "more": True}, {"rows": [], "more": True}]),
        ({"kind": "page", "param": "p", "total": "total"}, [{"rows": [ONE], "more": True, "total": 1}]),
        ({"kind": "cursor", "param": "c", "next": "next"}, [{"rows": [ONE], "more": True, "next": None}]),
        ({"kind": "next_url", "next": "next"}, [{"rows": [ONE], "more": True}]),
    ],
)
def test_more_that_nothing_leads_to_is_not_taken_for_gone(read, bookings, paging, answers):
    source = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "rows"}
    with pytest.raises(SyncFailed, match="more says that there is more, and nothing leads to it"):
        read(*answers, bookings_url=None, source={**source, "paging": {**paging, "has_more": "more"}})


@pytest.mark.parametrize("no", [False, None, 0, "false", "N"])
def test_no_more_is_said_in_many_ways(read, bookings, no):
    paging = {"kind": "page", "param": "p", "has_more": "more"}
    source = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "rows", "paging": paging}
    pages = [{"rows": [ONE], "more": "true"}, {"rows": [TWO], "more": no}] * 2
    assert set(read(*pages, bookings_url=None, source=source).cells) == {"B1", "B2"}
    assert [asked["p"] for asked in bookings.asked] == ["1", "2", "1", "2"]


def test_a_body_has_its_parameters_inside_the_objects_that_their_names_begin_with(read, bookings):
    paging = {"kind": "cursor", "param": "limit.cursor", "size_param": "limit.count", "next": "cursor"}
    asked = {"in_body": True, "parameters": {"states": "live", "client.name": "jada"}, "paging": paging}
    window = {"from_param": "stay.from", "to_param": "stay.to"}
    source = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "rows", **asked, "window": window}
    pages = [{"rows": [ONE], "cursor": "c1"}, {"rows": [], "cursor": None}] * 2
    read(*pages, bookings_url=None, source=source, window_from="2026-05-01", window_to="2026-05-31")
    first = {"states": "live", "client": {"name": "jada"}, "stay": {"from": "2026-05-01", "to": "2026-05-31"}}
    assert bookings.asked[0] == {**first, "limit": {"count": 100}}
    assert bookings.asked[1] == {**first, "limit": {"count": 100, "cursor": "c1"}}


def test_a_system_that_knows_no_window_gives_what_is_outside_too_and_it_is_left_out(read):
    assert set(read(page(ONE, {**TWO, "arrival": "2026-04-30"}), window_from="2026-05-01").cells) == {"B1"}


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({**TWO, "id": None}, "record 2: record 2 has no id at id"),
        ({**TWO, "id": ""}, "record 2: record 2 has no id at id"),
        ({"id": "B2", "guest": "x", "rate": "1"}, "record 2 (booking B2): arrival: there is nothing at arrival"),
        ({**TWO, "rate": "eighty"}, "(booking B2): rate: is no amount: 'eighty'"),
        ({**TWO, "rate": "nan"}, "(booking B2): rate: is no number"),
        ({**TWO, "guest": LONG}, "(booking B2): guest: a cell holds 50000 characters"),
        ({**TWO, "guest": ["x"]}, "(booking B2): guest: ['x'] does not fit into a cell"),
        ({**TWO, "arrival": "13/05/2026"}, "(booking B2): arrival: is no date of the format 2026-05-13"),
        ("B2", "record 2 is no object"),
    ],
)
def test_one_record_that_can_t_be_used_is_set_aside_and_the_rest_goes_on(read, record, named):
    found = read(page(ONE, record))
    assert set(found.cells) == {"B1"}
    assert named in str(found.aside[0])
    assert found.is_whole == (found.aside[0].key is not None)


def test_a_booking_that_is_there_twice_with_other_values_is_set_aside(read):
    found = read(page(ONE, TWO, {**ONE, "rate": "81"}))
    assert (set(found.cells), [each.key for each in found.aside]) == ({"B2"}, ["B1"])


def test_a_booking_that_a_shifting_page_repeats_is_one(read):
    assert set(read(page(ONE, ONE)).cells) == {"B1"}


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (page(ONE, total=2), "its pages held 1 records, its total says 2"),
        (page({**ONE, "id": ""}), "1 of 1 records don't fit the fields, the first: record 1"),
        (page(ONE, total=2, cursor="c1"), "its pages go round in a circle"),
        ({"items": []}, "there is no list of records at bookings"),
        ({"bookings": [ONE], "total": True}, "there is no total at total"),
        (Response("<html>"), "is no JSON"),
        (Response("[" * 100_000), "is no JSON"),
    ],
)
def test_an_answer_that_can_t_be_used_is_refused_whole_and_named(read, answer, named):
    # The circle gives the same cursor again and again.
    answers = [answer, {**page(), "total": 2, "next": "c1"}] if "circle" in named else [answer]
    with pytest.raises(SyncFailed) as failed:
        read(*answers)
    assert failed.value.kind == "bookings_odd"
    assert named in failed.value.cause


def test_records_that_mostly_don_t_fit_are_a_wrong_mapping_and_refused(read):
    wrong = [{**ONE, "id": f"W{place}", "arrival": "13.5.2026"} for place in range(11)]
    right = [{**ONE, "id": f"B{place}"} for place in range(50)]
    with pytest.raises(SyncFailed, match="11 of 61 records don't fit"):
        read(page(*right, *wrong))


def test_totals_that_differ_from_page_to_page_are_not_believed(read):
    """A booking that vanishes between two pages is on none of them; one that comes instead hides it in the sum."""
    with pytest.raises(SyncFailed, match="its total says 1 and 2"):
        read(page(ONE, total=2, cursor="c1"), page(TWO, total=1))


def test_an_outage_that_passes_is_not_a_failure(read):
    assert set(read(Response(status_code=503), page(ONE)).cells) == {"B1"}


@pytest.mark.parametrize(("status", "kind"), [(503, "bookings_down"), (500, "bookings_down"), (401, "bookings_token")])
def test_an_outage_that_lasts_is_reported_by_name(read, status, kind):
    with pytest.raises(SyncFailed) as failed:
        read(Response(status_code=status))
    assert failed.value.kind == kind


def test_a_short_wait_that_is_asked_for_is_kept(read, time):
    read(Response(status_code=429, headers={"Retry-After": "7"}), page(ONE))
    assert time.waits == [7]


def test_an_hour_that_is_asked_for_is_not_slept(read, time):
    with pytest.raises(SyncFailed, match="asks to wait for 3600 s") as failed:
        read(Response(status_code=429, headers={"Retry-After": "3600"}))
    assert (failed.value.kind, time.waits) == ("bookings_down", [])


def test_the_pace_lies_between_two_calls(bookings, outside, time):
    paging = {"kind": "cursor", "param": "cursor", "next": "next", "total": "total"}
    given = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "bookings", "pace_s": 2, "paging": paging}
    bookings.answers = [page(ONE, total=2, cursor="c1"), page(TWO, total=2)]
    fields = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
    source.read(settings.read({"spreadsheet_id": "x", "source": given, "fields": fields}), outside())
    assert time.waits == [2]


@pytest.mark.parametrize("packed", [False, True])
def test_a_huge_answer_is_refused_before_it_is_held_also_when_it_comes_packed(read, packed):
    body = b'{"bookings": [' + b" " * (40 * 2**20) + b"]}"
    answer = Response(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"}) if packed else Response(body)
    with pytest.raises(SyncFailed, match=f"larger than {BODY_BYTES // 2**20} MB"):
        read(answer)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_an_answer_that_leads_elsewhere_is_not_followed_with_our_secret(read, bookings, status):
    with pytest.raises(SyncFailed, match="leads elsewhere") as failed:
        read(Response(status_code=status, headers={"Location": "http://127.0.0.1:9/"}))
    assert (failed.value.kind, len(bookings.asked)) == ("bookings_refused", 1)


def test_a_next_page_on_another_host_is_refused(bookings, outside):
    given = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "items"}
    given |= {"paging": {"kind": "next_url", "next": "next"}}
    bookings.answers = [{"items": [ONE], "next": "http://other.example/2"}]
    fields = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
    with pytest.raises(SyncFailed, match=r"another host, other\.example"):
        source.read(settings.read({"spreadsheet_id": "x", "source": given, "fields": fields}), outside())


def test_a_next_page_whose_address_can_not_be_read_is_named(bookings, outside):
    given = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "items"}
    given |= {"paging": {"kind": "next_url", "next": "next"}}
    bookings.answers = [{"items": [ONE], "next": "http://["}]
    with pytest.raises(SyncFailed, match="the address of its next page can't be read"):
        source.read(settings.read({"spreadsheet_id": "x", "source": given, "fields": FIELDS}), outside())


@pytest.mark.parametrize("secret", ["SECRET\r", "SECRET\nmore", "SECRET\u200b", "SECRET\x00"])
def test_a_secret_that_no_header_can_carry_is_refused_and_not_said(bookings, outside, secret):
    given = {"bookings_url": bookings.url, "spreadsheet_id": "x", "columns": COLUMNS, "dates": ["arrival"]}
    with pytest.raises(SyncFailed, match="no header can carry") as failed:
        source.read(settings.read(given), outside(secret))
    assert (failed.value.kind, "SECRET" in str(failed.value), bookings.asked) == ("bookings_token", False, [])


def test_white_space_around_a_token_that_was_given_is_not_of_it(bookings, outside):
    address = f"{bookings.url}/v1/bookings"
    given = {
        "kind": "http",
        "url": address,
        "records": "bookings",
        "exchange": {"url": address, "token": "token", "json": True},
    }
    bookings.answers = [{"token": "LIVE\n"}, page(ONE)]
    read = settings.read({"spreadsheet_id": "x", "source": given, "fields": FIELDS})
    assert set(source.read(read, outside()).cells) == {"B1"}
    assert bookings.headers[-1]["authorization"] == "Bearer LIVE"


def test_a_status_that_means_cancelled_is_a_booking_that_is_gone(bookings, outside):
    given = {"kind": "http", "url": f"{bookings.url}/v1/bookings", "records": "bookings"}
    given |= {"cancelled": {"path": "status", "words": ["cancelled"]}}
    bookings.answers = [page({**ONE, "status": "cancelled"}, {**TWO, "status": "open"})]
    fields = {"id": "id", "arrival": {"path": "arrival", "type": "date"}}
    found = source.read(settings.read({"spreadsheet_id": "x", "source": given, "fields": fields}), outside())
    assert (set(found.cells), found.cancelled) == ({"B2"}, {"B1"})


def test_no_answer_is_reported_by_name(outside):
    unheard = settings.read({"bookings_url": "http://127.0.0.1:9", "spreadsheet_id": "x"})
    with pytest.raises(SyncFailed) as failed:
        source.read(unheard, outside())
    assert failed.value.kind == "bookings_unreachable"
