"""Field masks (`sheets.properties(title,index),spreadsheetId`): what to show, what to change."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from doubles.google.contract import Contract, sheets
from doubles.google.errors import bad_request, invalid

Mask: TypeAlias = dict[str, Any]
"""Field → mask of its inside; an empty mask means all of it."""

_TOKEN = re.compile(r"[A-Za-z0-9_*]+|[.,()/]")


def parse(text: str) -> Mask:
    """Read a mask. Raises `GoogleError` for one that can't be read."""
    compact = re.sub(r"\s", "", text)
    tokens = _TOKEN.findall(compact)
    if "".join(tokens) != compact or not tokens:
        raise invalid(f"Invalid field mask: {text}")
    mask = _paths(tokens)
    if tokens:
        raise invalid(f"Invalid field mask: {text}")
    return mask


def required(args: Mapping[str, Any], kind: str) -> Mask:
    """Return the mask in the `fields` of a request that changes a value of a type. Raises `GoogleError`."""
    if not args.get("fields"):
        raise invalid("At least one field must be listed in 'fields'. (use '*' to indicate all fields)")
    mask = parse(args["fields"])
    check(mask, sheets(), {"$ref": kind})
    return mask


def check(mask: Mask, contract: Contract, kind: Mapping[str, Any], where: str = "") -> None:
    """Check a mask against the type it selects from. Raises `GoogleError` naming the path that is not there."""
    for name, inside in mask.items():
        inner = _inside(contract, kind, name)
        path = f"{where}.{name}" if where else name
        if inner is None:
            text = f"Error expanding 'fields' parameter. Cannot find matching fields for path '{path}'."
            raise bad_request([{"field": path, "description": text}])
        check(inside, contract, inner, path)


def select(mask: Mask, data: Any) -> Any:
    """Return the part of an answer that the mask names, in lists item by item."""
    if isinstance(data, list):
        return [select(mask, item) for item in data]
    if not mask or "*" in mask or not isinstance(data, dict):
        return data
    return {name: select(mask[name], value) for name, value in data.items() if name in mask}


def merge(mask: Mask, target: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return `target` with the named fields as `source` has them; what it lacks is cleared."""
    if not mask or "*" in mask:
        return dict(source)
    result = dict(target)
    for name, inside in mask.items():
        value = merge(inside, result.get(name, {}), source.get(name, {})) if inside else source.get(name)
        if value is None or value == {}:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def _paths(tokens: list[str]) -> Mask:
    """Read `a.b,c(d,e)` up to a closing bracket or the end."""
    mask: Mask = {}
    while tokens and tokens[0] != ")":
        _path(tokens, mask)
        if tokens and tokens[0] == ",":
            tokens.pop(0)
        elif tokens and tokens[0] != ")":
            raise invalid(f"Invalid field mask near {tokens[0]}")
    return mask


def _path(tokens: list[str], mask: Mask) -> None:
    name = tokens.pop(0)
    if name in ".,()/":
        raise invalid(f"Invalid field mask near {name}")
    known, inside = name in mask, mask.setdefault(name, {})
    if tokens and tokens[0] in "./":
        tokens.pop(0)
        if not tokens:
            raise invalid(f"Invalid field mask after {name}")
        deeper: Mask = {}
        _path(tokens, deeper)
    elif tokens and tokens[0] == "(":
        tokens.pop(0)
        deeper = _paths(tokens)
        if not tokens or not deeper:
            raise invalid(f"Invalid field mask: the bracket after {name} does not close, or is empty")
        tokens.pop(0)
    else:
        mask[name] = {}
        return
    # A field that was named whole stays whole, whatever part of it is named after.
    if not known or inside:
        _join(inside, deeper)


def _join(mask: Mask, more: Mask) -> None:
    for name, inside in more.items():
        if name not in mask:
            mask[name] = inside
        elif not inside or not mask[name]:
            mask[name] = {}
        else:
            _join(mask[name], inside)


def _inside(contract: Contract, kind: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the type of a field of a type; `*` is any field."""
    while kind.get("type") == "array":
        kind = kind["items"]
    if name == "*":
        return kind
    fields = contract.schemas[kind["$ref"]]["properties"] if "$ref" in kind else {}
    found: Mapping[str, Any] | None = fields.get(name)
    return found
