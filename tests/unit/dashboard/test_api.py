"""What clients other than ours may send, and what they are told."""

import base64
import contextlib
import gzip
import http.client
import json
import tracemalloc
import zlib
from urllib.parse import urlsplit

import pytest
import urllib3
from starlette.exceptions import HTTPException

from dashboard.api import _unpacked
from dashboard.guard import BODY_LIMIT
from wire.routes import UNPACKED_LIMIT
from wire.types import Batch, ClaimRequest, Event, EventKind, NewTask
from wire.values import dump

TASK = "0" * 26


@pytest.fixture
def call(url, token):
    pool = urllib3.PoolManager(retries=False)

    def send(method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {token.reveal()}", **headers}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return pool.request(method, url + path, body=data, headers=sent)

    return send


def refusal(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.json()


def test_a_new_task_is_created_with_its_place_and_version(call):
    response = call("POST", "/v1/tasks", {"title": "t"})
    assert (response.status, response.headers["ETag"]) == (201, '"1"')
    assert response.headers["Location"] == f"/v1/tasks/{response.json()['id']}"


def test_a_replayed_task_is_no_new_one(call):
    replies = [call("POST", "/v1/tasks", {"title": "t"}, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert [r.status for r in replies] == [201, 200]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": " "}, "title"),
        ({"title": 7}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "t", "colour": "red"}, "colour"),
        ({"title": "t", "description": "x" * 8193}, "description"),
        ({"title": "t", "priority": 10}, "priority"),
        ({"title": "t", "priority": True}, "priority"),
        ({"title": "t", "priority": 10**400}, "priority"),
        ({"title": "t", "budget": {"sessions": 0}}, "budget.sessions"),
        ({"title": "t", "budget": {"usd_micros": 1.5}}, "budget.usd_micros"),
        ({"title": "t", "not_before": "tomorrow"}, "not_before"),
        ({"title": "t", "not_before": "2026-05-13T12:00:00"}, "not_before"),
        ({"title": "t", "not_before": "0001-01-01T00:00:00+14:00"}, "not_before"),
        ({"title": "t", "parent": "x"}, "parent"),
        ({"title": "t", "parent": TASK}, "parent"),
        ({"title": "t", "dedupe_key": "alarm:sync"}, "dedupe_key"),
        ({"title": "t", "dedupe_key": ""}, "dedupe_key"),
        ({"title": "t", "context": [{"name": "../etc/passwd", "content": ""}]}, "context[0].name"),
        ({"title": "t", "context": [{"name": "a", "content": "?"}]}, "context[0].content"),
        ({"title": "t", "context": [{"name": "a", "content": ""}] * 2}, "context[1].name"),
        ({"title": "t", "context": [{"name": "a", "content": ""}] * 21}, "context"),
    ],
)
def test_a_wrong_field_is_named(call, body, field):
    response = call("POST", "/v1/tasks", body)
    assert (response.status, refusal(response)["field"]) == (422, field)


def test_a_file_over_ten_megabytes_is_named(call):
    content = base64.b64encode(bytes(10 * 1024 * 1024 + 1)).decode()
    response = call("POST", "/v1/tasks", {"title": "t", "context": [{"name": "a", "content": content}]})
    assert (response.status, refusal(response)["field"]) == (422, "context[0].content")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b'{"title": NaN}', b"\xff", b'\xef\xbb\xbf{"title": "t"}', b'{"title": "\\ud800"}'),
        b'{"title": "t"} {}',
    ],
)
def test_what_is_no_json_is_refused_as_such(call, body):
    response = call("POST", "/v1/tasks", body)
    assert response.status == 400
    assert "no JSON" in refusal(response)["detail"]


def test_json_that_is_no_object_is_refused(call):
    assert refusal(call("POST", "/v1/tasks", [1]))["status"] == 422


@pytest.mark.parametrize("value", [b"1" * 5000, b"[" * 100_000, b"true", b"1e400", b'"a\\u001b[2Jb"', b'"a\\nb"'])
def test_a_title_that_is_none_is_refused(call, value):
    assert call("POST", "/v1/tasks", b'{"title": ' + value + b"}").status in (400, 422)


def test_a_report_nested_beyond_reason_is_refused(call, client):
    client.add_task(NewTask(title="t"))
    held = client.claim(ClaimRequest(host="h"))
    deep = 100_000  # Python 3.13 reads five thousand
    data = b'{"a":' * deep + b"1" + b"}" * deep
    body = b'{"fence": 1, "events": [{"n": 1, "at": "", "kind": "stream", "data": ' + data + b"}]}"
    assert call("POST", f"/v1/sessions/{held.session.id}/events", body).status == 400


