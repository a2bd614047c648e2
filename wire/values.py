"""Values that cross HTTP or are written to disk: their JSON, read strictly when they are a request, and leniently when
they are a report or were written earlier.

*Asking* (`parse`, `decode`): an unknown key is refused. *Reporting and what was written* (`read`): unknown keys are
carried in the value and come back in `dump`, so that a release loses nothing that a newer one added; unknown words of
an open enumeration keep their text. Bytes travel as base64, tuples as lists.
"""

import enum
import functools
import re
from collections.abc import Iterable
from typing import Any, Self, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

T = TypeVar("T")
_CARRIED = "~"
"""The key under which a value carries what it does not know; no field of ours can have this name."""


class Invalid(ValueError):
    """A field that cannot be accepted: `field` is its dotted name, `reason` what is wrong and what would be right."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all values. Each class says `frozen=True, kw_only=True` itself: type checkers do not inherit it."""


class Request(Value, frozen=True, omit_defaults=True):
    """What a client asks for. Defaults are left out, so that an older server is not asked for what it does not know;
    hence a default must never change its value.
    """


class Written(Value, frozen=True):
    """What is reported, or was written earlier: `unknown` carries the keys that only another release knows."""

    unknown: dict[str, Any] | UnsetType = msgspec.field(default=UNSET, name=_CARRIED)


class OpenWord(enum.Enum):
    """A mixin for enumerations that another release may extend: an unknown word keeps its text and is named OTHER.

    Two unknown words are equal when their values are; compare with `==`, never by identity.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        kind: Any = int if issubclass(cls, int) else str
        # Not isinstance: True would become a word of a numbered enumeration.
        if type(value) is not kind:
            return None
        made: Any = kind.__new__
        word = made(cls, value)
        word._name_, word._value_ = "OTHER", value
        return cast("Self", word)

    @property
    def is_known(self) -> bool:
        """Whether this release has a name for the word."""
        return self._name_ != "OTHER"


def decode(cls: type[T], data: object, where: str = "") -> T:
    """Make a `cls` from plain data, strictly; `where` prefixes the names in errors. Raises `Invalid`."""
    try:
        return msgspec.convert(data, cls)
    except msgspec.ValidationError as error:
        raise _invalid(error, cls, where) from error


def decode_query(cls: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """Make a `cls` from the pairs of a query string, strictly. Raises `Invalid`.

    Not by msgspec's lax mode, for which the text `null` is nothing, and so any state's filter.
    """
    kinds = {field.encode_name: _bare(field.type) for field in known_fields(cls)}
    data: dict[str, object] = {}
    for name, text in pairs:
        if name in data:
            raise Invalid(name, "is there twice")
        # 18 digits fit a store's integers; a longer number stays a text, and is refused as one.
        is_number = isinstance(kinds.get(name), msgspec.inspect.IntType) and re.fullmatch(r"-?[0-9]{1,18}", text)
        data[name] = int(text) if is_number else text
    return decode(cls, data)


def parse(cls: type[T], text: bytes | str, where: str = "") -> T:
    """Make a `cls` from JSON, strictly. Raises `Invalid`; its field is empty when the text is no JSON at all."""
    try:
        return _decoder(cls).decode(text)
    except msgspec.ValidationError as error:
        raise _invalid(error, cls, where) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(where, f"is no JSON: {error}") from error
    except RecursionError:
        raise Invalid(where, "is nested too deeply") from None


def read(cls: type[T], text: bytes | str, where: str = "") -> T:
    """Make a `cls` from JSON that another release may have written. Raises `Invalid`.

    Strict reading nearly always succeeds and costs nothing extra; only what it refuses is looked at key by key.
    """
    try:
        return _decoder(cls).decode(text)
    except msgspec.ValidationError:
        return _read_carrying(cls, parse(object, text, where), where)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse(cls, text, where)


def dump(value: object) -> bytes:
    """Write a value as JSON, with what it carries in its place."""
    text = msgspec.json.encode(value)
    # Also true for a text that merely looks like it: encoding key by key is right for both, but slower.
    return msgspec.json.encode(encode(value)) if b'"~":' in text else text


def encode(value: Any) -> Any:
    """Turn a value into plain data that JSON can hold, with what it carries in its place."""
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if not isinstance(value, Written):
        return msgspec.to_builtins(value)
    known = {name: encode(getattr(value, name)) for name in value.__struct_fields__ if name != "unknown"}
    return {**(value.unknown or {}), **known}


def carried(*values: Written) -> dict[str, Any] | UnsetType:
    """Return all that some values carry, a later one's word winning: for one that takes them in."""
    together = {key: item for value in values for key, item in (value.unknown or {}).items()}
    return together or UNSET


def known_fields(cls: type) -> tuple[msgspec.inspect.Field, ...]:
    """Return the fields of a value's class, less the carrier of unknown ones."""
    return tuple(field for field in _struct(cls).fields if field.encode_name != _CARRIED)


_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    if cls not in _DECODERS:
        _DECODERS[cls] = msgspec.json.Decoder(cls)
    return _DECODERS[cls]


@functools.cache
def _struct(cls: type) -> msgspec.inspect.StructType:
    info = msgspec.inspect.type_info(cls)
    if not isinstance(info, msgspec.inspect.StructType):
        raise TypeError(f"{cls.__name__} is no value")
    return info


