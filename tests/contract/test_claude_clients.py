"""The double of the Messages API as clients in use speak to it: betas, tool runners, tool choice, images, bad days on
order, and scripts that users write.
"""

import base64
import json
import random
import struct
import subprocess
import sys
import zlib
from types import SimpleNamespace

import anthropic
import pytest
import urllib3
from anthropic import beta_tool

from doubles.claude.betas import CLIENTS, KNOWN
from doubles.claude.messages import VERSION, create
from doubles.claude.script import load
from doubles.reading import Invalid
from local.serve import running

MODEL = "claude-sonnet-5-5"
BASH = {"type": "bash_20250124", "name": "bash"}
NOTE = {
    "name": "note",
    "input_schema": {
        "type": "object",
        "properties": {"text": {"type": "string"}, "level": {"enum": ["low", "high"]}, "n": {"type": "integer"}},
        "required": ["text", "level", "n"],
    },
}


@pytest.fixture
def served(tmp_path):
    """Serve the double, with a script where one is given."""

    def serve(script=None):
        if script is not None:
            (tmp_path / "script.json").write_text(json.dumps({"conversation": script}), encoding="utf-8")
        played = load(tmp_path / "script.json") if script is not None else None
        return running(create(tmp_path / "state", rng=random.Random(1), script=played))

    return serve


@pytest.fixture
def api(served):
    with served() as url:
        yield SimpleNamespace(url=url, http=urllib3.PoolManager(retries=False))


@pytest.fixture
def client(api):
    return client_of(api.url)


def client_of(url):
    # Without TLS, for which each client would read the machine's authorities.
    plain = anthropic.DefaultHttpxClient(verify=False)
    return anthropic.Anthropic(base_url=url, api_key="made-up", max_retries=0, timeout=20, http_client=plain)


def asking(text="Hello", **more):
    return {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": text}], **more}


def refused(client, **request):
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**request)
    return caught.value.status_code, caught.value.body["error"]["message"]


@pytest.mark.parametrize("version", [VERSION, "2023-06-01"])
@pytest.mark.parametrize("address", ["/v1/messages", "/v1/messages?beta=true"])
def test_any_client_is_answered_with_beta_in_the_address_and_without_a_header_for_it(api, version, address):
    headers = {"x-api-key": "k", "anthropic-version": version}
    response = api.http.request("POST", f"{api.url}{address}", json=asking(), headers=headers)
    assert (response.status, response.json()["type"]) == (200, "message")


@pytest.mark.parametrize("beta", [*sorted(CLIENTS), "interleaved-thinking-2025-05-14"])
def test_the_betas_of_todays_clients_are_taken(client, beta):
    assert beta in KNOWN
    assert client.beta.messages.create(**asking(), betas=[beta]).stop_reason == "end_turn"


CONTEXT = "context-management-2025-06-27"
KEEPS_ALL = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}


@pytest.mark.parametrize("edit", [{"keep": {"type": "thinking_turns", "value": 1}}, {"type": "compact_20260112"}])
def test_what_is_built_by_no_beta_says_so(client, edit):
    edits = {"edits": [{**KEEPS_ALL["edits"][0], **edit}]}
    if "type" in edit:
        edits = {"edits": [edit]}
    with pytest.raises(anthropic.InternalServerError, match="context_management is not built"):
        client.beta.messages.create(**asking(), betas=[CONTEXT], context_management=edits)


SYSTEM = {"role": "system", "content": [{"type": "text", "text": "# Environment"}], "output_config": {"effort": "low"}}
EFFORT = "per-turn-control-2026-07-01"


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-haiku-5-5"])
def test_a_request_of_claudes_own_command_line_is_answered(client, model):
    """As its version 2.1.332 sends them: the most tokens, words of the system on the way, thinking kept and hidden."""
    request = {
        **asking(tools=[NOTE], max_tokens=128_000, model=model),
        "system": [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "medium"},
        "context_management": KEEPS_ALL,
        "betas": ["claude-code-20250219", CONTEXT, EFFORT, "thinking-token-count-2026-05-13"],
    }
    request["messages"] = [{"role": "user", "content": "Hello"}, SYSTEM]
    with client.beta.messages.stream(**request) as stream:
        made = stream.get_final_message()
    assert (made.stop_reason, made.context_management.applied_edits) == ("end_turn", [])


