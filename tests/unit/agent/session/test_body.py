"""What goes out as a request's body, byte for byte, and how much of it is in memory."""

import base64
import json
import tracemalloc

import pytest

from agent.record import media
from agent.session.body import Body

PDF = {"name": "a.pdf", "media_type": media.PDF, "sha256": "a", "pages": 1, "first": 1, "of": 1}
IMAGE = {"name": "a.png", "media_type": "image/png", "sha256": "b", "side": 9}


def asked(*content):
    return {"model": "m", "messages": [{"role": "user", "content": [*content]}], "stream": True}


def sent(parameters, kept=lambda _name: None):
    body = Body(parameters, kept)
    pieces = b"".join(body)
    assert (len(pieces), b"".join(body)) == (body.size, pieces)
    return json.loads(pieces)


def test_what_shows_nothing_goes_out_as_it_is():
    texts = [
        {"type": "text", "text": 'Grüße \u0000 "\n'},
        {"type": "tool_use", "id": "t", "input": {"source": {"a": 1}}},
    ]
    said = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": texts},
        {"role": "user", "content": []},
    ]
    parameters = {"model": "m", "system": "S", "tools": [], "messages": said, "stream": True}
    assert sent(parameters) == parameters


def test_bytes_stand_where_the_journal_has_names(tmp_path):
    (tmp_path / "a").write_bytes(b"%PDF-")
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "here"}],
        "is_error": False,
    }
    whole = {**result, "content": [*result["content"], media.block(PDF)]}
    [told, image] = sent(asked(whole, media.block(IMAGE)), lambda name: tmp_path / name if name == "a" else None)[
        "messages"
    ][0]["content"]
    source = {"type": "base64", "media_type": media.PDF, "data": base64.b64encode(b"%PDF-").decode()}
    assert told == {**result, "content": [*result["content"], {"type": "document", "source": source}]}
    assert image == {"type": "text", "text": "[a.png was shown here, and is not on this host: view it again]"}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 48 * 1024 - 1, 48 * 1024, 48 * 1024 + 1, 200_000])
def test_a_file_of_any_length_is_one_text_of_base64(tmp_path, size):
    content = bytes(n % 251 for n in range(size))
    (tmp_path / "image").write_bytes(content)
    [image] = sent(asked(media.block(IMAGE)), lambda _name: tmp_path / "image")["messages"][0]["content"]
    assert base64.b64decode(image["source"]["data"], validate=True) == content


def test_a_large_request_is_never_in_memory_as_a_whole(tmp_path):
    with (tmp_path / "image").open("wb") as file:
        file.truncate(20_000_000)
    tracemalloc.start()
    try:
        body = Body(asked(media.block(IMAGE)), lambda _name: tmp_path / "image")
        assert sum(map(len, body)) == body.size > 26_000_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
