"""What crosses the wire between engine and provider, as values: properties, differences, refusals."""

from collections.abc import Mapping
from typing import Any

import grpc  # type: ignore[import-untyped] # ships no types, nor does protobuf
from google.protobuf import empty_pb2  # type: ignore[import-untyped] # as above
from google.protobuf.json_format import MessageToDict, ParseDict  # type: ignore[import-untyped] # as above
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped] # as above
from pulumi.runtime.proto import provider_pb2, status_pb2

from local.pulumi.resources import Unfinished
from local.pulumi.rules import Change, Properties

EMPTY = empty_pb2.Empty()
NONE = provider_pb2.DiffResponse.DIFF_NONE
SOME = provider_pb2.DiffResponse.DIFF_SOME


def plain(properties: Any) -> dict[str, Any]:
    """Turn properties into plain data; whole numbers are ints, what isn't known yet is the engine's UNKNOWN text."""
    return {key: _whole(value) for key, value in MessageToDict(properties).items()}


def struct(properties: Properties) -> Struct:
    """Turn plain data into properties."""
    return ParseDict(dict(properties), Struct())


def failures(faults: Mapping[str, str]) -> list[provider_pb2.CheckFailure]:
    """Tell which inputs are wrong, and why."""
    return [provider_pb2.CheckFailure(property=key, reason=why) for key, why in sorted(faults.items())]


def diff(change: Change, old: Properties, new: Properties) -> provider_pb2.DiffResponse:
    """Tell a change property by property, as the engine shows it."""
    detail = {key: _property_diff(key, change, old, new) for key in change.changed}
    return provider_pb2.DiffResponse(
        changes=SOME if change.changed else NONE,
        diffs=sorted(change.changed),
        replaces=sorted(change.replaces),
        deleteBeforeReplace=change.delete_first,
        detailedDiff=detail,
        hasDetailedDiff=True,
    )


def abort(context: Any, message: str) -> None:
    """End a call with a sentence for the operator; does not return."""
    context.abort(grpc.StatusCode.UNKNOWN, message)


def abort_unfinished(context: Any, unfinished: Unfinished) -> None:
    """End a creation whose resource exists: the engine records it under its id, and the next `up` goes on there."""
    failed = provider_pb2.ErrorResourceInitFailed(id=unfinished.resource_id, reasons=[str(unfinished)])
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(unfinished))
    status.details.add().Pack(failed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    abort(context, str(unfinished))


def _whole(value: Any) -> Any:
    """Give whole numbers their type back, which the wire doesn't know and AWS insists on."""
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _property_diff(key: str, change: Change, old: Properties, new: Properties) -> provider_pb2.PropertyDiff:
    verb = "ADD" if key not in old else "DELETE" if key not in new else "UPDATE"
    kind = f"{verb}_REPLACE" if key in change.replaces else verb
    return provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(kind), inputDiff=True)
