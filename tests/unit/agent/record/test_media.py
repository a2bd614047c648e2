"""What images and documents cost, how requests get their bytes, and where those are kept."""

import base64
import random
import re

import pytest

from agent.record import media, price_file
from agent.record.blobs import Blobs
from agent.record.limits import Limits, bound, hand_over_due, no_room
from doubles.claude import media as vendor
from tests.papers import pdf, png
from wire.types import Event, EventKind

MODEL = "claude-sonnet-5-5"
LIMITS = Limits(turns=30, hand_over_tokens=90_000, usd_micros=5_000_000, max_tokens=1000)
IMAGE = {"name": "a.png", "media_type": "image/png", "bytes": 100, "side": 800, "tokens": 900, "usual": 900}
PDF = {"name": "a.pdf", "media_type": media.PDF, "bytes": 9000, "pages": 3, "first": 1, "of": 3}
PDF |= {"tokens": media.pdf_tokens(3, 0), "usual": 3 * media.PAGE_USUAL}


def events(*shown, tokens=0):
    used = {"usage": {"input_tokens": tokens, "output_tokens": 0}}
    settled = Event(n=1, at="", kind=EventKind.SETTLE, data=used | {"turn": 1, "usd_micros": 10})
    result = {"tool_use_id": "t", "content": "", "is_error": False, "shown": [*shown]}
    return [*([settled] if tokens else []), Event(n=2, at="", kind=EventKind.TOOL_RESULT, data=result)]


def source(kind, content):
    return {"source": {"type": "base64", "media_type": kind, "data": base64.b64encode(content).decode()}}


def test_no_image_costs_more_than_was_reckoned():
    rng = random.Random(5)
    for _ in range(300):
        width, height = (int(2 ** rng.uniform(0, 13)) for _ in range(2))
        billed = vendor.tokens({"type": "image", **source("image/png", png(width, 1)[:16] + size(width, height))})
        assert billed <= media.image_tokens(width, height) <= media.IMAGE_TOKENS


def size(width, height):
    return width.to_bytes(4) + height.to_bytes(4)


def test_a_document_is_reckoned_by_its_pages_and_not_by_its_bytes():
    billed = vendor.tokens({"type": "document", **source(media.PDF, pdf(7))})
    assert billed <= media.pdf_tokens(7, 0) == 7 * 7784


def test_the_bound_has_what_is_shown_anew_and_not_what_was_sent():
    shown = events(IMAGE, PDF, tokens=500)
    assert bound(shown, 100, 0) - bound(events(tokens=500), 100, 0) == 900 + 3 * 7784
    assert bound([*shown, *events(tokens=5000)], 100, 0) == bound(events(tokens=5000), 100, 0)


def test_what_is_shown_counts_towards_the_hand_over():
    ten = {**PDF, "usual": 30_000}
    assert not hand_over_due(events(ten, tokens=59_000), LIMITS)
    assert hand_over_due(events(ten, tokens=61_000), LIMITS)


ROOM = {
    "a heavy image": ([], {**IMAGE, "bytes": 4_000_000}, 500, "3932 kB, and it has 4000"),
    "a wide image": ([], {**IMAGE, "side": 8001}, 500, "8000 pixels"),
    "the 21st": ([IMAGE] * 20, IMAGE, 500, "20 images"),
    "more than a request": ([{**IMAGE, "bytes": 3_000_000}] * 3, {**PDF, "bytes": 2_000_000}, 500, "10 MB"),
    "the 101st page": ([{**PDF, "pages": 98, "usual": 0}], PDF, 500, "100 pages"),
    "more than a session": ([], {**PDF, "usual": 60_000, "pages": 20}, 40_000, r"room for 50000; .* now 16 at most"),
    "more than the money": ([], {**PDF, "tokens": 2_000_000}, 500, "dollars"),
}


@pytest.mark.parametrize(("before", "one", "tokens", "why"), ROOM.values(), ids=ROOM)
def test_what_does_not_fit_is_refused_before_it_is_sent(before, one, tokens, why):
    said = no_room(events(*before, tokens=tokens), one, LIMITS, price_file.load(None, MODEL), MODEL)
    assert re.search(why, said)


@pytest.mark.parametrize("one", [IMAGE, PDF])
def test_what_fits_is_not_refused(one):
    assert no_room(events(IMAGE, tokens=500), one, LIMITS, price_file.load(None, MODEL), MODEL) == ""


def test_a_request_gets_the_bytes_where_the_journal_has_names():
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "here"}]}
    result["content"].append(media.block({**PDF, "sha256": "a"}))
    parameters = {"messages": [{"role": "user", "content": [result, media.block({**IMAGE, "sha256": "b"})]}]}
    [told, image] = media.filled(parameters, {"a": b"%PDF-"}.get)["messages"][0]["content"]
    assert told["content"][1] == {"type": "document", **source(media.PDF, b"%PDF-")}
    assert image["text"] == "[a.png was shown here, and is not on this host: view it again]"


def test_a_blob_is_kept_once_and_read_whole_or_not_at_all(tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    name = blobs.keep(b"content")
    assert blobs.keep(b"content") == name
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [name]
    assert (blobs.read(name), blobs.read("0" * 64)) == (b"content", None)
    (tmp_path / "blobs" / name).write_bytes(b"damaged")
    assert blobs.read(name) is None
