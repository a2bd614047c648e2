"""The queue's table as Pulumi registers it, and its user's rights against the queue's own calls."""

import json
import re
from pathlib import Path

import pytest

from dashboard.stores.dynamodb import layout
from infra import table
from infra.settings import InvalidSetting, read
from local.pulumi import rules

STORE = Path(__file__).parents[3] / "dashboard" / "stores" / "dynamodb" / "table.py"
CONFIG = {"jada:region": "eu-west-1", "jada:operator-cidrs": '["203.0.113.7/32"]'}


@pytest.fixture
def made(declare):
    return declare("prod", table="jada-queue")


def registered(monitor, kind):
    (found,) = monitor.registered(kind)
    return found


def test_one_setting_makes_a_table_that_is_kept_and_says_which_it_is(made):
    found = registered(made, "Table")
    assert found.protect
    assert found.object["pointInTimeRecovery"]["enabled"]
    assert found.object["serverSideEncryption"]["enabled"]
    assert found.object["deletionProtectionEnabled"]
    assert found.object["ttl"] == {"attributeName": layout.GONE_AT, "enabled": True}
    assert made.outputs["inventory"]["table"] == {"name": "jada-queue", "user": "jada-queue-hosts"}


def test_without_the_setting_there_is_none(declare):
    monitor = declare("prod")
    assert not monitor.registered("Table")
    assert not monitor.registered("User")


def test_the_table_is_laid_out_as_the_queue_lays_it_out():
    wanted = layout.definition("jada-queue")
    indexes = {
        index["IndexName"]: (
            *(key["AttributeName"] for key in index["KeySchema"]),
            tuple(index["Projection"].get("NonKeyAttributes", ())),
        )
        for index in wanted["GlobalSecondaryIndexes"]
    }
    assert tuple(key["AttributeName"] for key in wanted["KeySchema"]) == table.KEYS
    assert indexes == table.INDEXES


def test_the_hosts_may_do_what_the_queue_does_on_this_table_and_nothing_else(made):
    (statement,) = json.loads(registered(made, "UserPolicy").object["policy"])["Statement"]
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/jada-queue"
    assert statement["Resource"] == [arn, f"{arn}/index/*"]
    text = STORE.read_text()
    methods = {*re.findall(r"self\._client\.([a-z_]+)\(", text), *re.findall(r'": "([a-z]+_item)"', text)}
    called = {"".join(word.capitalize() for word in name.split("_")) for name in methods - {"close"}}
    # A transaction is allowed by what it consists of.
    assert "TransactWriteItems" in called
    wanted = called - {"TransactWriteItems"} | {"ConditionCheckItem"}
    assert {action.partition(":")[2] for action in statement["Action"]} == wanted


def test_no_key_is_made_by_pulumi_whose_state_would_hold_it(made):
    assert not made.registered("AccessKey")


def test_a_name_that_no_table_can_have_is_refused():
    with pytest.raises(InvalidSetting, match="no name of a table"):
        read("prod", {**CONFIG, "jada:table": "a b"}, {})


LOCAL = {**CONFIG, "jada:endpoint": "http://10.77.0.1:8700", "jada:table": "jada-queue"}


@pytest.mark.parametrize(
    ("endpoint", "why"), [({}, "never runs against AWS"), ({"jada:table-endpoint": "http://8.8.8.8:80"}, "loopback")]
)
def test_the_local_table_is_on_this_machine_or_nowhere(endpoint, why):
    with pytest.raises(InvalidSetting, match=f"^jada:table-endpoint: .*{why}"):
        read("local", {**LOCAL, **endpoint}, {})


def test_the_local_table_has_what_dynamodb_local_has_and_no_user(declare):
    made = declare("local", table="jada-queue", table_endpoint="http://10.77.0.1:8704")
    assert (
        set(registered(made, "Table").object) <= rules.KINDS[rules.TABLE].required | rules.KINDS[rules.TABLE].optional
    )
    assert not made.registered("User")
    assert made.outputs["inventory"]["table"] == {"name": "jada-queue", "endpoint": "http://10.77.0.1:8704"}
    assert '"dynamodb": "http://10.77.0.1:8704"' in registered(made, "aws").object["endpoints"]


@pytest.mark.parametrize(("stack", "more"), [("local", {"table_endpoint": "http://10.77.0.1:8704"}), ("prod", {})])
def test_several_hosts_over_a_table_are_several_hosts(declare, stack, more):
    made = declare(stack, hosts_='["jada-1", "jada-2"]', table="jada-queue", **more)
    assert [each["name"] for each in made.outputs["inventory"]["hosts"]] == ["jada-1", "jada-2"]
