"""What tomorrow's release would write: one field more in each object, one word more in each enumeration."""

import enum
from typing import Any

import msgspec

from wire.values import Value, known_fields

FIELD, WORD, NUMBER = "tomorrow", "tomorrows-word", 77


def written(cls: type[Value]) -> list[dict[str, Any]]:
    """Return what tomorrow would write for a class: a full object, and one for each enumeration with its new word."""
    whole = _object(cls, more=True)
    return [whole, *({**whole, name: word} for name, word in _new_words(cls).items())]


def with_more(data: Any) -> Any:
    """Add a field to every object of some JSON but a journal record's data, which is the model's and not ours."""
    if isinstance(data, list):
        return [with_more(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {**{key: value if key == "data" else with_more(value) for key, value in data.items()}, FIELD: {"a": [1]}}


def _new_words(cls: type[Value]) -> dict[str, object]:
    kinds = {field.encode_name: _bare(field.type) for field in known_fields(cls)}
    enums = {name: kind for name, kind in kinds.items() if isinstance(kind, msgspec.inspect.EnumType)}
    return {name: NUMBER if issubclass(kind.cls, enum.IntEnum) else WORD for name, kind in enums.items()}


def _object(cls: type[Value], *, more: bool, inside: frozenset[type] = frozenset()) -> dict[str, Any]:
    data = {field.encode_name: _sample(field.type, more=more, inside=inside | {cls}) for field in known_fields(cls)}
    return {**data, FIELD: {"a": [1]}} if more else data


def _sample(kind: Any, *, more: bool, inside: frozenset[type]) -> Any:
    kind = _bare(kind)
    match kind:
        case msgspec.inspect.StructType():
            return _object(kind.cls, more=more, inside=inside)
        case msgspec.inspect.VarTupleType():
            # A value that holds others of its kind holds none in the end.
            items = [kind.item_type] if getattr(_bare(kind.item_type), "cls", None) not in inside else []
            return [_sample(item, more=more, inside=inside) for item in items]
        case msgspec.inspect.EnumType():
            return next(iter(kind.cls)).value
        case msgspec.inspect.DictType():
            return {"k": _sample(kind.value_type, more=more, inside=inside)}
        case msgspec.inspect.LiteralType():
            return kind.values[0]
    samples = {
        "StrType": "text.txt",
        "IntType": 3,
        "FloatType": 1.5,
        "BoolType": True,
        "BytesType": "YQ==",
        "AnyType": 1,
    }
    return samples[type(kind).__name__]


def _bare(kind: Any) -> Any:
    match kind:
        case msgspec.inspect.UnionType():
            return _bare(next(k for k in kind.types if not isinstance(k, msgspec.inspect.NoneType)))
        case msgspec.inspect.Metadata():
            return _bare(kind.type)
    return kind
