"""What is counted from a journal."""

import math

import pytest

from agent.record import price_file
from agent.record.limits import Limits, Spent, bound, context, hand_over_due, kept_back, notice, price, room, spent
from wire.types import Event, EventKind

LIMITS = Limits(turns=30, hand_over_tokens=90_000, usd_micros=1, max_tokens=1000)


def journal(*records):
    return [
        Event(n=n, at="2026-11-21T00:00:00Z", kind=EventKind(kind), data=data)
        for n, (kind, data) in enumerate(records, 1)
    ]


def reserve(turn, usd=100):
    return ("reserve", {"turn": turn, "usd_micros": usd, "hand_over": False})


def settle(turn, usd=10, tokens=500):
    return ("settle", {"turn": turn, "usd_micros": usd, "usage": {"input_tokens": tokens, "output_tokens": 0}})


def refund(turn):
    return ("refund", {"turn": turn, "status": 529, "reason": "overloaded"})


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], Spent(0, 0)),
        ([reserve(1)], Spent(1, 100)),
        ([reserve(1), settle(1)], Spent(1, 10)),
        ([reserve(1), refund(1)], Spent(0, 0)),
        ([reserve(1), ("cut", {"turn": 1, "reason": "half"})], Spent(1, 100)),
        ([reserve(1), ("cut", {"turn": 1, "reason": "half", "usd_micros": 7})], Spent(1, 7)),
        ([reserve(1), refund(1), reserve(1), settle(1), reserve(2)], Spent(2, 110)),
    ],
)
def test_a_reservation_counts_until_it_is_settled_or_refunded(records, expected):
    assert spent(journal(*records)) == expected


@pytest.mark.parametrize(("turns", "due"), [(0, False), (28, False), (29, True), (30, True)])
def test_the_last_turn_hands_over(turns, due):
    assert hand_over_due(journal(*(reserve(n) for n in range(turns))), LIMITS) is due


@pytest.mark.parametrize(("tokens", "due"), [(89_999, False), (90_000, True)])
def test_a_long_conversation_hands_over(tokens, due):
    assert hand_over_due(journal(reserve(1), settle(1, tokens=tokens)), LIMITS) is due


def test_the_bound_is_the_last_total_and_a_token_for_each_new_byte():
    assert bound(journal(reserve(1), settle(1, tokens=500)), new_bytes=30, whole_bytes=9999) == 500 + 30 + 2000
    assert bound([], new_bytes=30, whole_bytes=400) == 400 + 2000


def test_the_context_is_the_last_settled_total():
    assert context(journal(settle(1, tokens=5), settle(2, tokens=7), reserve(3))) == 7


def test_a_hand_over_is_priced_for_the_prompt_it_will_have():
    table, model = price_file.load(None, "claude-sonnet-5-5"), "claude-sonnet-5-5"
    assert price(table, model, 10_000, LIMITS) == 25_000 + 10_000
    assert kept_back(table, model, 10_000, LIMITS) == price(table, model, 10_000 + 1000 + 16_000, LIMITS)


@pytest.mark.parametrize(
    ("used", "warning"), [(25, ""), (26, "3 more turns are left"), (27, ""), (28, "1 more turn is left")]
)
def test_the_model_is_warned_when_few_turns_are_left(used, warning):
    said = notice(journal(*(reserve(n) for n in range(used))), LIMITS)
    assert warning in said
    assert bool(said) is bool(warning)


def result(size):
    return "tool_result", {"tool_use_id": "t", "content": "x" * size, "is_error": False}


def test_what_is_not_sent_yet_counts_for_the_hand_over():
    before = [reserve(1), settle(1, tokens=80_000)]
    assert not hand_over_due(journal(*before, result(39_999)), LIMITS)
    assert hand_over_due(journal(*before, result(20_000), result(20_000)), LIMITS)
    assert not hand_over_due(journal(result(80_000), *before), LIMITS)  # it was sent, and is in the total


@pytest.mark.parametrize(("size", "due"), [(39_999, False), (40_000, True)])
def test_a_users_answer_that_is_not_sent_yet_counts_as_well(size, due):
    answer = "answer", {"tool_use_id": "t", "text": "x" * size}
    assert hand_over_due(journal(reserve(1), settle(1, tokens=80_000), answer), LIMITS) is due


def test_results_of_one_answer_share_their_room():
    assert room(journal(result(999_999), settle(1))) == math.inf
    assert room(journal(settle(1), result(30_000))) == 64_000 - 30_000
    assert room(journal(settle(1), *[result(30_000)] * 12)) == 2048
