"""What a call and its answer are to both ways over which they go: `wire.unix` on a host, `wire.tcp` from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

JOINED_LIMIT = 64 * 1024
"""Bytes of a request that is sent in one piece: half a request would wake the dashboard for nothing; joining copies."""
AGAIN = frozenset({502, 503, 504})
"""Answers after which a call is made again: a 503 of the dashboard's own passes, a proxy's says that it may start."""
PAUSE_S = 0.2
"""Seconds before the second try made again; doubled before each further one. The first one is made at once."""


class NoAnswer(Exception):
    """There was no answer, or none that is HTTP; its text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole; the names of its headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Transport(Protocol):
    """A way to the dashboard. Calls may come from several threads."""

    def request(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Make a call; raises `NoAnswer` once the tries are used up."""


def pause_s(failed: int) -> float:
    """Return how long to wait after so many tries that failed, one after the other."""
    return 0 if failed <= 1 else PAUSE_S * 2 ** (failed - 1)
