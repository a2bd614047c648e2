"""Images and PDF documents, looked at through the sandbox."""

import time

import pypdf
import pytest

from agent.record import media
from agent.record.blobs import Blobs
from agent.sandbox.run import Sandbox
from agent.settings import ToolLimits
from agent.tools.editor import edit
from agent.tools.result import CallFailed
from agent.tools.viewing import Viewer, library
from tests.papers import pdf, png

pytestmark = pytest.mark.process


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def sandbox(workspace):
    return Sandbox(workspace, ToolLimits(seconds=60), time.monotonic, lambda: float("inf"), shown=library())


@pytest.fixture
def viewer(sandbox, blobs):
    return Viewer(sandbox, blobs, lambda one: "no room for it" if one["bytes"] > 5_000_000 else "")


def view(sandbox, viewer, path, **more):
    return edit(sandbox, {"command": "view", "path": path, **more}, viewer)


def test_an_image_is_shown_as_it_is(sandbox, viewer, blobs, workspace):
    (workspace / "plan.png").write_bytes(png(1200, 800))
    result = view(sandbox, viewer, "/workspace/plan.png")
    [one] = result.carries["shown"]
    assert (result.is_error, result.content) == (False, "plan.png: it is shown here.")
    assert (one["media_type"], one["side"], one["tokens"]) == ("image/png", 1200, media.image_tokens(1200, 800))
    assert blobs.find(one["sha256"]).read_bytes() == png(1200, 800)


JPEG = b"\xff\xd8\xff\xe0\0\4ab\xff\xff\xc0\0\x11\x08" + b"\0\x20\0\x40" + bytes(20)
WEBP = b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + b"\x3f\0\0\x1f\0\0"


@pytest.mark.parametrize("content", [JPEG, b"GIF89a\x40\0\x20\0rest", WEBP], ids=["jpeg", "gif", "webp"])
def test_each_kind_of_image_has_its_size(viewer, workspace, content):
    (workspace / "image").write_bytes(content)
    assert viewer.keep("image")["side"] == 64


def test_a_pdf_is_shown_whole_or_by_its_pages(sandbox, viewer, blobs, workspace):
    (workspace / "rates.pdf").write_bytes(pdf(5))
    whole = view(sandbox, viewer, "rates.pdf")
    assert whole.content == "rates.pdf, pages 1 to 5 of 5: it is shown here."
    assert blobs.find(whole.carries["shown"][0]["sha256"]).read_bytes() == pdf(5)
    part = view(sandbox, viewer, "rates.pdf", view_range=[4, -1])
    assert part.content == "rates.pdf, pages 4 to 5 of 5: it is shown here."
    assert len(pypdf.PdfReader(blobs.find(part.carries["shown"][0]["sha256"])).pages) == 2


def test_a_page_that_is_denser_than_pages_are_costs_what_it_holds(viewer, workspace):
    (workspace / "dense.pdf").write_bytes(pdf(2, "x" * 50_000))
    assert viewer.keep("dense.pdf")["tokens"] == 2 * media.IMAGE_TOKENS + 100_000


REFUSED = {
    "no such pages": (pdf(2), {"view_range": [2, 3]}, "they are 1 to 2"),
    "too many pages": (pdf(101), {}, "100 can be shown"),
    "encrypted": (pdf(1, password="secret"), {}, "encrypted"),
    "only the first words of one": (b"%PDF-1.7\nnothing", {}, "can't be read as a PDF"),
    "half an image": (png(9, 9)[:20], {}, "no image whose size"),
    "no pixels": (png(0, 9), {}, "no image whose size"),
    "no numbers": (pdf(1), {"view_range": ["a", "b"]}, "can't be"),
}


@pytest.mark.parametrize(("content", "more", "why"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_shown_says_why(sandbox, viewer, workspace, content, more, why):
    (workspace / "file").write_bytes(content)
    with pytest.raises(CallFailed, match=why):
        view(sandbox, viewer, "file", **more)


def test_what_there_is_no_room_for_is_neither_shown_nor_kept(viewer, workspace, tmp_path):
    (workspace / "large.png").write_bytes(png(10, 10) + bytes(6_000_000))
    with pytest.raises(CallFailed, match=r"large\.png can't be shown: no room for it"):
        viewer.keep("large.png")
    assert not (tmp_path / "blobs").exists()


def test_a_file_over_the_limit_is_not_read(viewer, workspace):
    (workspace / "huge.png").write_bytes(png(10, 10) + bytes(media.MOST_BYTES))
    with pytest.raises(CallFailed, match="make it smaller"):
        viewer.keep("huge.png")


def test_a_link_out_of_the_workspace_shows_nothing(viewer, workspace):
    secret = workspace.parent / "secret.png"
    secret.write_bytes(png(10, 10))
    (workspace / "link.png").symlink_to(secret)
    with pytest.raises(CallFailed, match="No such file"):
        viewer.keep("link.png")


def test_a_text_stays_a_text(sandbox, viewer, workspace):
    (workspace / "a.txt").write_text("PDF-")
    assert view(sandbox, viewer, "a.txt").content == "     1\tPDF-"
