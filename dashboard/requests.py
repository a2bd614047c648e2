"""The digest of a request, by which a second sending of it is known: pure.

It is over what was sent, defaults left out, so that two releases agree on it; `version:hash`, a space between several.
A request that uses a field which a version does not know has no digest of that version.
"""

import hashlib
import json

import msgspec

from wire.types import NewTask
from wire.values import encode

_KNOWN_TO_FIRST = ("title", "description", "priority", "not_before", "parent", "dedupe_key", "id", "budget", "context")
"""The fields of version 1. Of a request with another one it would say that it is the request without it."""


def digests(new: NewTask) -> str:
    """Return the digests of a new task, the oldest version first."""
    # A budget that was sent and is all defaults is left with no keys: the same as one that was not sent.
    sent = {name: value for name, value in encode(new).items() if value != {}}
    second = f"2:{_hash(msgspec.json.encode(sent, order='sorted'))}"
    return f"1:{_first(new)} {second}" if set(sent) <= set(_KNOWN_TO_FIRST) else second


def _first(new: NewTask) -> str:
    """Version 1 wrote every field it knew, defaults too."""
    *plain, _budget, _context = _KNOWN_TO_FIRST
    sent = {name: getattr(new, name) for name in plain}
    sent["budget"] = {"sessions": new.budget.sessions, "usd_micros": new.budget.usd_micros}
    sent["context"] = [{"name": file["name"], "content": file["content"]} for file in encode(new.context)]
    return _hash(json.dumps(sent, sort_keys=True).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
