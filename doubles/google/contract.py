"""Google's own description of Sheets v4, read from the package google-api-python-client: what a call may say."""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

from doubles.google.errors import bad_request, not_built

_DOCUMENT = "discovery_cache/documents/sheets.v4.json"
_NOT_BUILT = ("access_token", "callback", "oauth_token", "uploadType", "upload_protocol", "$.xgafv")
"""Parameters of every Google API that change how a call is read or answered."""


_Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of the API: its name (`spreadsheets.values.get`), parameters, types, and scopes that may call it."""

    name: str
    method: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: str | None
    response: str
    scopes: frozenset[str]


class Contract:
    """The API's operations and types."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.schemas: Mapping[str, Any] = document["schemas"]
        self._shared: Mapping[str, Any] = document["parameters"]
        # A verb (`:clear`) must be tried before the range that would swallow it.
        self._operations = sorted(_operations(document), key=lambda op: ":" not in op.pattern.pattern)

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]] | None:
        """Return the operation behind a method and a raw path, and the still quoted values in the path."""
        for operation in self._operations:
            match = operation.pattern.fullmatch(path)
            if match and operation.method == method:
                return operation, match.groupdict()
        return None

    def query(self, operation: Operation, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Read query parameters: repeated ones as lists, booleans as such. Raises `GoogleError`."""
        known = {n: p for n, p in {**self._shared, **operation.parameters}.items() if p["location"] == "query"}
        values: dict[str, Any] = {}
        violations = []
        for name, text in given:
            if name not in known:
                violations.append(_unknown_parameter(name))
            elif name in _NOT_BUILT or (name, text) in (("alt", "media"), ("alt", "proto")):
                raise not_built(f"parameter {name}")
            elif not _fits_text(known[name], text):
                violations.append(_violation(f"Invalid value at '{_snake(name)}' ({_kind(known[name])}), \"{text}\""))
            elif known[name].get("repeated"):
                values.setdefault(name, []).append(text)
            else:
                values[name] = text.lower() == "true" if known[name]["type"] == "boolean" else text
        if violations:
            raise bad_request(violations)
        return values

    def check(self, schema: str, data: object) -> None:
        """Check a request's body against its type. Raises `GoogleError` with every violation, as Google lists them."""
        violations = [_violation(text) for text in self.violations(schema, data)]
        if violations:
            raise bad_request(violations)

    def violations(self, schema: str, data: object) -> Iterator[str]:
        """Yield what is wrong with `data` as a value of a named type; null means absent."""
        return self._value({"$ref": schema}, data, ())

    def _value(self, kind: Mapping[str, Any], data: object, where: _Path) -> Iterator[str]:
        if "$ref" in kind:
            yield from self._object(kind["$ref"], data, where)
        elif kind["type"] == "array":
            yield from self._array(kind["items"], data, where)
        elif data is not None and not _fits(kind, data):
            yield f"Invalid value at '{_written(where)}' ({_kind(kind)}), {json.dumps(data)}"

    def _object(self, name: str, data: object, where: _Path) -> Iterator[str]:
        if not isinstance(data, dict):
            if data is not None:
                full = f"type.googleapis.com/google.apps.sheets.v4.{name}"
                yield f"Invalid value at '{_written(where)}' ({full}), {json.dumps(data)}"
            return
        fields = self.schemas[name]["properties"]
        for key, value in data.items():
            kind = fields.get(key)
            # Google lists every unknown name with where it is, and carries out nothing.
            if kind is None:
                at = f" at '{_written(where)}'" if where else ""
                yield f'Invalid JSON payload received. Unknown name "{key}"{at}: Cannot find field.'
            elif not (kind.get("type") in _SCALARS and _fits(kind, value)):
                # A grid has a million scalars: only what is more than that gets a generator of its own.
                yield from self._value(kind, value, (*where, key))

    def _array(self, items: Mapping[str, Any], data: object, where: _Path) -> Iterator[str]:
        if not isinstance(data, list):
            if data is not None:
                yield f"Invalid value at '{_written(where)}' ({_kind(items)}), {json.dumps(data)}"
            return
        # The cells of `values`: anything JSON has, checked when it is entered.
        if items.get("type") == "any":
            return
        for number, item in enumerate(data):
            yield from self._value(items, item, (*where, number))


@functools.cache
def sheets() -> Contract:
    """Return the contract of Sheets v4, from the installed package."""
    return Contract(json.loads((files("googleapiclient") / _DOCUMENT).read_text(encoding="utf-8")))


def _operations(resource: Mapping[str, Any], prefix: str = "") -> Iterator[Operation]:
    for name, method in resource.get("methods", {}).items():
        yield Operation(
            name=prefix + name,
            method=method["httpMethod"],
            pattern=_pattern(method["flatPath"]),
            parameters=method.get("parameters", {}),
            request=method.get("request", {}).get("$ref"),
            response=method["response"]["$ref"],
            scopes=frozenset(method["scopes"]),
        )
    for name, inner in resource.get("resources", {}).items():
        yield from _operations(inner, f"{prefix}{name}.")


def _pattern(path: str) -> re.Pattern[str]:
    """Turn `v4/spreadsheets/{spreadsheetId}/values/{range}:clear` into what matches a path as it was sent.

    Only a range may hold a colon of its own.
    """
    parts = re.split(r"\{(\w+)\}", path)
    parts[1::2] = [f"(?P<{name}>[^/]+)" if name == "range" else f"(?P<{name}>[^/:]+)" for name in parts[1::2]]
    parts[::2] = [re.escape(text) for text in parts[::2]]
    return re.compile("/" + "".join(parts))


_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "any": (str, bool, int, float, dict, list, type(None)),
}
"""JSON's types → Python's, exactly: a bool is no int."""
_INT32 = range(-(2**31), 2**31)


def _fits(kind: Mapping[str, Any], data: object) -> bool:
    if type(data) not in _SCALARS[kind["type"]]:
        return False
    if kind["type"] == "integer":
        return isinstance(data, int) and data in _INT32
    return "enum" not in kind or data in kind["enum"]


def _fits_text(kind: Mapping[str, Any], text: str) -> bool:
    if kind["type"] == "boolean":
        return text.lower() in ("true", "false")
    if kind["type"] == "integer":
        return re.fullmatch(r"-?\d+", text) is not None
    return text in kind.get("enum", (text,))


def _kind(kind: Mapping[str, Any]) -> str:
    if "enum" in kind:
        return "TYPE_ENUM"
    return f"TYPE_{kind.get('format', kind.get('type', kind.get('$ref', ''))).upper()}"


def _unknown_parameter(name: str) -> Mapping[str, str]:
    return _violation(
        f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
        f"Field '{name}' could not be found in request message."
    )


def _violation(text: str) -> Mapping[str, str]:
    return {"description": text}


def _written(path: _Path) -> str:
    """Write a path as Google's errors have it: `requests[0].append_dimension`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_snake(part)}" for part in path).removeprefix(".")


@functools.cache
def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()