@pytest.mark.parametrize(
    ("messages", "betas", "words"),
    [
        ([SYSTEM, {"role": "user", "content": "Hello"}], [EFFORT], "first message must use the user role"),
        (
            [{"role": "user", "content": "Hello"}, SYSTEM],
            [],
            "messages.1.output_config: Extra inputs are not permitted",
        ),
        ([{"role": "user", "content": "Hello"}, {"role": "system", "content": []}], [EFFORT], "must have content"),
    ],
)
def test_words_of_the_system_on_the_way_are_refused_where_the_real_one_does(client, messages, betas, words):
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.beta.messages.create(**asking(messages=messages), betas=betas or ["claude-code-20250219"])


def test_more_tokens_and_a_longer_prompt_come_with_their_betas(client):
    assert refused(client, **asking(max_tokens=200_000), stream=True)[0] == 400
    with client.beta.messages.stream(**asking(max_tokens=200_000), betas=["output-300k-2026-03-24"]) as stream:
        assert stream.get_final_message().stop_reason == "end_turn"
    long = asking("x" * 1_000_000)
    assert "prompt is too long" in refused(client, **long)[1]
    assert client.beta.messages.create(**long, betas=["context-1m-2025-08-07"]).usage.input_tokens > 200_000


@beta_tool
def look(folder: str) -> str:
    """Look into a folder.

    Args:
        folder: its path
    """
    return f"bookings.csv in {folder}"


TWO_STEPS = [
    {
        "match": "Look",
        "answer": [
            {"text": "I'll look.", "calls": [{"name": "look", "input": {"folder": "/work"}}]},
            {"text": "There are bookings."},
        ],
    }
]


def test_the_sdks_own_tool_runner_runs_to_its_end(served):
    with served(TWO_STEPS) as url:
        runner = client_of(url).beta.messages.tool_runner(**asking("Look around"), tools=[look])
        assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]


def test_the_sdks_own_tool_runner_streams_to_its_end(served):
    with served(TWO_STEPS) as url:
        runner = client_of(url).beta.messages.tool_runner(**asking("Look around"), tools=[look], stream=True)
        texts = [stream.get_final_message().content[0].text for stream in runner]
    assert texts == ["I'll look.", "There are bookings."]


def test_a_thread_is_held_and_one_that_was_lost_or_went_on_already_says_so(served):
    with served(TWO_STEPS) as url:
        client, betas = client_of(url), ["message-threads-2026-08-12"]
        first = client.beta.messages.create(
            **asking("Look around", tools=[NOTE]), betas=betas, thread={"type": "create"}
        )
        shown = {"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "bookings.csv"}

        def go_on(previous):
            new = {"model": MODEL, "max_tokens": 2000, "messages": [{"role": "user", "content": [shown]}]}
            thread = {"type": "continue", "previous_message_id": previous}
            return client.beta.messages.create(**new, betas=betas, thread=thread)

        assert go_on(first.id).content[0].text == "There are bookings."
        for previous, code in ((first.id, "thread_already_continued"), ("msg_none", "thread_not_found")):
            with pytest.raises(anthropic.APIStatusError) as caught:
                go_on(previous)
            assert caught.value.body["error"]["details"] == {"error_code": code}


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
THOUGHT = [
    {
        "match": "Think",
        "answer": [
            {
                "blocks": [{"type": "thinking", "thinking": "Where? " * 20}, {"type": "redacted_thinking"}],
                "calls": [{"name": "look", "input": {"folder": "/work"}}],
            },
            {"text": "There are bookings."},
        ],
    }
]


def thinks(url, *, stream, **more):
    """The answer of a model that thinks, as a client that streams or does not has it, to be sent back."""
    request = asking("Think", tools=[BASH], **{**THINKING, **more})
    if not stream:
        made = client_of(url).messages.create(**request)
    else:
        with client_of(url).messages.stream(**request) as streamed:
            made = streamed.get_final_message()
    return made.model_dump(mode="json", include={"role", "content"}, exclude_none=True)


def going_on(said, **more):
    shown = {"type": "tool_result", "tool_use_id": said["content"][-1]["id"], "content": "ok"}
    asked = {"role": "user", "content": "Think"}
    return asking(tools=[BASH], messages=[asked, said, {"role": "user", "content": [shown]}], **{**THINKING, **more})


@pytest.mark.parametrize("stream", [True, False])
def test_thinking_is_signed_and_taken_back_only_as_it_was(served, stream):
    with served(THOUGHT) as url:
        client, said = client_of(url), thinks(url, stream=stream)
        assert [block["type"] for block in said["content"]] == ["thinking", "redacted_thinking", "tool_use"]
        assert said["content"][0]["thinking"] == "Where? " * 20
        assert client.messages.create(**going_on(said)).content[-1].text == "There are bookings."
        thought, sealed, call = said["content"]
        for wrong, words in (
            ([{**thought, "thinking": "There!"}, sealed, call], "Invalid `signature`"),
            ([thought, {**sealed, "data": "else"}, call], "Invalid `data`"),
            ([{"type": "text", "text": "Well."}, thought, call], "the first block must be `thinking`"),
            ([call], "Expected `thinking` or `redacted_thinking`, but found `tool_use`"),
        ):
            status, message = refused(client, **going_on({**said, "content": wrong}))
            assert (status, words in message) == (400, True), message
        forged = {"role": "user", "content": [thought]}
        assert "can't be in a message of the role user" in refused(client, **asking(messages=[forged]))[1]


def test_a_model_that_is_to_think_does_and_hides_it_where_that_is_asked(served):
    with served(TWO_STEPS) as url:
        said = thinks(url, stream=False)
        assert (said["content"][0]["type"], bool(said["content"][0]["thinking"])) == ("thinking", True)
        hidden = thinks(url, stream=True, thinking={**THINKING["thinking"], "display": "omitted"})
        assert (hidden["content"][0]["thinking"], bool(hidden["content"][0]["signature"])) == ("", True)
        assert client_of(url).messages.create(**going_on(hidden)).content
        without = thinks(url, stream=False, thinking={"type": "disabled"})
        assert "thinking" not in [block["type"] for block in without["content"]]


def test_the_sdks_own_tool_runner_thinks_to_its_end(served):
    with served(THOUGHT) as url:
        runner = client_of(url).beta.messages.tool_runner(**asking("Think", **THINKING), tools=[look])
        assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]


