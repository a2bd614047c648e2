"""A round of the stress of a family in a table (`make faults` has a hundred); a wrong budget would be seen."""

from contextlib import closing

from dashboard.stores.dynamodb.layout import task_key
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from tests import dynamo
from tests.contract.test_stores import FAMILY, make_move
from tests.faults import families


def test_a_familys_budget_is_what_its_records_say_after_moves_of_four_hosts_that_break_off():
    came, found = families.play(1)
    assert found == []
    assert came["moves"] == families.HOSTS * families.MOVES


def test_a_budget_that_its_records_do_not_bear_out_is_seen():
    made = dynamo.client(dynamo.address())
    name = dynamo.new_table(made)
    with closing(DynamoStore(Table(made, name))) as store:
        for member in FAMILY:
            make_move(store, 0, ("add", member, None))
        assert families.wrong(store) == []
        root = task_key(store.tasks()[0].root)._asdict()
        key = {attribute: {"S": value} for attribute, value in root.items()}
        one = {":one": {"N": "1"}}
        made.update_item(TableName=name, Key=key, UpdateExpression="ADD bu :one", ExpressionAttributeValues=one)
        (said,) = families.wrong(store)
        assert "its records say" in said
