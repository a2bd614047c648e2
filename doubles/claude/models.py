"""The models that the vendor's package names, and the bounds that this double gives all of them."""

import typing
from collections.abc import Collection
from typing import Any

from anthropic.types import Model, ModelInfo

from doubles.claude.betas import LONG_CONTEXT, MANY_TOKENS
from doubles.claude.errors import ApiError

WINDOW = 200_000
"""Tokens of prompt and answer together; ours, the vendor's differ by model."""
LONG_WINDOW = 1_000_000
"""The same with the beta of a long context."""
MOST_OUTPUT, MOST_OF_SMALL, MOST_WITH_BETA = 128_000, 64_000, 300_000
"""Tokens of one answer: what clients of today ask of the models, of small ones before 5, and with the beta for more."""
NAMES: tuple[str, ...] = typing.get_args(typing.get_args(Model)[0])


def most_output(name: str, betas: Collection[str] = ()) -> int:
    """Return how many tokens one answer of a model may have."""
    if MANY_TOKENS in betas:
        return MOST_WITH_BETA
    return MOST_OF_SMALL if "haiku-4" in name else MOST_OUTPUT


def window(betas: Collection[str]) -> int:
    """Return how many tokens a prompt may have."""
    return LONG_WINDOW if LONG_CONTEXT in betas else WINDOW


def known(name: str) -> str:
    """Return the model's name; raises `ApiError` 404 for one that the vendor's package does not know."""
    if name not in NAMES:
        raise ApiError(404, f"model: {name}")
    return name


def info(name: str) -> dict[str, Any]:
    """Describe a model as GET /v1/models does; the vendor gives 1970 where the release date is unknown."""
    described = {
        "id": known(name),
        "created_at": "1970-01-01T00:00:00Z",
        "display_name": name.replace("-", " ").title(),
        "lifecycle": "active",
        "max_input_tokens": WINDOW,
        "max_tokens": most_output(name),
        "type": "model",
    }
    return ModelInfo.model_validate(described).model_dump(mode="json")


def page(query: typing.Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the models, as `limit`, `after_id` and `before_id` say; raises `ApiError` 400."""
    limit = _limit(query.get("limit", str(PAGE)))
    after, before = query.get("after_id"), query.get("before_id")
    if after and before:
        raise ApiError(400, "after_id and before_id can't both be given")
    begin = _place(after) + 1 if after else 0
    end = _place(before) if before else len(NAMES)
    within = NAMES[begin:end]
    # Backwards, a page is what is next to its end.
    shown = within[-limit:] if before else within[:limit]
    edges = {"first_id": shown[0], "last_id": shown[-1]} if shown else {"first_id": None, "last_id": None}
    return {"data": [info(name) for name in shown], "has_more": len(within) > len(shown), **edges}


PAGE, MOST_A_PAGE = 20, 1000


def _limit(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= MOST_A_PAGE:
        raise ApiError(400, f"limit: Input should be a whole number from 1 to {MOST_A_PAGE}")
    return int(given)


def _place(name: str) -> int:
    if name not in NAMES:
        raise ApiError(400, f"{name} is no id that a page before had")
    return NAMES.index(name)
