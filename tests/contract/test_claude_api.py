"""The double of the Messages API, held to the vendor's own client."""

import base64
import contextlib
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import anthropic
import pytest
import urllib3

from doubles.claude.messages import VERSION, create
from local.process import wait_until
from local.serve import running
from tests.papers import pdf, png

MODEL = "claude-sonnet-5-5"
BASH = {"type": "bash_20250124", "name": "bash"}
FINISH = {
    "name": "finish",
    "input_schema": {"type": "object", "properties": {"result": {"type": "string"}, "files": {"type": "array"}}},
}


@pytest.fixture
def api(tmp_path):
    clock = SimpleNamespace(now=1_780_000_000.0)
    with running(create(tmp_path, clock=lambda: clock.now, rng=random.Random(1))) as url:
        yield SimpleNamespace(url=url, clock=clock, folder=tmp_path, http=urllib3.PoolManager(retries=False))


@pytest.fixture
def client(api):
    # Without TLS, for which each client would read the machine's authorities.
    plain = anthropic.DefaultHttpxClient(verify=False)
    return anthropic.Anthropic(base_url=api.url, api_key="made-up", max_retries=0, timeout=20, http_client=plain)


def asking(text="Hello", **more):
    return {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": text}], **more}


def answered(call, result, text="Hello", **more):
    """The request after a message with one call was answered with `result`."""
    block = {"type": "tool_result", "tool_use_id": call.content[-1].id, "content": result}
    said = call.model_dump(mode="json", include={"role", "content"}, exclude_none=True)
    messages = [{"role": "user", "content": text}, said, {"role": "user", "content": [block]}]
    return asking(**{"tools": [BASH], **more, "messages": messages})


def refusal(client, **request):
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**request)
    error = caught.value
    assert error.body["type"] == "error"
    assert error.body["request_id"] == error.request_id
    return error.status_code, error.body["error"]["type"], error.body["error"]["message"]


def test_a_message_without_tools_gets_a_text_and_the_end_of_the_turn(client):
    message = client.messages.create(**asking())
    assert (message.stop_reason, message.content[0].type, message.role) == ("end_turn", "text", "assistant")
    assert message.usage.output_tokens > 0
    assert message._request_id.startswith("req_")


def test_a_tool_is_called_and_its_result_carries_the_conversation_on(client):
    call = client.messages.create(**asking(tools=[BASH]))
    assert (call.stop_reason, call.content[-1].name) == ("tool_use", "bash")
    message = client.messages.create(**answered(call, "bookings.csv"))
    assert "bookings.csv" in message.content[0].text


def test_a_stream_adds_up_to_the_message_that_its_events_carry(client):
    with client.messages.stream(**asking(tools=[BASH])) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert message.content[-1].input == {"command": "pwd && ls -la"}
    assert (message.stop_reason, message.usage.input_tokens > 0) == ("tool_use", True)


def test_counted_tokens_are_the_tokens_charged(client):
    request = asking("word " * 500, tools=[BASH])
    counted = client.messages.count_tokens(**{k: v for k, v in request.items() if k != "max_tokens"}).input_tokens
    assert client.messages.create(**request).usage.input_tokens == counted


def test_the_models_are_those_that_the_package_names(client):
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).max_input_tokens == 200_000


def test_a_cached_prefix_is_written_once_then_read(client):
    request = asking("word " * 2000, cache_control={"type": "ephemeral"}, tools=[BASH])
    first = client.messages.create(**request)
    second = client.messages.create(**answered(first, "ok", "word " * 2000, cache_control={"type": "ephemeral"}))
    assert first.usage.cache_read_input_tokens == 0
    assert first.usage.cache_creation.ephemeral_5m_input_tokens > 2000
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens < 200


def test_a_cache_entry_dies_with_its_time_to_live(client, api):
    request = asking("word " * 2000, cache_control={"type": "ephemeral", "ttl": "1h"})
    client.messages.create(**request)
    api.clock.now += 3599
    assert client.messages.create(**request).usage.cache_read_input_tokens > 0
    api.clock.now += 3601
    assert client.messages.create(**request).usage.cache_read_input_tokens == 0


