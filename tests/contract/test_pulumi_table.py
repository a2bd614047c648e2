"""The local provider's table on AWS's own DynamoDB: made as the queue lays it out, read back as it was written."""

import json

import pytest

from dashboard.stores.dynamodb import layout
from infra import table as program
from local.pulumi import rules
from local.pulumi.resources import Polling
from local.pulumi.tables import Table
from tests import dynamo

pytestmark = pytest.mark.process
INPUTS = {
    "name": "jada-made",
    "billingMode": "PAY_PER_REQUEST",
    "hashKey": "pk",
    "rangeKey": "sk",
    "attributes": [{"name": name, "type": "S"} for name in ("ls", "lk", "rs", "rq", "sk", "pk")],
    "globalSecondaryIndexes": [
        {
            "name": name,
            "keySchemas": [
                {"attributeName": hashed, "keyType": "HASH"},
                {"attributeName": sorted_by, "keyType": "RANGE"},
            ],
            "projectionType": "INCLUDE" if carried else "KEYS_ONLY",
            **({"nonKeyAttributes": list(carried)} if carried else {}),
        }
        for name, (hashed, sorted_by, carried) in reversed(program.INDEXES.items())
    ],
}


def described(client, name):
    found = client.describe_table(TableName=name)["Table"]
    indexes = {each["IndexName"]: (each["KeySchema"], each["Projection"]) for each in found["GlobalSecondaryIndexes"]}
    return found["KeySchema"], json.dumps(indexes, sort_keys=True)


def test_a_table_is_made_as_the_queue_lays_it_out_read_as_it_was_written_and_deleted():
    client = dynamo.client(dynamo.address())
    table = Table(client, Polling())
    assert rules.faults(rules.TABLE, INPUTS) == {}
    assert table.create(INPUTS) == "jada-made"
    client.create_table(**layout.definition("jada-wanted"))
    assert described(client, "jada-made") == described(client, "jada-wanted")
    found = table.read("jada-made", INPUTS)
    assert not rules.change(rules.TABLE, INPUTS, found.inputs).changed
    assert found.outputs["arn"].endswith("table/jada-made")
    table.delete("jada-made", INPUTS)
    table.delete("jada-made", INPUTS)  # gone already
    assert table.read("jada-made", INPUTS) is None


def test_tags_which_dynamodb_local_does_not_have_are_named_and_not_dropped():
    assert "tags" in rules.faults(rules.TABLE, {**INPUTS, "tags": {"a": "b"}})