def _read_carrying(cls: type[T], data: object, where: str) -> T:
    try:
        # Through JSON again: base64 and enumerations are read as when reading strictly.
        return _decoder(cls).decode(msgspec.json.encode(_carrying(msgspec.inspect.type_info(cls), data)))
    except msgspec.ValidationError as error:
        raise _invalid(error, cls, where) from error


def _carrying(kind: msgspec.inspect.Type, data: Any) -> Any:
    """Move what a type does not know under the key that carries it, at every depth; a type without one drops it."""
    match kind:
        case msgspec.inspect.UnionType():
            return _carrying(next(k for k in kind.types if not isinstance(k, msgspec.inspect.NoneType)), data)
        case msgspec.inspect.Metadata():
            return _carrying(kind.type, data)
        case msgspec.inspect.VarTupleType() if isinstance(data, list):
            return [_carrying(kind.item_type, item) for item in data]
        case msgspec.inspect.StructType() if isinstance(data, dict):
            types = {field.encode_name: field.type for field in known_fields(kind.cls)}
            known = {key: _carrying(types[key], item) for key, item in data.items() if key in types}
            rest = {key: item for key, item in data.items() if key not in types}
            return {**known, _CARRIED: rest} if rest and issubclass(kind.cls, Written) else known
    return data


_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<key>key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(.*)`$")
_BOUND = re.compile(r"^Expected `(?P<kind>\w+)` (?P<of>of length )?(?P<sign><=|>=|<|>) (?P<limit>\S+)$")
_PATTERN = re.compile(r"^Expected `str` matching regex (.*)$", re.DOTALL)
_KIND = re.compile(r"^Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`$")
_WORD = re.compile(r"^Invalid enum value (.*)$", re.DOTALL)
_SIGNS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "an object",
    "bytes": "base64 text",
}
_UNITS = {"str": " characters", "bytes": " bytes", "array": " items", "object": " keys"}


def _invalid(error: msgspec.ValidationError, cls: type, where: str) -> Invalid:
    """Say msgspec's error in our words, with the dotted name of the field and what would be right."""
    found = _AT.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    name = path.replace("[...]", "").strip(".")
    cause = error.__cause__
    if isinstance(cause, Invalid):  # a rule of the value's own, from its __post_init__
        return Invalid(_joined(where, name, cause.field), cause.reason)
    if unknown := _UNKNOWN.match(what):
        keys = ", ".join(field.encode_name for field in known_fields(_type_at(cls, name).cls))
        return Invalid(_joined(where, name, unknown[1]), f"unknown; known are {keys}")
    if missing := _MISSING.match(what):
        return Invalid(_joined(where, name, missing[1]), "missing")
    return Invalid(_joined(where, name) or cls.__name__, _reason(what, cls, name))


def _reason(what: str, cls: type, name: str) -> str:
    if bound := _BOUND.match(what):
        unit = _UNITS.get(bound["kind"], "") if bound["of"] else ""
        return f"must be {_SIGNS[bound['sign']]} {bound['limit'].removesuffix('.0')}{unit}"
    if pattern := _PATTERN.match(what):
        return f"must be {_described(cls, name) or 'text that matches ' + pattern[1]}"
    if word := _WORD.match(what):
        return f"must be one of {', '.join(_words_at(cls, name))}, not {word[1]}"
    if kind := _KIND.match(what):
        wanted = " or ".join(_KINDS.get(each.strip(), each.strip()) for each in kind["wanted"].split("|"))
        return f"must be {wanted}, not {_KINDS.get(kind['got'], kind['got'])}"
    return what[:1].lower() + what[1:]


def _joined(*names: str) -> str:
    return ".".join(name for name in names if name)


def _type_at(cls: type, name: str) -> Any:
    """The type of the field with a dotted name: msgspec says where it is, not what is there."""
    kind = _bare(msgspec.inspect.type_info(cls))
    for step in re.sub(r"\[\d*\]", "", name).split(".") if name else []:
        kind = _bare(next(field.type for field in kind.fields if field.encode_name == step))
    return kind


def _described(cls: type, name: str) -> str | None:
    """What a field's type says of itself, where a pattern says too little."""
    outer, _, last = re.sub(r"\[\d*\]", "", name).rpartition(".")
    fields = {field.encode_name: field.type for field in _type_at(cls, outer).fields}
    kind = fields[last]
    kind = kind.item_type if isinstance(kind, msgspec.inspect.VarTupleType) else kind
    for part in kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,):
        if isinstance(part, msgspec.inspect.Metadata) and part.extra_json_schema:
            return part.extra_json_schema.get("description")
    return None


def _bare(kind: msgspec.inspect.Type) -> Any:
    """The type itself, out of an optional, out of a list, and out of a table of names."""
    match kind:
        case msgspec.inspect.UnionType():
            return _bare(next(k for k in kind.types if not isinstance(k, msgspec.inspect.NoneType)))
        case msgspec.inspect.Metadata():
            return _bare(kind.type)
        case msgspec.inspect.VarTupleType():
            return _bare(kind.item_type)
        case msgspec.inspect.DictType():
            return _bare(kind.value_type)
    return kind


def _words_at(cls: type, name: str) -> list[str]:
    kind = _type_at(cls, name)
    words = kind.values if isinstance(kind, msgspec.inspect.LiteralType) else [word.value for word in kind.cls]
    return [str(word) for word in words]
