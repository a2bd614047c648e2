"""The rules of a conversation that no type can say, and the conversation as the scripts read it."""

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from doubles.claude import choice, media, models, thinking
from doubles.claude.betas import PER_TURN
from doubles.claude.errors import ApiError, not_built

LEAST_THINKING = 1024
"""Tokens of the smallest budget for thinking that the vendor takes."""
_KNOWN = ("text", *thinking.KINDS, "tool_use", "tool_result", *media.KINDS)
_OURS = ("custom", "bash_20250124", "text_editor_20250124", "text_editor_20250429", "text_editor_20250728")


@dataclass(frozen=True, slots=True)
class Result:
    """What came back from one tool call: its tool's name and input, the text, and whether it failed."""

    name: str
    input: dict[str, Any]
    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation so far: the first user message, how many answers, what tools said, and what was said last."""

    first: str
    answers: int
    results: tuple[Result, ...]
    last: str
    tools: frozenset[str]


def merged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages as turns: content as blocks, neighbours of one role put together, as the API does it; what
    the system says on the way belongs to the user's turn.
    """
    turns: list[dict[str, Any]] = []
    for message in messages:
        content, role = message.get("content") or [], "assistant" if message["role"] == "assistant" else "user"
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        # The API joins neighbours, so a result may come in one message and a note in the next.
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def check(body: dict[str, Any], betas: Collection[str] = ()) -> list[dict[str, Any]]:
    """Check the rules of conversation and return its turns; raises `ApiError` 400 as the API, 501 for what we lack."""
    _check_tools(body)
    _check_features(body, betas)
    _check_system(body["messages"], betas)
    turns = merged(body["messages"])
    _check_order(turns)
    for at, turn in enumerate(turns):
        _check_blocks(at, turn)
        _check_pairs(at, turn, turns[at - 1] if at else None, turns[at + 1] if at + 1 < len(turns) else None)
    media.check_all([one for turn in turns for block in turn["content"] for one in _shown(block)])
    thinking.check(turns, body)
    _check_unique(turns)
    _check_markers(body)
    return turns


def read(body: dict[str, Any], turns: list[dict[str, Any]]) -> Conversation:
    """Read a checked conversation for the scripts."""
    calls = {b["id"]: b for t in turns for b in t["content"] if b["type"] == "tool_use"}
    results = tuple(
        Result(calls[b["tool_use_id"]]["name"], calls[b["tool_use_id"]]["input"], text(b), b.get("is_error", False))
        for turn in turns
        for b in turn["content"]
        if b["type"] == "tool_result"
    )
    answers = sum(turn["role"] == "assistant" for turn in turns)
    first, last = ("\n".join(text(b) for b in turn["content"] if b["type"] == "text") for turn in (turns[0], turns[-1]))
    return Conversation(first, answers, results, last, frozenset(tool["name"] for tool in body.get("tools", ())))


