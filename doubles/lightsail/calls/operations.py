"""GetOperation and GetOperations."""

from typing import Any

from doubles.lightsail.calls.answers import operation, page
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.errors import not_found
from doubles.lightsail.records import Operation


def get_operation(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe one operation."""
    found = cloud.store.find(Operation, request["operationId"])
    if found is None:
        raise not_found("Operation", request["operationId"])
    return {"operation": operation(cloud, found)}


def get_operations(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Describe all operations, newest first, page by page."""
    newest = sorted(cloud.store.all(Operation), key=lambda one: (one.created, one.id), reverse=True)
    listed, rest = page(newest, request.get("pageToken"))
    return {"operations": [operation(cloud, one) for one in listed], **rest}