def test_a_forced_tool_is_called_with_an_input_that_fits_its_schema(client):
    message = client.messages.create(**asking(tools=[BASH, NOTE], tool_choice={"type": "tool", "name": "note"}))
    (call,) = message.content
    assert (call.name, call.input) == ("note", {"text": "example", "level": "low", "n": 1})
    any_of_them = client.messages.create(**asking(tools=[NOTE], tool_choice={"type": "any"}))
    assert (any_of_them.stop_reason, any_of_them.content[0].name) == ("tool_use", "note")


def test_no_tool_is_called_where_none_may_be(client):
    message = client.messages.create(**asking(tools=[BASH], tool_choice={"type": "none"}))
    assert (message.stop_reason, {block.type for block in message.content}) == ("end_turn", {"text"})


def test_one_call_at_most_where_parallel_ones_are_off(served):
    calls = [{"name": "bash", "input": {"command": f"echo {n}"}} for n in range(3)]
    one = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    with served([{"answer": [{"text": "now", "calls": calls}]}]) as url:
        assert len(client_of(url).messages.create(**asking(tools=[BASH])).content) == 4
        assert len(client_of(url).messages.create(**asking(tools=[BASH], **one)).content) == 2


def test_a_stop_sequence_ends_the_answer_before_itself(served):
    with served([{"answer": [{"text": "one, two, three", "calls": [{"name": "bash"}]}]}]) as url:
        message = client_of(url).messages.create(**asking(tools=[BASH], stop_sequences=["nine", ", th"]))
    assert (message.content[0].text, len(message.content)) == ("one, two", 1)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", ", th")


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def image(data, media="image/png"):
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": base64.b64encode(data).decode()}}


def pdf(pages):
    data = b"%PDF-1.7\n" + b"<< /Type /Page >>\n" * pages + b"<< /Type /Pages >>"
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}
    return {"type": "document", "source": source}


def seeing(*blocks):
    return [{"role": "user", "content": [*blocks, {"type": "text", "text": "What is it?"}]}]


def test_images_and_documents_are_read_and_cost_what_they_show(client):
    def cost(*blocks):
        request = {"model": MODEL, "messages": seeing(*blocks)}
        counted = client.messages.count_tokens(**request).input_tokens
        assert client.messages.create(**request, max_tokens=100).usage.input_tokens == counted
        return counted

    nothing = cost()
    assert cost(image(png(750, 100))) - nothing == 100
    assert cost(image(png(4000, 4000))) - nothing == 1600
    assert cost(pdf(3)) - nothing == 6000
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word " * 100}}
    assert 0 < cost(plain) - nothing < 200