def test_an_answer_is_cut_at_max_tokens(client):
    message = client.messages.create(**asking(max_tokens=12))
    assert (message.stop_reason, message.usage.output_tokens <= 12) == ("max_tokens", True)


REFUSED = {
    "unknown parameter": ({"temperature": 1}, 400, "temperature: Extra inputs are not permitted"),
    "unknown model": ({"model": "claude-none"}, 404, "model: claude-none"),
    "assistant first": ({"messages": [{"role": "assistant", "content": "Hi"}]}, 400, "first message"),
    "prefill": (
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well,"}]},
        400,
        "prefill",
    ),
    "no message": ({"messages": []}, 400, "at least one message"),
    "empty text": ({"messages": [{"role": "user", "content": " "}]}, 400, "non-whitespace"),
    "no blocks": ({"messages": [{"role": "user", "content": []}]}, 400, "non-empty content"),
    "unknown role": ({"messages": [{"role": "bot", "content": "Hi"}]}, 400, "messages.0"),
    "too many tokens": ({"max_tokens": 128_001}, 400, "max_tokens: 128001 > 128000"),
    "too many tokens of a small model": (
        {"model": "claude-haiku-4-5", "max_tokens": 64_001},
        400,
        "max_tokens: 64001 > 64000",
    ),
    "no token": ({"max_tokens": -1}, 400, "max_tokens"),
    "same tool twice": ({"tools": [BASH, BASH]}, 400, "unique"),
    "unknown tool type": ({"tools": [{"type": "bash_2020", "name": "bash"}]}, 400, "tools.0"),
    "wrong tool name": ({"tools": [{**FINISH, "name": "a b"}]}, 400, "tools.0.name"),
    "server tool": ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, 501, "not built"),
    "a choice without tools": ({"tool_choice": {"type": "any"}}, 400, "while providing tools"),
    "a choice that is not there": (
        {"tools": [BASH], "tool_choice": {"type": "tool", "name": "x"}},
        400,
        "'x' not found",
    ),
    "a forced tool while it thinks": (
        {"tools": [BASH], "tool_choice": {"type": "any"}, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        400,
        "Thinking may not be enabled",
    ),
    "a stop sequence of white space": ({"stop_sequences": ["\n"]}, 400, "non-whitespace"),
    "an image by its address": (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]},
        501,
        "a source of the type url",
    ),
    "a parameter of a beta": ({"context_management": {"edits": []}}, 400, "Extra inputs are not permitted"),
    "too long": ({"messages": [{"role": "user", "content": "x" * 900_000}]}, 400, "prompt is too long"),
    "five markers": (
        {
            "cache_control": {"type": "ephemeral"},
            "system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] * 4,
        },
        400,
        "maximum of 4",
    ),
    "small thinking budget": ({"thinking": {"type": "enabled", "budget_tokens": 2}}, 400, "budget_tokens"),
}


def shows(*content, kind="image", media="image/png"):
    """A request that shows these files."""
    data = [each if isinstance(each, str) else base64.b64encode(each).decode() for each in content]
    blocks = [{"type": kind, "source": {"type": "base64", "media_type": media, "data": each}} for each in data]
    return {"messages": [{"role": "user", "content": blocks}]}


PAPER = {"kind": "document", "media": "application/pdf"}
NOT_SHOWN = {
    "bad base64": (shows("=a=b"), "Invalid base64"),
    "another media type": (shows(png(9, 9), media="image/jpeg"), "does not match the provided media type"),
    "a type that is none": (shows(png(9, 9), media="image/tiff"), "media_type"),
    "no image": (shows(b"words"), "Could not process image"),
    "an image over 5 MB": (shows(png(9, 9) + bytes(4_000_000)), "exceeds 5 MB"),
    "an image over 8,000 pixels": (shows(png(8001, 1)), "8000 pixels"),
    "a webp over 8,000 pixels": (
        shows(b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + b"\xff\xff\0\0\0\0", media="image/webp"),
        "8000 pixels",
    ),
    "21 images, one over 2,000 pixels": (shows(png(2001, 1), *[png(1, 1)] * 20), "many-image requests: 2000"),
    "101 images": (shows(*[png(1, 1)] * 101), "100 images"),
    "no PDF": (shows(b"words", **PAPER), "not valid"),
    "101 pages": (shows(pdf(101), **PAPER), "100 PDF pages"),
    "101 pages of two": (shows(pdf(51), pdf(50), **PAPER), "100 PDF pages"),
}


