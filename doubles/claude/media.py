"""Images and documents in a request: what of them the API refuses, and what they cost in tokens."""

import base64
import binascii
import re
import struct
from typing import Any

from doubles.claude.errors import ApiError, not_built

KINDS = ("image", "document")
MOST_IMAGE_BYTES = 5 * 1024 * 1024
MOST_SIDE = 8000
"""Pixels of an image's longer side."""
MOST_PAGES = 100
"""Of all documents of a request."""
MOST_IMAGES, MANY, MOST_SIDE_OF_MANY = 100, 20, 2000
"""Images of a request; with more than so many, pixels of the longer side of each."""
PIXELS_A_TOKEN = 750
LEAST_TOKENS, MOST_TOKENS = 1, 1600
"""Of one image: a larger one is made smaller by the API before it is read."""
TOKENS_A_PAGE = 2000
"""Of a PDF: the vendor says 1,500 to 3,000, by its density."""
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}


def check(block: dict[str, Any], where: str) -> None:
    """Check an image or a document; raises `ApiError`."""
    source = block["source"]
    if source["type"] in ("url", "file"):
        raise not_built(f"{where}.source: a source of the type {source['type']}")
    if block["type"] == "image":
        _check_image(source, f"{where}.image")
    elif source["type"] == "base64":
        pages = _pages(_decoded(source["data"], f"{where}.document"))
        if pages == 0:
            raise ApiError(400, f"{where}.document.source.base64.data: The PDF specified was not valid.")
        if pages > MOST_PAGES:
            raise ApiError(400, f"{where}: A maximum of {MOST_PAGES} PDF pages may be provided.")


def check_all(blocks: list[dict[str, Any]]) -> None:
    """Check the images and documents of a request together, each checked before; raises `ApiError`."""
    data = [(block, base64.b64decode(block["source"]["data"])) for block in blocks if "media_type" in block["source"]]
    pages = sum(_pages(content) for block, content in data if block["source"]["media_type"] == "application/pdf")
    if pages > MOST_PAGES:
        raise ApiError(400, f"messages: A maximum of {MOST_PAGES} PDF pages may be provided.")
    images = [content for block, content in data if block["type"] == "image"]
    if len(images) > MOST_IMAGES:
        raise ApiError(400, f"messages: A maximum of {MOST_IMAGES} images may be provided.")
    if len(images) > MANY and any(max(_size(content) or (0,)) > MOST_SIDE_OF_MANY for content in images):
        most = f"image dimensions exceed max allowed size for many-image requests: {MOST_SIDE_OF_MANY} pixels"
        raise ApiError(400, f"messages: At least one of the {most}")


def tokens(block: dict[str, Any]) -> int:
    """Return what a checked image or document costs, whatever its bytes."""
    source = block["source"]
    if source["type"] != "base64":
        return max(1, len(str(source.get("data") or source.get("content") or "")) // 4)
    data = base64.b64decode(source["data"])
    if block["type"] == "document":
        return _pages(data) * TOKENS_A_PAGE
    width, height = _size(data) or (0, 0)
    return max(LEAST_TOKENS, min(MOST_TOKENS, width * height // PIXELS_A_TOKEN))


def _check_image(source: dict[str, Any], where: str) -> None:
    data, media = _decoded(source["data"], where), source["media_type"]
    if len(source["data"]) > MOST_IMAGE_BYTES:
        most = f"{len(source['data'])} bytes > {MOST_IMAGE_BYTES} bytes"
        raise ApiError(400, f"{where}.source.base64: image exceeds 5 MB maximum: {most}")
    kind = next((name for name, magic in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise ApiError(400, "Could not process image")
    if kind != media:
        raise ApiError(
            400,
            f"{where}.source.base64: Image does not match the provided media type {media}: it appears to be {kind}",
        )
    size = _size(data)
    if size is not None and max(size) > MOST_SIDE:
        most = f"At least one of the image dimensions exceed max allowed size: {MOST_SIDE} pixels"
        raise ApiError(400, f"{where}.source.base64.data: {most}")


def _decoded(data: str, where: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, f"{where}.source.base64.data: Invalid base64 data") from None


def _pages(data: bytes) -> int:
    """Count a PDF's pages by their objects; one whose objects are packed counts as a page for each 50 kB."""
    if not data.startswith(b"%PDF-"):
        return 0
    return len(_PAGE.findall(data)) or max(1, len(data) // 50_000)


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height, of a PNG, a GIF, a JPEG or an extended WebP; None where they can't be read."""
    if data.startswith(_MAGIC["image/png"]) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(_MAGIC["image/gif"]) and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    if data.startswith(b"RIFF") and data[8:16] == b"WEBPVP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return _size_of_jpeg(data) if data.startswith(_MAGIC["image/jpeg"]) else None


def _size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        # A frame's header; C4, C8 and CC are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
