"""Images and PDF documents that a conversation shows to the model: what of them stands in the journal, what the API
takes, and what they cost at most. Their bytes are kept beside the journal, once; nothing here reads or writes.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from wire.types import Event

Block = dict[str, Any]

PDF = "application/pdf"
_MAGIC = {PDF: b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
REQUEST_BYTES = 32_000_000
"""Bytes of a request that the API takes. Each one carries again all that its conversation showed, a third longer as
base64.
"""
MOST_BYTES = REQUEST_BYTES // 4 * 3
"""Bytes of what is shown at once, were there nothing else in a request."""
MOST_IMAGE_BYTES = 5 * 1024 * 1024 * 3 // 4
"""Bytes of one image: as base64 the API takes 5 MB."""
MOST_SIDE = 8_000
"""Pixels of an image's longer side."""
MOST_SHOWN = 20
"""Images and documents of one conversation: from 21 on the API takes none of more than 2,000 pixels, and nothing that
was sent can be taken back.
"""
MOST_PAGES = 100
"""Pages of all documents of a conversation."""
IMAGE_TOKENS = 4_784
"""The most that an image costs: the API makes a larger one smaller. Of the models in use the largest figure."""
PAGE_TEXT = 3_000
"""Tokens of a dense page's text. Each page is read as an image besides."""
PAGE_USUAL = 3_000
"""Tokens of a page as most are, for what is to be expected and not for money."""
_PIXELS_A_TOKEN, _PATCH = 750, 28
_KEPT = "kept"


def kind(content: bytes) -> str | None:
    """Return the media type of what the API takes as an image or a document, by its first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((name for name, magic in _MAGIC.items() if content.startswith(magic)), None)


def image_tokens(width: int, height: int) -> int:
    """Return the most tokens of an image: the vendor's two formulas, by pixels and by patches, whichever is more."""
    patches = -(-width // _PATCH) * -(-height // _PATCH)
    return min(IMAGE_TOKENS, max(patches, -(-width * height // _PIXELS_A_TOKEN)))


def pdf_tokens(pages: int, glyphs: int) -> int:
    """Return the most tokens of a document: an image for each page, and its text: that of dense pages, or one token for
    each glyph where it is denser than that.
    """
    return pages * IMAGE_TOKENS + max(pages * PAGE_TEXT, glyphs)


def shown(events: Iterable[Event]) -> list[Block]:
    """Return what these records show, as the journal describes it."""
    return [one for event in events for one in event.data.get("shown", ())]


def total(many: Sequence[Block], what: str) -> int:
    """Add up one of the figures of what is shown: `bytes`, `pages`, `tokens` (at most) or `usual`."""
    return sum(one.get(what, 0) for one in many)


def block(one: Block) -> Block:
    """Return the block that stands for its image or document until it is sent (`agent.session.body`)."""
    return {"type": "document" if one["media_type"] == PDF else "image", "source": {"type": _KEPT, **one}}


def shown_by(block: Block) -> Block | None:
    """Return what the journal says of the image or document for which a block stands; None for any other block."""
    source = block.get("source")
    return source if isinstance(source, dict) and source.get("type") == _KEPT else None


def caption(one: Block) -> str:
    """Say which file, and which of its pages."""
    pages = one.get("pages", 0)
    if not pages:
        return str(one["name"])
    last = one["first"] + pages - 1
    return (
        f"{one['name']}, page {last} of {one['of']}"
        if pages == 1
        else (f"{one['name']}, pages {one['first']} to {last} of {one['of']}")
    )