@pytest.mark.parametrize(("change", "message"), NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_images_and_documents_that_the_real_one_refuses_are_refused(client, change, message):
    got = refusal(client, **{**asking(), **change})
    assert (got[0], message in got[2]) == (400, True), got


def test_images_and_documents_count_by_size_and_pages_within_a_result_too(client):
    def counted(**change):
        return client.messages.count_tokens(model=MODEL, **change).input_tokens

    assert counted(**shows(*[png(1500, 750)] * 2)) == 2 * 1500
    assert counted(**shows(pdf(3), **PAPER)) == 3 * 2000
    call = client.messages.create(**asking(tools=[BASH]))
    plain = {key: value for key, value in answered(call, "ok").items() if key != "max_tokens"}
    before = counted(**{key: value for key, value in plain.items() if key != "model"})
    result = plain["messages"][-1]["content"][0]
    result["content"] = [{"type": "text", "text": "ok"}, *shows(pdf(3), **PAPER)["messages"][0]["content"]]
    after = counted(**{key: value for key, value in plain.items() if key != "model"})
    assert 6000 <= after - before < 6020


@pytest.mark.parametrize(("change", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_the_real_one_refuses_is_refused(client, change, status, message):
    request = {**asking(), **change}
    extra = {key: request.pop(key) for key in ("temperature", "context_management") if key in request}
    got = refusal(client, **request, extra_body=extra)
    assert (got[0], message in got[2]) == (status, True), got


def unpaired(call):
    """Requests whose calls and results do not fit, after the answer `call`."""
    good = answered(call, "ok")
    said, result = good["messages"][1], good["messages"][2]["content"][0]
    first = good["messages"][0]
    yield "ids were found without", [first, said, {"role": "user", "content": "never mind"}]
    yield "unexpected `tool_use_id`", [{"role": "user", "content": [result]}]
    yield "must be unique", [first, said, {"role": "user", "content": [result, result]}]
    text = {"type": "text", "text": "well"}
    yield "must come first", [first, said, {"role": "user", "content": [text, result]}]
    yield "must be unique", [*good["messages"], said, good["messages"][2]]
    yield "can't be in a message", [{"role": "user", "content": said["content"]}, {"role": "user", "content": [result]}]


def test_calls_and_results_must_fit(client):
    call = client.messages.create(**asking(tools=[BASH]))
    for message, messages in unpaired(call):
        got = refusal(client, **asking(tools=[BASH], messages=messages))
        assert (got[0], message in got[2]) == (400, True), got


def test_neighbouring_messages_of_one_role_count_as_one(client):
    call = client.messages.create(**asking(tools=[BASH]))
    request = answered(call, "seen it")
    request["messages"].append({"role": "user", "content": "and more"})
    assert "seen it" in client.messages.create(**request).content[0].text


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"anthropic-version": VERSION}, 401, "a key is required"),
        ({"x-api-key": "k"}, 400, "anthropic-version"),
        ({"x-api-key": "k", "anthropic-version": "2020-01-01"}, 501, "2020-01-01"),
        (
            {"x-api-key": "k", "anthropic-version": VERSION, "anthropic-beta": "x-2026"},
            400,
            "Unexpected value(s) `x-2026`",
        ),
    ],
)
def test_a_request_needs_its_headers(api, headers, status, message):
    response = api.http.request("POST", f"{api.url}/v1/messages", json=asking(), headers=headers)
    assert (response.status, message in response.json()["error"]["message"]) == (status, True)


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"'])
def test_a_body_that_is_no_json_object_is_refused(api, body):
    headers = {"x-api-key": "k", "anthropic-version": VERSION}
    response = api.http.request("POST", f"{api.url}/v1/messages", body=body, headers=headers)
    assert (response.status, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_unknown_call_gets_the_vendors_not_found(api):
    response = api.http.request("GET", f"{api.url}/v1/nothing")
    assert (response.status, response.json()["error"]["type"]) == (404, "not_found_error")


def faults(api):
    return api.http.request("GET", f"{api.url}/_local/faults").json()


def order(api, **fault):
    assert api.http.request("POST", f"{api.url}/_local/faults", json=fault).status == 200


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, anthropic.RateLimitError), (500, anthropic.InternalServerError), (529, anthropic.OverloadedError)],
)
def test_an_ordered_status_comes_as_often_as_ordered(api, client, status, error):
    order(api, status=status, times=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(error) as caught:
            client.messages.create(**asking())
        assert caught.value.response.headers["retry-after"] == "7"
    assert client.messages.create(**asking()).stop_reason == "end_turn"


def test_an_ordered_cut_breaks_the_stream_after_its_events(api, client):
    order(api, after_events=3, times=1)
    seen = []
    with pytest.raises(Exception, match=r"incomplete|closed|peer"):
        seen += (event.type for event in client.messages.create(**asking(), stream=True))
    assert seen == ["message_start", "content_block_start", "content_block_delta"]
    assert client.messages.create(**asking()).stop_reason == "end_turn"


def test_an_ordered_hang_outlasts_the_clients_patience(api, client):
    order(api, hang_s=5)
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.3).messages.create(**asking())


