import pytest
from msgspec.structs import replace

from dashboard.stores import journal
from dashboard.stores.journal import Unreadable, Used
from wire.types import Event, EventKind
from wire.values import Invalid, read


def event(n, kind=EventKind.STREAM, **data):
    return Event(n=n, at="2026-05-13T12:00:00Z", kind=kind, data=data)


def test_a_batch_is_cut_into_chunks_that_hold_it_whole():
    events = [event(n, text="x" * 20_000) for n in range(1, 11)]
    parts = journal.chunks(events)
    assert [(part.first, part.last) for part in parts] == [(1, 3), (4, 6), (7, 9), (10, 10)]
    assert max(len(part.content) for part in parts) < journal.CHUNK + 100
    assert [e for part in parts for e in read(tuple[Event, ...], part.content)] == events


def test_a_single_larger_record_is_a_chunk_of_its_own():
    parts = journal.chunks([event(1), event(2, text="x" * 100_000), event(3)])
    assert [(part.first, part.last) for part in parts] == [(1, 1), (2, 2), (3, 3)]


def test_no_records_are_no_chunk():
    assert journal.chunks([]) == []


def test_a_record_that_could_not_be_read_back_is_refused():
    with pytest.raises(Invalid, match="at: must be text"):
        journal.chunks([event(1), replace(event(2), at=5)])


def test_what_was_used_is_summed_over_settled_turns_and_strange_prices_count_nothing():
    settled = [event(n, EventKind.SETTLE, usd_micros=price) for n, price in enumerate((10, 20, "3", -1, 2**70), 1)]
    assert journal.used([*settled, event(6, EventKind.RESERVE, usd_micros=5)]) == Used(5, 30)


def test_a_damaged_record_hides_no_other():
    (chunk,) = journal.chunks([event(1), event(2), event(3)])
    damaged = chunk.content.replace(b'"n":2', b'"n":null')
    first, second, third = journal.readable(damaged, len(damaged), 1, 3)
    assert (first, third) == (event(1), event(3))
    assert (second.n, second.last) == (2, 2)


@pytest.mark.parametrize("content", [b"", b"[{", b"\xff", b"{}", b"[" * 100_000])
def test_a_chunk_that_is_no_json_is_named_with_its_numbers(content):
    (damaged,) = journal.readable(content, len(content), 4, 9)
    assert (damaged.n, damaged.last) == (4, 9)


def test_what_is_gone_or_too_long_says_so():
    assert journal.readable(None, None, 4, 9) == [Unreadable(4, 9, "it is gone from the store")]
    (too_long,) = journal.readable(None, 9 * 1024**2, 4, 9)
    assert too_long.why.startswith("9 MB are too long")


def test_the_newest_records_are_taken_by_their_size_and_at_least_one():
    events = [event(n, text="x" * 1000) for n in range(1, 11)]
    assert [e.n for e in journal.newest(events, None, 2500)] == [8, 9, 10]
    assert [e.n for e in journal.newest(events, 5, 0)] == [4]
    assert journal.newest(events, 1, 1000) == []
