"""Which tools an answer may, or must, call: `tool_choice`, as the API holds a model to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from doubles.claude.answer import Call, Part, Reply
from doubles.claude.errors import ApiError

_FORCED = ("any", "tool")
_INPUTS: Mapping[str, dict[str, Any]] = {
    "bash": {"command": "pwd"},
    "text_editor": {"command": "view", "path": "."},
}
"""The input of a tool of the API's own, by the beginning of its type."""


def check(body: Mapping[str, Any]) -> None:
    """Check a request's tool_choice; raises `ApiError` 400."""
    chosen = body.get("tool_choice")
    if chosen is None:
        return
    names = {tool["name"] for tool in body.get("tools", ())}
    if not names and chosen["type"] != "none":
        raise ApiError(400, "tool_choice: Tool choice may only be specified while providing tools.")
    if chosen["type"] == "tool" and chosen["name"] not in names:
        raise ApiError(400, f"tool_choice: Tool '{chosen['name']}' not found in provided tools")
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if thinks and chosen["type"] in _FORCED:
        raise ApiError(400, "Thinking may not be enabled when tool_choice forces tool use.")


def shaped(reply: Reply, body: Mapping[str, Any]) -> Reply:
    """Return a reply as the choice allows it: without calls, or with one at least, or with one at most."""
    chosen = body.get("tool_choice") or {"type": "auto"}
    parts: Iterator[Part] = iter(reply)
    if chosen["type"] == "none":
        parts = (part for part in parts if not isinstance(part, Call))
    elif chosen["type"] in _FORCED:
        # A model that is forced says nothing first.
        parts = (part for part in parts if isinstance(part, Call) and chosen.get("name") in (None, part.name))
    made = tuple(parts)
    if chosen["type"] in _FORCED and not made:
        made = (_call(body["tools"], chosen.get("name")),)
    return tuple(_one_call(made)) if chosen.get("disable_parallel_tool_use") else made


def _one_call(parts: Reply) -> Iterator[Part]:
    called = False
    for part in parts:
        if isinstance(part, Call) and called:
            return
        called = called or isinstance(part, Call)
        yield part


def _call(tools: list[dict[str, Any]], name: str | None) -> Call:
    tool = next(tool for tool in tools if name in (None, tool["name"]))
    kind = str(tool.get("type") or "custom")
    own = next((given for begin, given in _INPUTS.items() if kind.startswith(begin)), None)
    return Call(tool["name"], dict(own) if own else example(tool.get("input_schema", {})))


def example(schema: Mapping[str, Any]) -> Any:
    """Return a small value that fits a JSON schema: its required properties, each as simple as it can be."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example(properties.get(name, {"type": "string"})) for name in schema.get("required", ())}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}))] * int(schema.get("minItems", 0))
    simple = {"string": "example", "integer": 1, "number": 1.0, "boolean": True, "null": None}
    return schema.get("minimum", simple.get(kind)) if kind in ("integer", "number") else simple.get(kind)
