"""The models that the vendor's package names, and the bounds that this double gives all of them."""

import typing
from typing import Any

from anthropic.types import Model, ModelInfo

from doubles.claude.errors import ApiError

WINDOW = 200_000
"""Tokens of prompt and answer together; ours, the vendor's differ by model."""
MOST_OUTPUT = 64_000
"""Tokens of one answer; ours, too."""
NAMES: tuple[str, ...] = typing.get_args(typing.get_args(Model)[0])


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
        "max_tokens": MOST_OUTPUT,
        "type": "model",
    }
    return ModelInfo.model_validate(described).model_dump(mode="json")


def page(query: typing.Mapping[str, str]) -> dict[str, Any]:
    """Return the models in one page; raises `ApiError` 501 for a page of another size or place."""
    if query:
        raise ApiError(501, f"paging models by {', '.join(query)} is not built into this double")
    return {"data": [info(name) for name in NAMES], "first_id": NAMES[0], "has_more": False, "last_id": NAMES[-1]}
