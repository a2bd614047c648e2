"""What a request costs in tokens: estimated from bytes, so the same request always counts the same; and the cache.

The cache is the vendor's: a prefix, ending at a marker, is written for 5 minutes or an hour; a later request reads the
longest one it begins with, found at most 20 blocks before one of its own markers; every read renews it.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anthropic.types import Usage

from doubles.claude import media

BYTES_A_TOKEN = 4
LEAST_CACHED = 1024
"""Tokens below which the vendor caches nothing."""
LOOK_BACK = 20
_TTL_S = {"5m": 300, "1h": 3600}


@dataclass(frozen=True, slots=True)
class Prefix:
    """A request up to and with one block: the hash of it all, the tokens so far, and the marker's ttl if it has one."""

    key: str
    tokens: int
    ttl: str | None


def tokens(value: Any) -> int:
    """Estimate the tokens of plain data by the bytes of its JSON."""
    return -(-len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) // BYTES_A_TOKEN)


def cost(block: dict[str, Any]) -> int:
    """Estimate the tokens of a block: an image's by its size, a PDF's by its pages, within a tool's result too."""
    if block.get("type") in media.KINDS:
        return media.tokens(block)
    inner = block.get("content")
    if block.get("type") == "tool_result" and isinstance(inner, list):
        shown = [part for part in inner if part.get("type") in media.KINDS]
        rest = [part for part in inner if part not in shown]
        return tokens({**block, "content": rest}) + sum(map(media.tokens, shown))
    return tokens(block)


def prefixes(body: dict[str, Any], turns: list[dict[str, Any]]) -> list[Prefix]:
    """Cut a request where the cache can: after each tool, system block and content block, in this order."""
    system = body.get("system", ())
    blocks = [*body.get("tools", ())]
    blocks += [{"type": "text", "text": system}] if isinstance(system, str) else [*system]
    # Other thinking or another choice of tools invalidates all messages: both count as part of the first one.
    mode = {key: body.get(key) for key in ("thinking", "tool_choice")}
    blocks += [{**block, "_": (mode, turn["role"])} for turn in turns for block in turn["content"]]
    digest, total, cuts = hashlib.sha256(body["model"].encode()), 0, []
    for block in blocks:
        content = {key: value for key, value in block.items() if key != "cache_control"}
        digest.update(json.dumps(content, sort_keys=True).encode())
        total += cost({key: value for key, value in content.items() if key != "_"})
        cuts.append(Prefix(digest.hexdigest(), total, _ttl(block.get("cache_control"))))
    automatic = _ttl(body.get("cache_control"))
    return [*cuts[:-1], Prefix(cuts[-1].key, cuts[-1].tokens, cuts[-1].ttl or automatic)]


class Cache:
    """The prefixes that were written, each until its time is over."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def charge(self, cuts: list[Prefix], output: int) -> Usage:
        """Account one answered request: what is read from the cache, what is written to it, and the rest."""
        now = self._clock()
        # An entry that has expired is written anew, and paid for as such.
        self._until = {key: until for key, until in self._until.items() if until > now}
        # A marker on a prefix too short for the cache is no error: it does nothing.
        marks = [at for at, cut in enumerate(cuts) if cut.ttl and cut.tokens >= LEAST_CACHED]
        read = max((self._read(cuts, mark) for mark in marks), default=0)
        written = {"5m": 0, "1h": 0}
        reached = read
        for mark in marks:
            ttl = cuts[mark].ttl or "5m"
            written[ttl] += max(0, cuts[mark].tokens - reached)
            reached = max(reached, cuts[mark].tokens)
            self._until[cuts[mark].key] = max(self._until.get(cuts[mark].key, 0), now + _TTL_S[ttl])
        return _usage(cuts[-1].tokens - reached, read, written, output)

    def _read(self, cuts: list[Prefix], mark: int) -> int:
        """Tokens of the longest cached prefix at or before a marker."""
        window = cuts[max(0, mark - LOOK_BACK) : mark + 1]
        return max((cut.tokens for cut in window if cut.key in self._until), default=0)


def _usage(fresh: int, read: int, written: dict[str, int], output: int) -> Usage:
    return Usage.model_validate(
        {
            "cache_creation": {"ephemeral_5m_input_tokens": written["5m"], "ephemeral_1h_input_tokens": written["1h"]},
            "cache_creation_input_tokens": sum(written.values()),
            "cache_read_input_tokens": read,
            "input_tokens": fresh,
            "output_tokens": output,
            "service_tier": "standard",
        }
    )


def _ttl(marker: dict[str, Any] | None) -> str | None:
    return None if marker is None else marker.get("ttl") or "5m"