def test_a_tools_result_may_have_an_image(client):
    call = client.messages.create(**asking(tools=[BASH]))
    said = call.model_dump(mode="json", include={"role", "content"}, exclude_none=True)
    shown = {"type": "tool_result", "tool_use_id": call.content[-1].id, "content": [image(png(75, 75))]}
    messages = [{"role": "user", "content": "Hello"}, said, {"role": "user", "content": [shown]}]
    assert client.messages.create(**asking(tools=[BASH], messages=messages)).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (image(b"not an image"), "Could not process image"),
        (image(png(2, 2), "image/jpeg"), "does not match the provided media type"),
        (image(png(9000, 2)), "exceed max allowed size: 8000 pixels"),
        (image(png(2, 2) + b"x" * 4_000_000), "image exceeds 5 MB maximum"),
        ({**image(b""), "source": {**image(b"")["source"], "data": "?"}}, "Invalid base64 data"),
        (pdf(101), "A maximum of 100 PDF pages"),
        ({**pdf(1), "source": {**pdf(1)["source"], "data": "YWJj"}}, "The PDF specified was not valid"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_an_image_or_document_that_the_real_one_refuses_is_refused(client, block, message):
    status, said = refused(client, **asking(messages=seeing(block)))
    assert (status, message in said) == (400, True), said


@pytest.mark.parametrize("content", ["", " ", []])
def test_an_error_result_without_a_word_is_refused(client, content):
    call = client.messages.create(**asking(tools=[BASH]))
    said = call.model_dump(mode="json", include={"role", "content"}, exclude_none=True)

    def after(**result):
        shown = {"type": "tool_result", "tool_use_id": call.content[-1].id, "content": content, **result}
        messages = [{"role": "user", "content": "Hello"}, said, {"role": "user", "content": [shown]}]
        return asking(tools=[BASH], messages=messages)

    status, message = refused(client, **after(is_error=True))
    assert (status, "content cannot be empty if `is_error` is true" in message) == (400, True)
    assert client.messages.create(**after()).stop_reason == "end_turn"


def test_the_models_come_in_pages(client):
    every = [model.id for model in client.models.list()]
    assert every == [model.id for model in client.models.list(limit=3)]
    page = client.models.list(limit=2, before_id=every[5])
    assert [model.id for model in page.data] == every[3:5]
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        client.models.list(limit=0)


@pytest.mark.parametrize("body", [b'{"model": "\\ud83d"}', b"[" * 100_000, b'{"a":' * 100_000])
def test_a_body_that_is_no_sound_json_is_refused(api, body):
    headers = {"x-api-key": "k", "anthropic-version": VERSION}
    response = api.http.request("POST", f"{api.url}/v1/messages", body=body, headers=headers)
    assert (response.status, "not valid JSON" in response.json()["error"]["message"]) == (400, True)


def order(api, **fault):
    assert api.http.request("POST", f"{api.url}/_local/faults", json={"times": 1, **fault}).status == 200


def raw(api, *, stream):
    headers = {"x-api-key": "k", "anthropic-version": VERSION}
    return api.http.request("POST", f"{api.url}/v1/messages", json=asking(tools=[BASH], stream=stream), headers=headers)


@pytest.mark.parametrize("after", ["inf", "nan", "999999999999", "Wed, 13 May 2026 12:00:00 GMT", 0])
def test_a_wait_of_any_kind_can_be_ordered(api, after):
    order(api, status=429, retry_after=after)
    assert raw(api, stream=False).headers["retry-after"] == str(after)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Your credit balance is too low to access the API.", "invalid_request_error"),
        (401, "invalid x-api-key", "authentication_error"),
        (402, "no means of payment", "billing_error"),
        (404, f"model: {MODEL}", "not_found_error"),
        (413, "Request exceeds the maximum size", "request_too_large"),
        (504, "timed out", "timeout_error"),
    ],
)
def test_an_error_can_be_ordered_with_its_words(api, client, status, message, kind):
    order(api, status=status, message=message)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**asking())
    assert (caught.value.status_code, caught.value.body["error"]) == (status, {"type": kind, "message": message})


