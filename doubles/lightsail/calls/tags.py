"""TagResource and UntagResource, for instances; a static IP has no tags in the contract."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from doubles.lightsail.calls.answers import identity
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.errors import invalid, not_found
from doubles.lightsail.records import Instance, Tag

MOST = 50
"""Tags a resource may have."""


def read(given: Sequence[dict[str, str]]) -> tuple[Tag, ...]:
    """Read tags from a request. Raises `AwsError`."""
    if any("key" not in tag for tag in given):
        raise invalid("A tag needs a key.")
    return merged((), [Tag(tag["key"], tag.get("value", "")) for tag in given])


def merged(old: Sequence[Tag], new: Sequence[Tag]) -> tuple[Tag, ...]:
    """The old tags with the new ones over them. Raises `AwsError` for too many."""
    by_key = {tag.key: tag for tag in (*old, *new)}
    if len(by_key) > MOST:
        raise invalid(f"A resource can have {MOST} tags, not {len(by_key)}.")
    return tuple(by_key[key] for key in sorted(by_key))


def tag_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Add tags, or give those that are there another value."""
    record = _tagged(cloud, request)
    cloud.store.put(replace(record, tags=merged(record.tags, read(request["tags"]))))
    return {"operations": []}


def untag_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Take tags away by key."""
    record = _tagged(cloud, request)
    cloud.store.put(replace(record, tags=tuple(tag for tag in record.tags if tag.key not in request["tagKeys"])))
    return {"operations": []}


def _tagged(cloud: Cloud, request: dict[str, Any]) -> Instance:
    name = request["resourceName"]
    record = cloud.store.find(Instance, name)
    if record is None:
        raise not_found("A resource with tags named", name)
    # The name decides; the ARN of another resource beside it is a caller's mistake.
    if request.get("resourceArn", (arn := identity(cloud, record)["arn"])) != arn:
        raise invalid(f"resourceArn is not that of {name}, which is {arn}.")
    return record
