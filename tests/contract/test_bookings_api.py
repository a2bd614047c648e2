import csv
import subprocess
import sys

import httpx
import pytest

from doubles.bookings import rest
from doubles.bookings.booking import COLUMNS
from local import serve
from tests.plain import HTTP, client_of


@pytest.fixture
def url(tmp_path):
    with serve.running(rest.create(tmp_path)) as url:
        yield url


@pytest.fixture
def api(url):
    token = HTTP.get(f"{url}/_local/token").json()["token"]
    with client_of(url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


def pages(api, **query):
    cursor = None
    while True:
        answer = api.get("/v1/bookings", params={**query, **({"cursor": cursor} if cursor else {})}).json()
        yield answer["bookings"]
        cursor = answer["next"]
        if cursor is None:
            return


def test_every_booking_is_on_exactly_one_page(api):
    ids = [booking["id"] for page in pages(api, limit=7) for booking in page]
    assert ids == sorted(set(ids))
    assert len(ids) == api.get("/v1/bookings").json()["total"] == 300


def test_a_full_last_page_has_no_next(api):
    assert [len(page) for page in pages(api, limit=150)] == [150, 150]


def test_a_booking_added_behind_the_cursor_does_not_shift_the_pages(api):
    reading = pages(api, limit=100)
    first = next(reading)
    api.put("/_local/bookings/A00000", json={**first[0], "id": "A00000"})
    assert sum(len(page) for page in reading) == 200


def test_the_window_bounds_the_arrival_on_both_ends(api):
    query = {"from": "2026-12-24", "to": "2026-12-31", "limit": 1000}
    answer = api.get("/v1/bookings", params=query).json()
    arrivals = {booking["arrival"] for booking in answer["bookings"]}
    assert (min(arrivals), max(arrivals)) == ("2026-12-24", "2026-12-31")
    assert answer["total"] == len(answer["bookings"]) < 300


def test_csv_has_the_same_bookings_under_the_agreed_header(api):
    lines = list(csv.DictReader(api.get("/v1/bookings.csv").text.splitlines()))
    assert tuple(lines[0]) == COLUMNS
    bookings = [booking for page in pages(api) for booking in page]
    assert lines == [{name: str(value) for name, value in booking.items()} for booking in bookings]


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic x", "Bearer tökén"])
@pytest.mark.parametrize("path", ["/v1/bookings", "/v1/bookings.csv"])
def test_without_the_token_nothing_is_said(url, path, header):
    response = HTTP.get(url + path, headers={"Authorization": header.encode()})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_the_token_is_taken_as_a_bearer_token_alone(api):
    token = api.headers["Authorization"].removeprefix("Bearer ")
    assert api.get("/v1/bookings", headers={"Authorization": f"bearer {token}"}).status_code == 200
    assert api.get("/v1/bookings", headers={"Authorization": f"Basic {token}"}).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 0), ("limit", 1001), ("limit", "x"), ("from", "May"), ("to", "2026-02-30"), ("cursor", "?")],
)
def test_a_bad_parameter_is_named(api, field, value):
    response = api.get("/v1/bookings", params={field: value})
    assert (response.status_code, response.json()["field"]) == (400, field)


def test_bookings_can_be_changed_and_deleted(api):
    changed = api.patch("/_local/bookings/J00003", json={"guest": "Somebody Else", "status": "cancelled"})
    assert (changed.status_code, changed.json()["guest"]) == (200, "Somebody Else")
    assert api.delete("/_local/bookings/J00001").status_code == 204
    assert api.delete("/_local/bookings/J00001").status_code == 404
    bookings = {b["id"]: b for b in api.get("/v1/bookings", params={"limit": 1000}).json()["bookings"]}
    assert (bookings["J00003"]["status"], "J00001" in bookings) == ("cancelled", False)


def test_a_change_that_makes_no_booking_is_refused_by_name(api):
    response = api.patch("/_local/bookings/J00003", json={"status": "lost"})
    assert (response.status_code, response.json()["field"]) == (400, "status")
    assert api.patch("/_local/bookings/none", json={}).status_code == 404
    assert api.put("/_local/bookings/J1", content=b"{").status_code == 400


def test_faults_hit_as_many_calls_as_asked_and_then_end(api):
    api.post("/_local/faults", json={"status": 503, "times": 2})
    statuses = [api.get("/v1/bookings").status_code for _ in range(3)]
    assert statuses == [503, 503, 200]


def test_a_fault_hits_only_calls_that_match(api):
    api.post("/_local/faults", json={"status": 503, "match": "bookings.csv"})
    assert [api.get(f"/v1/bookings{end}").status_code for end in ("", ".csv")] == [200, 503]


def test_a_suddenly_empty_source_looks_like_a_healthy_answer(api):
    api.post("/_local/faults", json={"empty": True})
    assert api.get("/v1/bookings").json() == {"bookings": [], "next": None, "total": 0}
    api.delete("/_local/faults")
    assert api.get("/v1/bookings").json()["total"] == 300


def test_a_hang_outlives_the_callers_patience(api):
    api.post("/_local/faults", json={"hang_s": 60, "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        api.get("/v1/bookings", timeout=httpx.Timeout(30, read=0.2))
    assert api.get("/v1/bookings").status_code == 200


def test_an_unknown_fault_is_refused_by_name(api):
    assert api.post("/_local/faults", json={"explode": True}).json()["field"] == "explode"


def start(state, *options):
    command = [sys.executable, "-m", "doubles.bookings", "--port", "0", "--state", str(state), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_was_changed_survives_a_kill_and_the_same_command_line(tmp_path):
    for expected in (300, 299):
        process = start(tmp_path)
        url = process.stdout.readline().split()[-1]
        token = HTTP.get(f"{url}/_local/token").json()["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert HTTP.get(f"{url}/v1/bookings", headers=headers).json()["total"] == expected
        HTTP.delete(f"{url}/_local/bookings/J00001")
        process.kill()
        process.communicate()


def test_another_source_replaces_the_bookings(tmp_path):
    for count in (300, 20):
        with serve.running(rest.create(tmp_path, count=count)) as url:
            token = HTTP.get(f"{url}/_local/token").json()["token"]
            answer = HTTP.get(f"{url}/v1/bookings", headers={"Authorization": f"Bearer {token}"}).json()
            assert answer["total"] == count


def test_a_file_that_is_no_bookings_ends_the_program_with_the_reason(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n")
    process = start(tmp_path / "state", "--file", str(tmp_path / "x.csv"))
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert log.count("\n") == 1
    assert "lacks" in log
