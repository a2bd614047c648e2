"""The files that every page needs: our style and script, and htmx with its extension for server-sent events.

htmx's files are those that the package django-htmx ships: they travel with it, locked by hash, and nothing else of it
is used. Each address names its content, so a browser keeps it for as long as it likes.
"""

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

OURS = Path(__file__).parent / "templates"
PREFIX = "/assets/"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, its type, and a name of its content."""

    content: bytes
    kind: str
    version: str


@functools.cache
def _paths() -> dict[str, Path]:
    found = importlib.util.find_spec("django_htmx")
    if found is None or found.origin is None:
        raise ImportError("django-htmx is not installed: the page needs htmx's files, which it ships")
    theirs = Path(found.origin).parent / "static" / "django_htmx"
    return {
        **{name: OURS / name for name in ("style.css", "page.js", "favicon.svg")},
        "htmx.js": theirs / "htmx-2.min.js",
        "htmx-sse.js": theirs / "ext" / "hx-sse-2.min.js",
    }


@functools.cache
def _asset(name: str) -> Asset:
    path = _paths()[name]
    content = path.read_bytes()
    return Asset(content, KINDS[path.suffix], hashlib.sha256(content).hexdigest()[:12])


def address(name: str) -> str:
    """Return the address of a file, which changes with its content."""
    return f"{PREFIX}{name}?v={_asset(name).version}"


def answer(request: Request) -> Response:
    """GET /assets/{name}."""
    name = request.path_params["name"]
    if name not in _paths():
        raise HTTPException(404, f"there is no {name}")
    asset = _asset(name)
    is_named = request.query_params.get("v") == asset.version
    headers = {"Cache-Control": "public, max-age=31536000, immutable"} if is_named else {}
    return Response(asset.content, media_type=asset.kind, headers=headers)