def text(block: dict[str, Any]) -> str:
    """Return the text of a block: its own, or that of a tool's result."""
    content = block.get("content", block.get("text", ""))
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _refuse(message: str) -> None:
    raise ApiError(400, message)


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools", ())
    for at, tool in enumerate(tools):
        if (tool.get("type") or "custom") not in _OURS:
            raise not_built(f"tools.{at}: the tool type {tool['type']}")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
            _refuse(f"tools.{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if len({tool["name"] for tool in tools}) < len(tools):
        _refuse("tools: Tool names must be unique.")


def _check_features(body: dict[str, Any], betas: Collection[str]) -> None:
    for key in ("container", "inference_geo", "speed", "diagnostics"):
        if body.get(key):
            raise not_built(f"the parameter {key}")
    if (body.get("output_config") or {}).get("format"):
        raise not_built("output_config.format")
    choice.check(body)
    if any(not one.strip() for one in body.get("stop_sequences") or ()):
        _refuse("stop_sequences: each stop sequence must contain non-whitespace")
    _check_numbers(body, models.most_output(body["model"], betas))


def _check_numbers(body: dict[str, Any], bound: int) -> None:
    most = body.get("max_tokens")
    if most == 0:
        raise not_built("max_tokens 0 (warming the cache)")
    if most is not None and most < 1:
        _refuse("max_tokens: Input should be greater than or equal to 1")
    if most is not None and most > bound:
        model = body["model"]
        _refuse(f"max_tokens: {most} > {bound}, which is the maximum allowed number of output tokens for {model}")
    mode = body.get("thinking", {})
    budgets = range(LEAST_THINKING, most or bound)
    if mode.get("type") == "enabled" and mode["budget_tokens"] not in budgets:
        _refuse(f"thinking.budget_tokens: must be at least {LEAST_THINKING} and less than max_tokens")


def _check_system(messages: list[dict[str, Any]], betas: Collection[str]) -> None:
    """Check what the system says among the messages: words, and how much effort from there on, not before the user."""
    for at, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if "output_config" in message and not PER_TURN & {*betas}:
            _refuse(f"messages.{at}.output_config: Extra inputs are not permitted")
        if message.get("clear_at", "never") != "never":
            raise not_built("a system message with clear_at")
        if not message.get("content") and not message.get("output_config"):
            _refuse(f"messages.{at}: a system message must have content or output_config")
        if any(part["type"] != "text" for part in message.get("content") or () if isinstance(part, dict)):
            raise not_built("a system message that adds or removes tools")
    if messages and messages[0]["role"] == "system":
        _refuse("messages: first message must use the user role")


def _check_order(turns: list[dict[str, Any]]) -> None:
    if not turns:
        _refuse("messages: at least one message is required")
    if turns[0]["role"] != "user":
        _refuse("messages: first message must use the user role")
    if turns[-1]["role"] != "user":
        _refuse("This model does not support assistant message prefill. The conversation must end with a user message.")


def _check_blocks(at: int, turn: dict[str, Any]) -> None:
    if not turn["content"]:
        _refuse(f"messages.{at}: all messages must have non-empty content")
    for place, block in enumerate(turn["content"]):
        where = f"messages.{at}.content.{place}"
        inner = block.get("content", ()) if block["type"] == "tool_result" else ()
        parts = [part for part in inner if isinstance(part, dict)]
        if block["type"] not in _KNOWN or any(part["type"] not in ("text", *media.KINDS) for part in parts):
            raise not_built(f"{where}: content other than text, images, documents and tool calls")
        if block["type"] in media.KINDS and turn["role"] != "user":
            _refuse(f"{where}: `{block['type']}` blocks can't be in a message of the role {turn['role']}")
        for shown in [each for each in (block, *parts) if each["type"] in media.KINDS]:
            media.check(shown, where)
        if block["type"] == "tool_result" and block.get("is_error") and not text(block).strip() and not parts:
            _refuse(f"{where}.tool_result: content cannot be empty if `is_error` is true")
        if block["type"] == "text" and not block["text"].strip():
            _refuse("messages: text content blocks must contain non-whitespace text")
        if block["type"] in (("tool_use", *thinking.KINDS) if turn["role"] == "user" else ("tool_result",)):
            _refuse(f"{where}: `{block['type']}` blocks can't be in a message of the role {turn['role']}")


def _shown(block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the images and documents of a block: itself, or those of a tool's result."""
    inner = block.get("content") if block["type"] == "tool_result" else None
    parts = [part for part in inner if isinstance(part, dict)] if isinstance(inner, list) else []
    return [each for each in (block, *parts) if each["type"] in media.KINDS]


def _check_pairs(at: int, turn: dict[str, Any], before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    asked = _ids(before, "tool_use", "id")
    for place, block in enumerate(turn["content"]):
        if block["type"] != "tool_result":
            continue
        if block["tool_use_id"] not in asked:
            _refuse(
                f"messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{block['tool_use_id']}. Each must have its `tool_use` block in the previous message."
            )
        if any(b["type"] != "tool_result" for b in turn["content"][:place]):
            _refuse(f"messages.{at}.content.{place}: `tool_result` blocks must come first in a message")
    missing = [i for i in _ids(turn, "tool_use", "id") if i not in _ids(after, "tool_result", "tool_use_id")]
    if missing:
        _refuse(
            f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each must have its `tool_result` block in the next message."
        )


def _ids(turn: dict[str, Any] | None, kind: str, key: str) -> list[str]:
    return [b[key] for b in turn["content"] if b["type"] == kind] if turn else []


def _check_unique(turns: list[dict[str, Any]]) -> None:
    for kind, key in (("tool_use", "id"), ("tool_result", "tool_use_id")):
        twice = [i for i, n in Counter(i for turn in turns for i in _ids(turn, kind, key)).items() if n > 1]
        if twice:
            _refuse(f"messages: `{kind}` blocks must be unique by their id; found more than one of {', '.join(twice)}")


def _check_markers(body: dict[str, Any]) -> None:
    """At most four cache markers, the one at the top level among them."""
    found = len(re.findall(r'"cache_control": \{', json.dumps(body)))
    if found > 4:
        _refuse(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")