def test_a_body_that_says_it_is_too_large_is_refused_unread(url, token):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest("POST", "/v1/tasks")
    connection.putheader("Authorization", f"Bearer {token.reveal()}")
    connection.putheader("Content-Length", str(BODY_LIMIT + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_a_body_that_turns_out_too_large_is_refused(url, token):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    chunks = (bytes(1024 * 1024) for _ in range(BODY_LIMIT // (1024 * 1024) + 1))
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    # The answer may come before the last byte has gone, which then meets a connection that is closed.
    with contextlib.suppress(ConnectionError):
        connection.request("POST", "/v1/tasks", body=chunks, headers=headers, encode_chunked=True)
    assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", "a-token-of-the-tests"]
)
def test_every_call_needs_the_token(call, header):
    for path in ("/v1/tasks", f"/v1/tasks/{TASK}", "/v1/sync-runs"):
        response = call("GET", path, Authorization=header or "")
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert refusal(response)["status"] == 401


def test_an_unknown_path_and_a_wrong_method_are_problems_too(call):
    assert refusal(call("GET", "/v1/nothing"))["status"] == 404
    response = call("DELETE", "/v1/tasks")
    assert refusal(response)["status"] == 405
    assert "POST" in response.headers["Allow"]


def test_an_answer_needs_the_version_it_answers(call, client):
    task = client.add_task(NewTask(title="t"))
    path = f"/v1/tasks/{task.id}/answer"
    assert refusal(call("POST", path, {"text": "x"}))["status"] == 428
    for tag in ('"9"', "W/x", "*", '"' + "9" * 5000 + '"'):
        assert refusal(call("POST", path, {"text": tag}, **{"If-Match": tag}))["status"] == 412
    now = f'"{client.task(task.id).version}"'
    assert refusal(call("POST", path, {"text": "x"}, **{"If-Match": now}))["status"] == 409


@pytest.mark.parametrize(
    ("query", "field"), [("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("state=odd", "state")]
)
def test_an_absurd_listing_is_refused(call, query, field):
    assert refusal(call("GET", f"/v1/tasks?{query}"))["field"] == field


def test_a_page_says_where_the_next_one_is(call, client):
    ids = [client.add_task(NewTask(title=f"t{n}")).id for n in range(3)]
    response = call("GET", "/v1/tasks?limit=2&state=queued")
    newest = sorted(ids, reverse=True)
    assert [task["id"] for task in response.json()["tasks"]] == newest[:2]
    assert response.headers["Link"] == f'</v1/tasks?state=queued&limit=2&cursor={newest[1]}>; rel="next"'
    rest = call("GET", response.headers["Link"].split(">")[0].lstrip("<"))
    assert [task["id"] for task in rest.json()["tasks"]] == newest[2:]
    assert "Link" not in rest.headers


def test_nothing_to_claim_has_no_body(call):
    response = call("POST", "/v1/claims", {"host": "h"})
    assert (response.status, response.data) == (204, b"")


@pytest.mark.parametrize("body", [{}, {"host": ""}, {"host": "h", "suspended_only": 1}])
def test_a_wrong_claim_is_refused(call, body):
    assert call("POST", "/v1/claims", body).status == 422


def test_an_end_that_makes_no_sense_is_refused_and_changes_nothing(call, client):
    task = client.add_task(NewTask(title="t"))
    held = client.claim(ClaimRequest(host="h"))
    path = f"/v1/sessions/{held.session.id}/end"
    for body, field in (
        ({"fence": 1, "exit": "6"}, "exit"),
        ({"fence": 1, "exit": 2}, "question"),
        ({"exit": 0}, "fence"),
    ):
        assert refusal(call("POST", path, body))["field"] == field
    assert client.task(task.id).version == held.task.version


def test_a_sync_run_without_real_times_is_refused(call):
    body = {"started_at": "2026-05-13T12:00:00Z", "finished_at": "noon", "outcome": "changed"}
    assert refusal(call("POST", "/v1/sync-runs", body))["field"] == "finished_at"


def test_a_context_file_is_handed_out_to_be_saved(call):
    body = {"title": "t", "context": [{"name": "a.html", "content": base64.b64encode(b"<b>").decode()}]}
    task = call("POST", "/v1/tasks", body).json()
    response = call("GET", f"/v1/tasks/{task['id']}/context/a.html")
    assert response.data == b"<b>"
    assert response.headers["Content-Disposition"] == 'attachment; filename="a.html"'
    assert response.headers["Content-Type"] == "application/octet-stream"


PACKED = {"Content-Encoding": "gzip"}


@pytest.fixture
def deliver(url, client, token):
    """Send a body as a session's records; returns status, headers and what is said."""
    client.add_task(NewTask(title="t"))
    held = client.claim(ClaimRequest(host="h"))
    address = f"{url}/v1/sessions/{held.session.id}/events"

    def send(body, **headers):
        headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json", **headers}
        return urllib3.request("POST", address, body=body, headers=headers, retries=False)

    return send


def test_packed_records_are_read_and_the_answer_says_that_they_are_taken(deliver):
    batch = dump(Batch(fence=1, events=(Event(n=1, at="2026-05-13T12:00:00Z", kind=EventKind.MESSAGE),)))
    answer = deliver(gzip.compress(batch), **PACKED)
    assert (answer.status, answer.json()) == (200, {"n": 1})
    assert answer.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "coding", "status", "said"),
    [
        (gzip.compress(b" " * (UNPACKED_LIMIT + 1)), "gzip", 413, "unpacked"),
        (gzip.compress(b" " * 60_000_000, 1), "gzip", 413, "unpacked"),
        (gzip.compress(b"{}")[:-4], "gzip", 400, "no whole gzip"),
        (gzip.compress(b"{}") + b"more", "gzip", 400, "no whole gzip"),
        (zlib.compress(b"{}"), "gzip", 400, "no gzip"),
        (b"{}", "gzip", 400, "no gzip"),
        (b"{}", "br", 415, "coding br"),
        (gzip.compress(b"{"), "gzip", 400, "body"),
    ],
    ids=["too-long", "bomb", "cut-off", "trailing", "zlib", "plain", "brotli", "no-json"],
)
def test_what_is_packed_wrongly_or_unpacks_to_too_much_is_refused(deliver, body, coding, status, said):
    answer = deliver(body, **{"Content-Encoding": coding})
    assert answer.status == status
    assert said in answer.json()["detail"]


def test_a_bomb_is_unpacked_no_further_than_the_limit():
    bomb = gzip.compress(b" " * 60_000_000, 1)
    tracemalloc.start()
    with pytest.raises(HTTPException):
        _unpacked(bomb, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * UNPACKED_LIMIT
