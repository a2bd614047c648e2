"""Pages that are made from what the program itself reads: settings from their own comments, the API from OpenAPI.

Both return Markdown, so that nothing is written twice and nothing in the work tree is overwritten.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_KEY = re.compile(r"^(?P<off># )?(?P<key>[a-z_]+) = (?P<rest>.*)$")
_RIGHTS = {
    "public": "anyone who reaches it",
    "agent": "a worker",
    "sync": "the sync",
    "tell": "the sender of notifications",
    "metrics": "a Prometheus",
    "operator": "an operator",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a settings file, and what the comment above it says."""

    name: str
    says: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: the value that stands there, and what its comment says; `given` unless it is commented out itself."""

    section: Section
    key: str
    value: str
    says: str
    given: bool


def settings(text: str) -> Iterator[Setting]:
    """Read a settings file as its reader does: the comment above a key is its own, or that of the keys above it."""
    section, comment, said = Section(""), [], ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("["):
            section, comment, said = Section(line.strip("[]"), " ".join(comment)), [], ""
        elif match := _KEY.match(line):
            value, beside = _value(match["rest"], lines)
            said = " ".join(comment) or said
            says = " ".join(part for part in (said, beside) if part)
            yield Setting(section, match["key"], value, says, given=not match["off"])
            comment = []
        elif line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        else:
            comment, said = [], ""


def _value(rest: str, lines: Iterator[str]) -> tuple[str, str]:
    """Take a value, over several lines when it is a list, and the comment beside it."""
    while True:
        try:
            tomllib.loads(f"key = {rest}")
            break
        except tomllib.TOMLDecodeError:
            rest += f" {next(lines).strip()}"
    value, _, beside = rest.partition("  #") if rest.count('"') % 2 == 0 else (rest, "", "")
    return re.sub(r"\[ (.*?),? \]", r"[\1]", value.strip()), beside.strip()


def settings_page(text: str) -> str:
    """Return each section of a settings file with its keys, their values and meanings."""
    out: list[str] = []
    section = Section("")
    for one in settings(text):
        if one.section != section:
            section = one.section
            out += ["", f"## `[{section.name}]`", "", section.says, ""]
        left_out = "" if one.given else ", left out"
        out += [f"`{one.key}` = `{one.value}`{left_out}", f": {one.says}", ""]
    return "\n".join(out)


def api_page(document: Mapping[str, Any]) -> str:
    """Return the API's routes, then the types that they name."""
    out = ["## Routes", ""]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            out += [*_route(path, method, route), ""]
    out += ["## Types", ""]
    for name, schema in document["components"]["schemas"].items():
        out += [*_type(name, schema), ""]
    return "\n".join(out)


def _route(path: str, method: str, route: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    yield ""
    yield f"For {_RIGHTS[route['x-right']]}; `{route['operationId']}` of our client."
    yield ""
    for one in route.get("parameters", ()):
        words = "; ".join(part for part in (one["in"], _kind(one["schema"]), one.get("description")) if part)
        yield f"- `{one['name']}`: {words}"
    if body := route.get("requestBody"):
        yield f"- takes {_content(body)}"
    for status, answer in route["responses"].items():
        content = f": {_content(answer)}" if "content" in answer else ""
        yield f"- **{status}** {answer['description']}{content}"


def _content(holder: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_kind(media.get('schema', {}))} as `{kind}`" for kind, media in holder.get("content", {}).items()
    )


def _type(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if text := schema.get("description"):
        yield " ".join(text.split())
        yield ""
    if words := schema.get("enum"):
        yield ", ".join(f"`{word}`" for word in words)
    required = schema.get("required", ())
    for field, kind in schema.get("properties", {}).items():
        default = f", `{json.dumps(kind['default'])}` when left out" if "default" in kind else ""
        must = ", required" if field in required else default
        yield f"- `{field}`: {_kind(kind)}{must}"


def _kind(schema: Mapping[str, Any]) -> str:
    """Say a schema in a few words; a type of ours becomes a link to its heading on the page."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_kind(choice) for choice in choices)
    if items := schema.get("items"):
        return f"list of {_kind(items)}{_bounds(schema, 'Items')}"
    kind = schema.get("type", "any value")
    return f"{kind}{_bounds(schema, 'Length')}{_bounds(schema, 'imum')}"


def _bounds(schema: Mapping[str, Any], measure: str) -> str:
    low, high = schema.get(f"min{measure}"), schema.get(f"max{measure}")
    if low is None and high is None:
        return ""
    unit = {"Items": "items ", "Length": "length ", "imum": ""}[measure]
    if high is None:
        return f" ({unit}from {low})"
    return f" ({unit}up to {high})" if low is None else f" ({unit}{low} to {high})"