def test_ordered_faults_can_be_called_off(api, client):
    order(api, status=529)
    api.http.request("DELETE", f"{api.url}/_local/faults")
    assert client.messages.create(**asking()).stop_reason == "end_turn"


@pytest.mark.parametrize("fault", [{"kind": "flood"}, {"status": 418}, {"hang_s": -1}])
def test_an_unknown_fault_is_refused_and_its_field_named(api, fault):
    response = api.http.request("POST", f"{api.url}/_local/faults", json=fault)
    assert (response.status, response.json()["field"]) == (400, *fault)


def test_the_answer_for_one_turn_of_one_conversation_is_held_until_it_is_released(api, client):
    order(api, hold=True, times=1, match="Hello", turn=2)
    call = client.messages.create(**asking(tools=[BASH]))
    with ThreadPoolExecutor() as pool:
        held = pool.submit(client.messages.create, **answered(call, "ok"))
        assert wait_until(lambda: faults(api)["held"] == 1, 10)
        assert client.messages.create(**answered(call, "ok")).content
        assert not held.done()
        api.http.request("DELETE", f"{api.url}/_local/faults")
        assert held.result(10).content
    assert faults(api) == {"faults": [], "held": 0}


def test_the_bill_has_every_request_and_survives_a_restart(api, client):
    message = client.messages.create(**asking())
    with contextlib.suppress(anthropic.APIStatusError):
        client.messages.create(**{**asking(), "model": "claude-none"})
    with running(create(api.folder)) as url:
        bill = api.http.request("GET", f"{url}/_local/requests").json()["requests"]
    assert [(row["status"], row["model"]) for row in bill] == [(200, MODEL), (404, None)]
    assert bill[0]["id"] == message._request_id
    assert bill[0]["usage"]["output_tokens"] == message.usage.output_tokens
    assert "made-up" not in str(bill)


def test_it_runs_alone_says_where_and_ends_quietly(tmp_path):
    command = [sys.executable, "-m", "doubles.claude", "--port", "0", "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        name, ready, url = process.stdout.readline().split()
        assert (name, ready) == ("claude", "ready")
        assert urllib3.request("GET", f"{url}/v1/models").status == 401
        process.terminate()
    assert process.returncode == 0
