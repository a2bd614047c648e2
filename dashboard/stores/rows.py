"""Values of ours as JSON in a store's rows, and back.

Unknown keys are passed over when reading: a release may meet what a newer one wrote, after a deploy was reverted.
"""

import json
import types
import typing
from dataclasses import is_dataclass
from typing import Any, TypeVar

from wire.values import decode, encode

T = TypeVar("T")


def dump(value: object) -> str:
    """Write a dataclass as JSON."""
    return json.dumps(encode(value), separators=(",", ":"))


def load(cls: type[T], text: str) -> T:
    """Read a dataclass from JSON."""
    return decode(cls, _known(cls, json.loads(text)))


def _known(hint: Any, data: Any) -> Any:
    """Reduce data to the keys that the type has, at every depth."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is tuple and isinstance(data, list):
        return [_known(typing.get_args(hint)[0], item) for item in data]
    if is_dataclass(hint) and isinstance(data, dict):
        hints = typing.get_type_hints(hint)
        return {key: _known(hints[key], value) for key, value in data.items() if key in hints}
    return data
