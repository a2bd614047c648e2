"""The shipped prices, and the operator's own."""

import pytest

from agent.record.price_file import load
from wire.values import Invalid


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"])
def test_the_shipped_file_prices_every_model_it_names(model):
    assert load(None, model).worst(model, 1000, 1000) > 0


def test_the_operators_own_file_counts(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(
        "cache_read = 0.1\ncache_write_5m = 1.25\ncache_write_1h = 2\n"
        '[[models]]\nname = "claude-new"\ntiers = [{ input = 3, output = 15 }]\n'
    )
    assert load(path, "claude-new").worst("claude-new", 0, 1) == 15


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models = []", "cache_read: missing"),
        ("nonsense", "not valid TOML"),
        ("cache_read = 1\ncache_write_5m = 1\ncache_write_1h = 1\n[[models]]\nname = 'm'\ntiers = []", "a last tier"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, text, reason):
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(Invalid, match=reason):
        load(tmp_path / "prices.toml", "m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(Invalid, match=r"nowhere.toml: can't be read"):
        load(tmp_path / "nowhere.toml", "m")
