"""What requests cost, in micro-dollars, rounded up. Nothing is read here: `price_file` does that."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from msgspec import Meta

from wire.values import Invalid, Value, decode


class Tier(Value, frozen=True, kw_only=True):
    """Dollars per million tokens, which are micro-dollars per token, for prompts of `up_to` tokens."""

    input: Annotated[float, Meta(ge=0)]
    output: Annotated[float, Meta(ge=0)]
    up_to: Annotated[int, Meta(ge=1)] | None = None


class Model(Value, frozen=True, kw_only=True):
    """A model's tiers, the smallest prompts first; the last is for all the rest."""

    name: str
    tiers: tuple[Tier, ...]

    def tier(self, prompt: int) -> Tier:
        """Return the tier of a prompt of so many tokens."""
        return next(tier for tier in self.tiers if tier.up_to is None or prompt <= tier.up_to)


class Prices(Value, frozen=True, kw_only=True):
    """All models, and what the prompt cache does to the input price."""

    cache_read: Annotated[float, Meta(ge=0)]
    cache_write_5m: Annotated[float, Meta(ge=0)]
    cache_write_1h: Annotated[float, Meta(ge=0)]
    models: tuple[Model, ...]

    def worst(self, model: str, prompt: int, output: int) -> int:
        """Return the most that a request can cost: all its input written to the cache, all its output used."""
        tier = self._model(model).tier(prompt)
        return _micros((prompt, _exact(tier.input) * _exact(self.cache_write_5m)), (output, _exact(tier.output)))

    def cost(self, model: str, usage: Mapping[str, Any]) -> int:
        """Return what the API bills for a usage as its answer reports it."""
        read, output = usage.get("cache_read_input_tokens") or 0, usage["output_tokens"]
        hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens") or 0
        # This figure is the sum over both lifetimes of the cache.
        minutes = (usage.get("cache_creation_input_tokens") or 0) - hour
        # The whole prompt decides the tier, its cached part included.
        tier = self._model(model).tier(tokens(usage) - output)
        price = _exact(tier.input)
        return _micros(
            (usage["input_tokens"], price),
            (read, price * _exact(self.cache_read)),
            (minutes, price * _exact(self.cache_write_5m)),
            (hour, price * _exact(self.cache_write_1h)),
            (output, _exact(tier.output)),
        )

    def _model(self, name: str) -> Model:
        for model in self.models:
            if model.name == name:
                return model
        known = ", ".join(model.name for model in self.models)
        raise Invalid("model", f"{name} has no price, so it can't be used; known are {known}. Prices: [agent] prices")


def read(table: object, source: str, model: str) -> Prices:
    """Make prices of a table as TOML gives it, and refuse a `model` they don't know. Raises `Invalid` with the cause;
    `source` is the file's name, for the operator who must correct it.
    """
    prices = decode(Prices, table)
    if not 1 <= prices.cache_write_5m < math.inf or not prices.cache_read <= prices.cache_write_5m:
        raise Invalid(
            f"{source}: cache_write_5m", "must be at least 1 and at least cache_read: it is the dearest input"
        )
    if not math.isfinite(prices.cache_write_1h):
        raise Invalid(f"{source}: cache_write_1h", "must be a number")
    names = [listed.name for listed in prices.models]
    for listed in prices.models:
        if names.count(listed.name) > 1:
            raise Invalid(f"{source}: {listed.name}", "is listed twice: which price counts?")
        _require_order(listed, source)
    # Raises for a model without a price: unknown must not mean free.
    prices.worst(model, 0, 0)
    return prices


def _require_order(listed: Model, source: str) -> None:
    """Raise `Invalid` for tiers out of order: a limit that goes by them would be below the bill."""
    where = f"{source}: {listed.name}"
    if not listed.tiers or listed.tiers[-1].up_to is not None:
        raise Invalid(where, "needs a last tier without up_to")
    ends = [tier.up_to for tier in listed.tiers[:-1]]
    if None in ends or ends != sorted({end for end in ends if end is not None}):
        raise Invalid(where, "its tiers must go up by up_to; only the last one has none")
    for price in ("input", "output"):
        rising = [getattr(tier, price) for tier in listed.tiers]
        if rising != sorted(rising) or not math.isfinite(rising[-1]):
            raise Invalid(where, f"its {price} must not get cheaper from tier to tier, and be a number")


def tokens(usage: Mapping[str, Any]) -> int:
    """Return all tokens of a request and its answer: what the next request begins with."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    return sum(usage.get(name) or 0 for name in names)


def _micros(*parts: tuple[int, Fraction]) -> int:
    return math.ceil(sum(count * price for count, price in parts))


def _exact(price: float) -> Fraction:
    """The number as it is written: 0.1 is a tenth."""
    return Fraction(str(price))
