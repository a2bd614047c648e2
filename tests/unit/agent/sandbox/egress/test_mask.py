"""Secrets that come back are written over, at their length, also where a piece ends within one."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sandbox.egress.mask import Mask

SECRETS = (b"canary-token-1", b"Y2FuYXJ5LXRva2Vu")
TEXTS = st.lists(
    st.sampled_from([*SECRETS, b"canary-", b"canary-token-", b"Y2Fu", b"can", b"x", b"\n"]), max_size=12
).map(b"".join)


def streamed(pieces, secrets=SECRETS):
    mask = Mask(secrets)
    return b"".join([*(mask.take(piece) for piece in pieces), mask.end()])


def test_a_secret_is_written_over_at_its_length():
    assert streamed([b"a canary-token-1 b"]) == b"a ************** b"


@pytest.mark.parametrize("at", range(1, 14))
def test_also_where_a_piece_ends_within_it(at):
    text = b"ab canary-token-1 cd"
    assert streamed([text[: at + 3], text[at + 3 :]]) == b"ab ************** cd"


@settings(deadline=None)  # it is no timed test: the machine may be busy
@given(TEXTS, st.lists(st.integers(0, 200), max_size=8))
def test_in_any_pieces_the_same_is_shown_as_in_one(text, cuts):
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in pairwise(ends)]
    shown = streamed(pieces)
    assert shown == streamed([text])
    assert len(shown) == len(text)
    assert not any(secret in shown for secret in SECRETS)


def test_two_that_overlap_are_both_written_over():
    assert streamed([b"abcabcab", b"cx"], [b"abcabc"]) == b"*********x"


def test_one_that_ends_as_it_begins_is_not_shown_by_half():
    """Its end may be another one's beginning, and is held back as such."""
    assert streamed([b"abcabc", b"x"], [b"abcabc"]) == b"******x"


def test_what_ends_in_the_beginning_of_one_is_shown_at_the_end():
    assert streamed([b"x canary-tok"]) == b"x canary-tok"


def test_nothing_waits_that_can_be_no_secret():
    assert Mask(SECRETS).take(b"data: hello\n\n") == b"data: hello\n\n"


def test_without_secrets_all_is_shown_as_it_comes():
    assert Mask([]).take(b"canary") == b"canary"