@pytest.mark.parametrize(
    ("odd", "kind", "body"),
    [("empty", "text/event-stream", ""), ("ping", "text/event-stream", "event: ping"), ("html", "text/html", "<html>")],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_200_without_a_message_can_be_ordered(api, odd, kind, body, stream):
    order(api, odd=odd)
    response = raw(api, stream=stream)
    assert (response.status, response.headers["content-type"].split(";")[0]) == (200, kind)
    text = response.data.decode()
    assert body in text
    assert "message_start" not in text
    assert raw(api, stream=stream).status == 200


def blocks(response, *, stream):
    """An answer's content as its bytes say, whichever way it came."""
    if not stream:
        return json.loads(response.data)["content"]
    events = [json.loads(line[6:]) for line in response.data.decode().splitlines() if line.startswith("data: ")]
    made = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    for event in events:
        if event["type"] == "content_block_delta":
            ((key, value),) = ((k, v) for k, v in event["delta"].items() if k != "type")
            made[event["index"]][key] = made[event["index"]].get(key, "") + value
    return made


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_is_not_as_it_should_be_can_be_ordered(api, stream):
    order(api, odd="blank")
    assert [block["text"].strip() for block in blocks(raw(api, stream=stream), stream=stream)] == [""]
    order(api, odd="surrogate")
    assert "\ud83d" in blocks(raw(api, stream=stream), stream=stream)[0]["text"]
    order(api, odd="twice")
    assert len({block["id"] for block in blocks(raw(api, stream=stream), stream=stream)}) == 1
    order(api, odd="deep")
    assert raw(api, stream=stream).data.count(b"[") > 10_000


def test_an_odd_answer_is_charged_as_any(api):
    order(api, odd="blank")
    raw(api, stream=False)
    bill = api.http.request("GET", f"{api.url}/_local/requests").json()["requests"]
    assert bill[-1]["usage"]["output_tokens"] > 0


def test_a_users_script_is_played_answer_by_answer_and_the_rest_by_the_built_in_ones(served):
    with served(TWO_STEPS) as url:
        client = client_of(url)
        call = client.messages.create(**asking("Look here", tools=[BASH]))
        assert call.content[-1].input == {"folder": "/work"}
        assert "No script is written" in client.messages.create(**asking("Other")).content[0].text


def test_a_users_script_says_where_it_ends(served):
    with served([{"match": "", "answer": []}]) as url:
        assert refused(client_of(url), **asking()) == (
            501, "the script's conversation '' has 0 answers, and one more is asked for",
        )  # fmt: skip


def test_a_bad_day_of_a_script_is_met_once_and_then_its_answer_comes(served):
    answer = {"fault": {"status": 529}, "text": "well again", "stop_reason": "refusal"}
    with served([{"answer": [answer]}]) as url:
        assert refused(client_of(url), **asking())[0] == 529
        message = client_of(url).messages.create(**asking())
    assert (message.content[0].text, message.stop_reason) == ("well again", "refusal")


def test_a_script_may_say_an_answers_blocks_as_they_are(served):
    with served(
        [{"answer": [{"blocks": [{"type": "text", "text": " "}], "calls": [{"name": "bash", "id": "mine"}]}]}]
    ) as url:
        message = client_of(url).messages.create(**asking(tools=[BASH]))
    assert (message.content[0].text, message.content[1].id) == (" ", "mine")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[[conversation]]\nmatch = 1\n", "match"),
        ("a.toml", "[[conversation]]\nanswers = []\n", "answers"),
        ("a.toml", "[[conversation]\n", "a.toml"),
        ("a.json", "{", "a.json"),
        (
            "a.toml",
            '[[conversation]]\nanswer = [{ text = "x", fault = { hold = true } }]\n',
            "not for a script's fault",
        ),
    ],
)
def test_a_script_that_cannot_be_played_is_refused_by_name(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(Invalid, match=said):
        load(tmp_path / name)


def test_the_program_plays_a_script_and_its_help_shows_one_that_can_be_played(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "doubles.claude", "--help"], capture_output=True, text=True, check=True
    )
    lines = [line.strip() for line in told.stdout.splitlines()]
    begin = lines.index("[[conversation]]")
    shown = lines[begin : next(i for i in range(begin, len(lines)) if lines[i].startswith("One that asks"))]
    (tmp_path / "mine.toml").write_text("\n".join(shown))
    command = [sys.executable, "-m", "doubles.claude", "--port", "0", "--script", str(tmp_path / "mine.toml")]
    command += ["--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        url = process.stdout.readline().split()[2]
        message = client_of(url).messages.create(**asking("Weekly report", tools=[BASH]))
        process.terminate()
    assert message.content[-1].input == {"command": "ls"}
    (tmp_path / "mine.toml").write_text("conversation = 1")
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (refused.returncode, "mine.toml" in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)
