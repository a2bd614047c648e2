"""The API's description, OpenAPI 3.1, made from `wire.routes`; `python -m dashboard.openapi` prints it.

docs/api/openapi.json is its output; a test holds it current.
"""

import functools
import inspect
import json
import re
import sys
from typing import Any

import msgspec

from wire import types
from wire.routes import ROUTES, Header, Right, Route
from wire.values import OpenWord, Written

PATH = "/v1/openapi.json"
_REF = "#/components/schemas/{name}"
_MEANINGS = {
    400: "the body is no JSON",
    401: "the bearer token is missing, wrong or revoked (over TCP only: a Unix socket asks for none)",
    403: "the caller, a user of the host or the holder of a token, lacks the right to this",
    404: "nothing has this id",
    409: "the state forbids it, the fence is stale, or the key of a claim was used for one that is over",
    412: "the task has changed since it was read",
    413: "the body is too large",
    415: "the body has a content coding other than gzip",
    421: "the host name is none of this machine's loopback",
    422: "a value is refused; `field` names it",
    428: "If-Match is missing",
    503: "the queue cannot be used now: try again, or see `detail`",
    507: "there is no room; nothing was changed, and what was acknowledged stays",
}
_HEADERS = {
    Header.IDEMPOTENCY_KEY: ("the same key with the same task gives the first one again", {"type": "string"}),
    Header.CLAIM: (
        "again: the key was sent before, its end is not known: what it holds or 409; day: say what the host used today",
        {"type": "string", "examples": ["again day"]},
    ),
    Header.IF_MATCH: ("the ETag of the task that was read", {"type": "string", "examples": ['"3"']}),
}


@functools.cache
def text() -> str:
    """Return the document as JSON, indented; the same text for the same table."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "jada's queue", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route[object]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": route.name, "x-right": route.right.value}
    parameters = [*_path(route), *_query(route), *_headers(route)]
    if route.right is not Right.PUBLIC:
        operation["security"] = [{"token": []}]
    if parameters:
        operation["parameters"] = parameters
    if route.request:
        operation["requestBody"] = {"required": True, "content": _content("application/json", route.request)}
    problem = _content("application/problem+json", types.Problem)
    operation["responses"] = {
        **_success(route),
        **{str(status): {"description": _MEANINGS[status], "content": problem} for status in route.every},
    }
    return operation


def _success(route: Route[object]) -> dict[str, Any]:
    content = _content("application/json", route.answer) if route.answer else {route.media: {"schema": {}}}
    success = {str(route.status): {"description": "done", "content": content}}
    if route.name == "add_task":
        success["200"] = {"description": "the task that stands for it already", "content": content}
    if route.may_be_empty:
        success["204"] = {"description": "there is none"}
    return success


def _content(media: str, cls: type) -> dict[str, Any]:
    return {media: {"schema": {"$ref": _REF.format(name=cls.__name__)}}}


def _path(route: Route[object]) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query(route: Route[object]) -> list[dict[str, Any]]:
    if not route.query:
        return []
    properties = _tidied(msgspec.json.schema(route.query)["$defs"][route.query.__name__])["properties"]
    return [{"name": name, "in": "query", "schema": _in_query(schema)} for name, schema in properties.items()]


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is absent is nothing; a query string has no null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    plain = kinds[0] if kinds else {key: value for key, value in schema.items() if key != "default"}
    # A filter asks, so its words are those that are known here.
    return {"type": "string", "enum": [*types.State]} if plain.get("$ref", "").endswith("/State") else plain


def _headers(route: Route[object]) -> list[dict[str, Any]]:
    return [
        {
            "name": str(header),
            "in": "header",
            "required": False,  # one that is needed has a status of its own, 428 (RFC 6585)
            "description": _HEADERS[header][0],
            "schema": _HEADERS[header][1],
        }
        for header in route.headers
    ]


def _schemas() -> dict[str, Any]:
    classes = {cls for route in ROUTES for cls in (route.request, route.answer) if cls} | {types.Problem}
    _, schemas = msgspec.json.schema_components(sorted(classes, key=lambda cls: cls.__name__), ref_template=_REF)
    return {name: _tidied(schema) for name, schema in sorted(schemas.items())}


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Say what msgspec cannot: what is written may hold keys and words of another release."""
    if "description" in schema:
        # Python 3.13 takes a docstring's indent away by itself, and the document is the same for each Python.
        schema["description"] = inspect.cleandoc(schema["description"])
    cls = getattr(types, schema.get("title", ""), None)
    if isinstance(cls, type) and issubclass(cls, OpenWord):
        words = schema.pop("enum")
        return {**schema, "type": "integer" if isinstance(words[0], int) else "string", "examples": words}
    if isinstance(cls, type) and issubclass(cls, Written):
        schema["properties"].pop("~")
        schema["additionalProperties"] = True
    return schema


if __name__ == "__main__":
    sys.stdout.write(text())
