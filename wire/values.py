"""Read plain data (JSON, TOML) into frozen dataclasses, strictly, and write it back.

A wrong value is refused with the name of the field, so that whoever sent it can find it:
unknown keys, missing keys, wrong types and values out of range are all `Invalid`.
Bytes travel as base64 text; enumerations as their value; tuples as lists.
"""

import base64
import binascii
import dataclasses
import enum
import functools
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Invalid(ValueError):
    """A field that can't be accepted: `field` is its dotted name, `reason` what is wrong and what would be right."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def rule(
    *,
    default: Any = dataclasses.MISSING,
    least: float | None = None,
    most: float | None = None,
    longest: int | None = None,
    pattern: str | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare a dataclass field with bounds: numbers by `least` and `most`, texts, bytes and tuples by `longest`
    (bytes of UTF-8, bytes, items), texts by `pattern` (the whole text) and `choices`.
    """
    bounds = {"least": least, "most": most, "longest": longest, "pattern": pattern, "choices": choices}
    return dataclasses.field(default=default, metadata={k: v for k, v in bounds.items() if v is not None})


def decode(cls: type[T], data: object, where: str = "") -> T:
    """Make a `cls` (a dataclass) from a mapping; `where` prefixes the names in errors. Raises `Invalid`."""
    if not isinstance(data, Mapping):
        raise Invalid(where or cls.__name__, f"must be an object, not {_kind(data)}")
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable, whatever T is
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is a dataclass by contract
    for key in data:
        if key not in fields:
            raise Invalid(_join(where, str(key)), f"unknown; known are {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        path = _join(where, name)
        if name in data:
            values[name] = _value(hints[name], data[name], path)
            _check(field.metadata, values[name], path)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Invalid(path, "missing")
    return cls(**values)


def sections(path: Path) -> dict[str, Any]:
    """Read a settings file, TOML; raises `Invalid`, which names the file and what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(str(path), f"can't be read: {error.strerror}; give the path of a jada.<stack>.toml") from error
    except ValueError as error:  # TOML and UTF-8 alike
        raise Invalid(str(path), f"is not valid TOML: {error}") from error


def section(cls: type[T], path: Path, name: str) -> T:
    """Make a `cls` from one section of a settings file; an absent one is empty. Raises `Invalid`."""
    return decode(cls, sections(path).get(name, {}), name)


def encode(value: Any) -> Any:
    """Turn a value made of dataclasses into plain data that JSON can hold."""
    if dataclasses.is_dataclass(value):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(hint: Any, data: object, where: str) -> Any:  # noqa: PLR0911 - one return for each kind of type
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        options = [a for a in args if a is not types.NoneType]
        return None if data is None and types.NoneType in args else _value(options[0], data, where)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise Invalid(where, f"must be a list, not {_kind(data)}")
        return tuple(_value(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is dict or hint is dict:
        return dict(_need(data, Mapping, "an object", where))
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast("type", hint), data, where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum(hint, data, where)
    if hint is bytes:
        return _bytes(data, where)
    return _scalar(hint, data, where)


def _scalar(hint: Any, data: object, where: str) -> Any:
    if hint is Any:
        return data
    if isinstance(data, bool) is not (hint is bool):
        raise Invalid(where, f"must be {_NAMES[hint]}, not {_kind(data)}")
    if hint is float and isinstance(data, int):
        return float(data)
    return _need(data, hint, _NAMES[hint], where)


def _need(data: object, kind: type, name: str, where: str) -> Any:
    if not isinstance(data, kind):
        raise Invalid(where, f"must be {name}, not {_kind(data)}")
    return data


def _enum(hint: type[enum.Enum], data: object, where: str) -> enum.Enum:
    try:
        return hint(data)
    except ValueError:
        raise Invalid(where, f"must be one of {', '.join(str(m.value) for m in hint)}, not {data!r}") from None


def _bytes(data: object, where: str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(_need(data, str, "base64 text", where), validate=True)
    except binascii.Error:
        raise Invalid(where, "is not valid base64") from None


def _check(bounds: Mapping[str, Any], value: Any, where: str) -> None:
    if value is None:
        return
    if "least" in bounds and value < bounds["least"]:
        raise Invalid(where, f"must be at least {bounds['least']}, not {value}")
    if "most" in bounds and value > bounds["most"]:
        raise Invalid(where, f"must be at most {bounds['most']}, not {value}")
    size = len(value.encode()) if isinstance(value, str) else len(value) if "longest" in bounds else 0
    if "longest" in bounds and size > bounds["longest"]:
        raise Invalid(where, f"is too long: {size}, at most {bounds['longest']}")
    if "pattern" in bounds and not re.fullmatch(bounds["pattern"], value):
        raise Invalid(where, f"must match {bounds['pattern']}, not {value!r}")
    if "choices" in bounds and value not in bounds["choices"]:
        raise Invalid(where, f"must be one of {', '.join(bounds['choices'])}, not {value!r}")


_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _kind(data: object) -> str:
    names = {**_NAMES, type(None): "nothing", list: "a list", tuple: "a list", dict: "an object"}
    return names.get(type(data), type(data).__name__)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
