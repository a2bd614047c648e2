"""What the bench of the worker reads from journals."""

import math

from bench.worker import first_request, read_share
from wire.types import Event, EventKind


def settled(n, new, read):
    usage = {"input_tokens": new, "cache_read_input_tokens": read, "cache_creation_input_tokens": None}
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data={"usage": usage})


def test_the_share_of_the_cache_is_of_the_turns_from_the_one_asked_for_on():
    events = [settled(1, 1000, 0), settled(2, 100, 900), settled(3, 300, 700)]
    assert read_share(events, first=2) == 0.8
    assert read_share(events, first=1) == 1600 / 3000


def test_a_session_without_such_turns_has_no_share():
    assert math.isnan(read_share([settled(1, 10, 0)], first=2))


def test_the_first_request_is_all_that_it_sent():
    assert first_request([settled(1, 10, 5), settled(2, 100, 0)]) == 15
