"""GetOperation, GetOperations, GetOperationsForResource: newest first."""

from typing import Any

from doubles.lightsail.calls.answers import operation, page
from doubles.lightsail.cloud import Cloud
from doubles.lightsail.records import Operation
from doubles.lightsail.refusal import not_found


def get_operation(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Tell one operation."""
    found = cloud.store.find(Operation, request["operationId"])
    if found is None:
        raise not_found("Operation", request["operationId"])
    return {"operation": operation(cloud, found)}


def get_operations(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Tell all operations, page by page."""
    return _listed(cloud, cloud.store.all(Operation), request)


def get_operations_for_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Tell the operations of one resource, also of one that is gone."""
    name = request["resourceName"]
    return _listed(cloud, [one for one in cloud.store.all(Operation) if one.resource == name], request)


def _listed(cloud: Cloud, operations: list[Operation], request: dict[str, Any]) -> dict[str, Any]:
    newest = sorted(operations, key=lambda one: (one.created, one.id), reverse=True)
    listed, rest = page(newest, request.get("pageToken"))
    return {"operations": [operation(cloud, one) for one in listed], **rest}
