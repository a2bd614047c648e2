"""Images and PDF documents that a conversation shows to the model: what of them stands in the journal, what the API
takes, and what they cost at most. Their bytes are kept beside the journal, once; nothing here reads or writes.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wire.types import Event

Block = dict[str, Any]

PDF = "application/pdf"
_MAGIC = {PDF: b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
MOST_BYTES = 10 * 1024 * 1024
"""Bytes of all that one conversation shows: each request carries them again, a third longer as base64. The API takes
32 MB; a small host has less to spare.
"""
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
    """Return the block that stands for its image or document until `filled`."""
    return {"type": "document" if one["media_type"] == PDF else "image", "source": {"type": _KEPT, **one}}


def filled(parameters: Block, kept: Callable[[str], bytes | None]) -> Block:
    """Return a request's parameters with the bytes of what it shows, which `kept` gives by their SHA-256."""

    def fill(part: Block) -> Block:
        if part["type"] == "tool_result" and isinstance(part["content"], list):
            return {**part, "content": [fill(inner) for inner in part["content"]]}
        source = part.get("source")
        if not isinstance(source, dict) or source.get("type") != _KEPT:
            return part
        content = kept(source["sha256"])
        if content is None:  # the session goes on on another host
            return {
                "type": "text",
                "text": f"[{source['name']} was shown here, and is not on this host: view it again]",
            }
        data = base64.b64encode(content).decode()
        return {"type": part["type"], "source": {"type": "base64", "media_type": source["media_type"], "data": data}}

    messages = [{**each, "content": [fill(part) for part in each["content"]]} for each in parameters["messages"]]
    return {**parameters, "messages": messages}


def told(one: Block) -> str:
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
