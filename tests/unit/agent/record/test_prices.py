"""Prices, to the micro-dollar."""

import pytest

from agent.record.prices import read, tokens
from wire.values import Invalid

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
TABLE = {
    "cache_read": 0.05,
    "cache_write_5m": 1.25,
    "cache_write_1h": 2.0,
    "models": [
        {"name": HAIKU, "tiers": [{"up_to": 100_000, "input": 0.1, "output": 0.5}, {"input": 0.5, "output": 2.5}]},
        {"name": SONNET, "tiers": [{"input": 2, "output": 10}]},
    ],
}


@pytest.fixture
def prices():
    return read(TABLE, "prices.toml", SONNET)


def usage(**counts):
    return {"input_tokens": 0, "output_tokens": 0, **counts}


@pytest.mark.parametrize(
    ("counts", "micros"),
    [
        ({"input_tokens": 1000}, 2_000),
        ({"output_tokens": 1000}, 10_000),
        ({"cache_read_input_tokens": 1000}, 100),
        ({"cache_creation_input_tokens": 1000}, 2_500),
        ({"cache_creation_input_tokens": 1000, "cache_creation": {"ephemeral_5m_input_tokens": 1000}}, 2_500),
        ({"cache_creation_input_tokens": 1000, "cache_creation": {"ephemeral_1h_input_tokens": 1000}}, 4_000),
        ({"cache_read_input_tokens": 1}, 1),
        ({"cache_read_input_tokens": None, "cache_creation": None}, 0),
    ],
)
def test_each_kind_of_token_has_its_price(prices, counts, micros):
    assert prices.cost(SONNET, usage(**counts)) == micros


def test_the_tier_goes_by_the_whole_prompt_cached_or_not(prices):
    assert prices.cost(HAIKU, usage(cache_read_input_tokens=99_990, input_tokens=10)) == 501
    assert prices.cost(HAIKU, usage(cache_read_input_tokens=99_991, input_tokens=10)) == 2_505


def test_the_worst_is_all_input_written_to_the_cache(prices):
    assert prices.worst(SONNET, 1000, 100) == 2_500 + 1_000
    assert prices.worst(HAIKU, 100_001, 0) == 62_501


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cache_write_5m": 0.9}, "cache_write_5m: must be at least 1"),
        ({"cache_write_5m": float("inf")}, "cache_write_5m: must be at least 1"),
        ({"cache_read": 1.3}, "at least cache_read"),
        ({"cache_read": float("nan")}, "cache_read: must be at least 0"),
        ({"cache_write_1h": float("inf")}, "cache_write_1h: must be a number"),
        ({"models": [{"name": "m", "tiers": [{"input": 1, "output": 1}]}] * 2}, "m: is listed twice"),
        ({"models": [{"name": "m", "tiers": [{"input": 1, "output": 1, "up_to": 5}]}]}, "needs a last tier"),
        ({"models": [{"name": "m", "tiers": [{"input": 1, "output": 1}] * 2}]}, "must go up by up_to"),
        (
            {"models": [{"name": "m", "tiers": [{"up_to": n, "input": 1, "output": 1} for n in (9, 5)]
                         + [{"input": 1, "output": 1}]}]},
            "must go up by up_to",
        ),
        (
            {"models": [{"name": "m", "tiers": [{"up_to": 5, "input": 2, "output": 1}, {"input": 1, "output": 1}]}]},
            "its input must not get cheaper",
        ),
        ({"models": [{"name": "m", "tiers": [{"input": 1, "output": float("inf")}]}]}, "its output must"),
    ],
)  # fmt: skip
def test_a_table_by_which_a_limit_could_be_below_the_bill_is_refused(change, reason):
    with pytest.raises(Invalid, match=reason):
        read({**TABLE, **change}, "prices.toml", "m")


def test_no_usage_costs_more_than_the_worst(prices):
    dearest = usage(cache_creation_input_tokens=5000, output_tokens=700)
    assert prices.cost(SONNET, dearest) <= prices.worst(SONNET, 5000, 700)


def test_an_unknown_model_is_refused_and_never_free(prices):
    with pytest.raises(Invalid, match="claude-new has no price"):
        read(TABLE, "prices.toml", "claude-new")
    with pytest.raises(Invalid, match="known are claude-haiku-5-5"):
        prices.cost("claude-new", usage())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"models": [{"name": SONNET, "tiers": []}]}, "prices.toml: claude-sonnet-5-5: needs a last tier"),
        ({"models": [{"name": SONNET, "tiers": [{"up_to": 9, "input": 1, "output": 1}]}]}, "needs a last tier"),
        ({"cache_read": -1}, "at least 0"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_wrong(change, reason):
    with pytest.raises(Invalid, match=reason):
        read({**TABLE, **change}, "prices.toml", SONNET)


def test_all_tokens_are_counted_once():
    assert (
        tokens(usage(input_tokens=1, output_tokens=2, cache_read_input_tokens=4, cache_creation_input_tokens=8)) == 15
    )
