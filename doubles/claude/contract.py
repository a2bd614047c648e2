"""A request held to the vendor's own types: the `anthropic` package's TypedDicts as a closed JSON schema.

Two holes of the types are closed here: pydantic reads iterables lazily, and ignores keys it does not know.
"""

import functools
from typing import Any

from anthropic.types.beta import message_count_tokens_params as count_of_beta
from anthropic.types.beta import message_create_params as of_beta
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from jsonschema import Draft202012Validator, ValidationError
from pydantic import TypeAdapter

from doubles.claude.errors import ApiError

_FREE = ("InputSchemaTyped",)
"""A tool's input schema is any JSON schema: unknown keys are its author's."""


def check_create(body: Any, *, beta: bool = False) -> None:
    """Check the body of POST /v1/messages, a beta client's by its own types; raises `ApiError` 400 with the field."""
    # Two types of the vendor's package: an error must name the field, not the type that was not meant.
    streaming = isinstance(body, dict) and body.get("stream") is True
    if beta:
        kinds = (of_beta.MessageCreateParamsNonStreaming, of_beta.MessageCreateParamsStreaming)
    else:
        kinds = (MessageCreateParamsNonStreaming, MessageCreateParamsStreaming)  # type: ignore[assignment]
    _check(_validator(kinds[streaming]), body)


def check_count(body: Any, *, beta: bool = False) -> None:
    """Check the body of POST /v1/messages/count_tokens; raises `ApiError` 400, which names the field."""
    _check(_validator(count_of_beta.MessageCountTokensParams if beta else MessageCountTokensParams), body)


@functools.cache
def _validator(params: type) -> Draft202012Validator:
    schema = TypeAdapter(params).json_schema()
    for name, definition in [("", schema), *schema["$defs"].items()]:
        if name not in _FREE and "properties" in definition:
            definition["additionalProperties"] = False
    return Draft202012Validator(schema)


def _check(validator: Draft202012Validator, body: Any) -> None:
    error = next(iter(validator.iter_errors(body)), None)
    if error is not None:
        raise ApiError(400, _described(_cause(error)))


def _cause(error: ValidationError) -> ValidationError:
    """The error of the alternative that was meant: the one of the same `type` or `role`, else the first one."""
    while error.context:
        branches = dict.fromkeys(e.schema_path[0] for e in error.context)
        meant = [b for b in branches if not any(_other_kind(e) for e in error.context if e.schema_path[0] == b)]
        if not meant:
            return error
        chosen = [e for e in error.context if e.schema_path[0] == meant[0]]
        error = max(chosen, key=lambda e: len(e.absolute_path))
    return error


def _other_kind(error: ValidationError) -> bool:
    """Whether this alternative is for another kind of value, by its tag or by its JSON type."""
    tagged = bool(error.path) and error.path[-1] in ("type", "role") and error.validator != "type"
    return tagged or (error.validator == "type" and not error.path)


def _described(error: ValidationError) -> str:
    at = [str(part) for part in error.absolute_path]
    value: Any = error.instance
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        unknown = next(key for key in value if key not in schema["properties"])
        return f"{'.'.join([*at, unknown])}: Extra inputs are not permitted"
    if error.validator == "required":
        missing = next(key for key in schema["required"] if key not in value)
        return f"{'.'.join([*at, missing])}: Field required"
    reason = error.message if len(error.message) < 200 else "Input should be of one of the known forms"
    return f"{'.'.join(at) or 'body'}: {reason}"
