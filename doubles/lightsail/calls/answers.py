"""Parts that answers have in common: places, operations, tags, pages."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from doubles.lightsail.cloud import ACCOUNT, Cloud
from doubles.lightsail.errors import invalid
from doubles.lightsail.records import Instance, Operation, StaticIp, Tag

T = TypeVar("T")
PAGE = 20
"""Entries on a page of a list; the vendor doesn't say how many it has."""


def identity(cloud: Cloud, record: Instance | StaticIp) -> dict[str, Any]:
    """The fields that all resources have."""
    kind = type(record).__name__
    return {
        "name": record.name,
        "arn": f"arn:aws:lightsail:{cloud.region}:{ACCOUNT}:{kind}/{record.id}",
        "supportCode": f"{ACCOUNT}/{record.id}",
        "createdAt": record.created,
        "location": location(cloud, record.zone if isinstance(record, Instance) else "all"),
        "resourceType": kind,
    }


def location(cloud: Cloud, zone: str) -> dict[str, str]:
    """Where something is; `all` when it belongs to no zone."""
    return {"availabilityZone": zone, "regionName": cloud.region}


def tags(given: Sequence[Tag]) -> list[dict[str, str]]:
    """Describe tags."""
    return [{"key": tag.key, "value": tag.value} for tag in given]


def operation(cloud: Cloud, done: Operation) -> dict[str, Any]:
    """Describe an operation."""
    failed = {"errorCode": "InternalFailure", "errorDetails": done.error} if done.error else {}
    return {
        "id": done.id,
        "resourceName": done.resource,
        "resourceType": done.resource_type,
        "createdAt": done.created,
        "location": location(cloud, done.zone),
        "isTerminal": done.status != "Started",
        "operationDetails": done.details,
        "status": done.status,
        "statusChangedAt": done.changed,
        **({"operationType": done.kind} if done.kind else {}),
        **failed,
    }


def page(items: Sequence[T], token: str | None) -> tuple[Sequence[T], dict[str, str]]:
    """The part of a list that a page token asks for, and the token of the next part if there is one."""
    start = _offset(token) if token else 0
    rest = {"nextPageToken": _token(start + PAGE)} if len(items) > start + PAGE else {}
    return items[start : start + PAGE], rest


def _token(offset: int) -> str:
    return base64.b64encode(f"page:{offset}".encode()).decode()


def _offset(token: str) -> int:
    try:
        word, number = base64.b64decode(token, validate=True).decode().split(":")
        if word == "page" and number.isdigit():
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise invalid(f"pageToken {token!r} is not one that a call before returned as nextPageToken.")
