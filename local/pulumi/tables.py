"""A table as DynamoDB Local has it: the calls that make it, and what a program would write for one that is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.pulumi.resources import Found, Polling, Unfinished
from local.pulumi.rules import Properties


@dataclass(frozen=True, slots=True)
class Table:
    """A table of DynamoDB; nothing of it changes in place here."""

    client: Any
    polling: Polling

    def create(self, inputs: Properties) -> str:
        """Create it and wait until it can be used; raises `Unfinished`."""
        name: str = inputs["name"]
        self.client.create_table(**_table_request(inputs))
        if not self.polling.until(lambda: self._described(name).get("TableStatus") == "ACTIVE"):
            raise Unfinished(name, f"the table {name} can't be used after {self.polling.limit:.0f} s")
        return name

    def read(self, resource_id: str, known: Properties, /) -> Found | None:
        """Read it by its name, which is its id."""
        found = self._described(resource_id)
        if not found:
            return None
        inputs = _table_inputs(found, known)
        return Found(resource_id, inputs, inputs | {"arn": found["TableArn"]})

    def delete(self, resource_id: str, _inputs: Properties, /) -> None:
        """Delete it with all that it holds; one that is gone is no error."""
        if self._described(resource_id):
            self.client.delete_table(TableName=resource_id)

    def _described(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.client.describe_table(TableName=name)["Table"]
        except self.client.exceptions.ResourceNotFoundException:
            return {}
        return found


def _table_request(inputs: Properties) -> dict[str, Any]:
    """Return the call that makes a table of these inputs."""
    request: dict[str, Any] = {
        "TableName": inputs["name"],
        "BillingMode": inputs["billingMode"],
        "KeySchema": _keys((inputs["hashKey"], "HASH"), (inputs["rangeKey"], "RANGE")),
        "AttributeDefinitions": [
            {"AttributeName": each["name"], "AttributeType": each["type"]} for each in inputs["attributes"]
        ],
    }
    if indexes := inputs.get("globalSecondaryIndexes"):
        request["GlobalSecondaryIndexes"] = [_index_request(each) for each in indexes]
    return request


def _index_request(index: Properties) -> dict[str, Any]:
    carried = index.get("nonKeyAttributes")
    return {
        "IndexName": index["name"],
        "KeySchema": _keys(*((each["attributeName"], each["keyType"]) for each in index["keySchemas"])),
        "Projection": {
            "ProjectionType": index["projectionType"],
            **({"NonKeyAttributes": list(carried)} if carried else {}),
        },
    }


def _keys(*keys: tuple[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys]


def _table_inputs(found: Properties, known: Properties) -> dict[str, Any]:
    """Return what a program would write for a table; as it was written where that makes the same table."""
    names = {each["KeyType"]: each["AttributeName"] for each in found["KeySchema"]}
    types = [{"name": each["AttributeName"], "type": each["AttributeType"]} for each in found["AttributeDefinitions"]]
    inputs: dict[str, Any] = {
        "name": found["TableName"],
        "billingMode": found["BillingModeSummary"]["BillingMode"],
        "hashKey": names["HASH"],
        "rangeKey": names["RANGE"],
        "attributes": _in_order_of(types, known.get("attributes")),
    }
    if indexes := found.get("GlobalSecondaryIndexes"):
        read = [_index_inputs(each) for each in indexes]
        inputs["globalSecondaryIndexes"] = _in_order_of(read, known.get("globalSecondaryIndexes"))
    return inputs


def _index_inputs(found: Properties) -> dict[str, Any]:
    projection = found["Projection"]
    carried = projection.get("NonKeyAttributes")
    return {
        "name": found["IndexName"],
        "keySchemas": [{"attributeName": e["AttributeName"], "keyType": e["KeyType"]} for e in found["KeySchema"]],
        "projectionType": projection["ProjectionType"],
        **({"nonKeyAttributes": carried} if carried else {}),
    }


def _in_order_of(read: list[dict[str, Any]], known: Sequence[Properties] | None) -> list[Any]:
    """Return what AWS keeps as a set in the order in which it was written, where it is the same."""
    by_name = {each["name"]: each for each in read}
    if known and len(known) == len(by_name) and all(by_name.get(each["name"]) == each for each in known):
        return list(known)
    return read
