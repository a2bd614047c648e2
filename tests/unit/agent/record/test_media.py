"""What images and documents cost, and where their bytes are kept."""

import base64
import random
import re
import tracemalloc
from dataclasses import replace

import pytest

from agent.record import limits, media, price_file
from agent.record.blobs import Blobs
from agent.record.limits import Limits, bound, bytes_to_show, hand_over_due, no_room
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
    "a heavy image": ([], {**IMAGE, "bytes": 4_000_000}, 500, "3932 kB, and it has 4000:"),
    "a wide image": ([], {**IMAGE, "side": 8001}, 500, "8000 pixels"),
    "the 21st": ([IMAGE] * 20, IMAGE, 500, "20 images"),
    "more than a request": ([{**IMAGE, "bytes": 3_500_000}] * 6, {**PDF, "bytes": 3_000_000}, 500, "than 23 MB"),
    "the 101st page": ([{**PDF, "pages": 98, "usual": 0}], PDF, 500, "100 pages"),
    "more than a session": ([], {**PDF, "usual": 60_000, "pages": 20}, 40_000, r"room for 50000; .* now 16 at most"),
    "an image beyond a session": ([], {**IMAGE, "usual": 900}, 89_100, r"session has room for 900\.$"),
    "a session that is full": ([], PDF, 95_000, "room for 0; .* now 0 at most"),
    "more than the money": ([], {**PDF, "tokens": 2_000_000}, 500, "dollars"),
}


@pytest.mark.parametrize(("before", "one", "tokens", "why"), ROOM.values(), ids=ROOM)
def test_what_does_not_fit_is_refused_before_it_is_sent(before, one, tokens, why):
    said = no_room(events(*before, tokens=tokens), one, LIMITS, price_file.load(None, MODEL), MODEL)
    assert re.search(why, said)


JUST_FITS = {
    "an image": ([IMAGE], IMAGE, 500),
    "a document": ([IMAGE], PDF, 500),
    "a document before the first answer": ([IMAGE], PDF, 0),
    "the heaviest image": ([], {**IMAGE, "bytes": media.MOST_IMAGE_BYTES}, 500),
    "the widest image": ([], {**IMAGE, "side": media.MOST_SIDE}, 500),
    "the last bytes": ([{**PDF, "bytes": bytes_to_show(LIMITS) - 9000}], PDF, 500),
    "the 100th page": ([{**PDF, "pages": 97, "usual": 0}], PDF, 500),
    "an image beside 100 pages": ([{**PDF, "pages": 100, "usual": 0}], IMAGE, 500),
    "the session's last tokens": ([], {**IMAGE, "usual": 899}, 89_100),
}


@pytest.mark.parametrize(("before", "one", "tokens"), JUST_FITS.values(), ids=JUST_FITS)
def test_what_fits_is_not_refused(before, one, tokens):
    assert no_room(events(*before, tokens=tokens), one, LIMITS, price_file.load(None, MODEL), MODEL) == ""


def test_what_is_shown_is_refused_by_what_it_and_a_hand_over_may_cost():
    prices = price_file.load(None, MODEL)
    shown = events(IMAGE, tokens=500)
    shown[-1].data["content"] = "a result of 25 characters"
    prompt = 500 + 25 + IMAGE["tokens"] + PDF["tokens"] + limits.MARGIN
    longer = prompt + LIMITS.max_tokens + limits.RESULTS
    worst = prices.worst(MODEL, prompt, LIMITS.max_tokens) + prices.worst(MODEL, longer, LIMITS.max_tokens)
    enough, less = (replace(LIMITS, usd_micros=10 + worst - short) for short in (0, 1))
    assert no_room(shown, PDF, enough, prices, MODEL) == ""
    assert "dollars" in no_room(shown, PDF, less, prices, MODEL)


@pytest.mark.parametrize("tokens", [10_000, 90_000, 900_000])
def test_what_is_shown_leaves_room_in_a_request_for_the_longest_conversation(tokens):
    most = bytes_to_show(Limits(turns=30, hand_over_tokens=tokens, usd_micros=1, max_tokens=1))
    assert most // 3 * 4 + 2 * 4 * tokens <= media.REQUEST_BYTES
    assert most > 18_000_000


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def kept(blobs, content):
    with blobs.draft() as draft:
        draft.write(content)
        return blobs.keep(draft)


def test_a_blob_is_kept_once_and_found_whole_or_not_at_all(tmp_path, blobs):
    name = kept(blobs, b"content")
    assert kept(blobs, b"content") == name
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [name]
    assert (blobs.find(name).read_bytes(), blobs.find("0" * 64)) == (b"content", None)
    (tmp_path / "blobs" / name).write_bytes(b"damaged")
    assert Blobs(tmp_path / "blobs").find(name) is None
    assert kept(Blobs(tmp_path / "blobs"), b"content") == name
    assert (tmp_path / "blobs" / name).read_bytes() == b"content"


def test_a_draft_that_is_not_kept_leaves_nothing(tmp_path, blobs):
    with blobs.draft() as draft:
        draft.write(b"content")
    assert [*tmp_path.iterdir()] == []


def test_no_blob_is_in_memory_as_a_whole(blobs):
    with blobs.draft() as draft:
        for _ in range(200):
            draft.write(bytes(100_000))
        tracemalloc.start()
        try:
            blobs.find(blobs.keep(draft))
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()
