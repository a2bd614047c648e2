"""The policies in docs/iam against the calls in the code."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The firewall is retained on delete, so that nothing ever closes it port by port.
NEVER_CALLED = {"CloseInstancePublicPorts"}


def allowed(policy: str, service: str) -> set[str]:
    statements = json.loads((ROOT / "docs/iam" / policy).read_text())["Statement"]
    actions = [action for statement in statements for action in statement["Action"]]
    return {action.partition(":")[2] for action in actions if action.startswith(f"{service}:")}


def called(file: str, client: str) -> set[str]:
    """The API calls in a file, as AWS names them; boto3's methods have the same words."""
    methods = re.findall(rf"\b{client}\.([a-z]+(?:_[a-z]+)+)\b", (ROOT / file).read_text())
    return {"".join(word.capitalize() for word in method.split("_")) for method in methods}


def test_the_operator_may_make_the_providers_calls_and_ask_for_access_and_nothing_else():
    made = called("local/pulumi/resources.py", "client") | called("provision/reach/access.py", "lightsail")
    assert allowed("operator.json", "lightsail") == made - NEVER_CALLED


def test_the_operators_rights_are_enough_for_a_trial_on_a_real_account():
    assert called("trial/box.py", "lightsail") <= allowed("operator.json", "lightsail")


def test_ci_may_ask_for_access_and_open_a_door_and_nothing_else():
    doors = called("provision/reach/firewall.py", "_api")
    assert allowed("ci.json", "lightsail") == called("provision/reach/access.py", "lightsail") | doors


@pytest.mark.parametrize("service", ["lightsail", "s3", "kms"])
def test_ci_may_do_nothing_that_the_operator_may_not(service):
    assert allowed("ci.json", service) <= allowed("operator.json", service)


def test_ci_may_read_the_state_and_never_write_it():
    assert allowed("ci.json", "s3") == {"GetObject", "ListBucket"}
    assert allowed("ci.json", "kms") == {"Decrypt"}


def test_the_tables_policy_holds_the_calls_about_its_users_keys():
    made = called("provision/commands/table.py", "iam")
    assert made <= allowed("table.json", "iam")
    assert {action for action in allowed("table.json", "iam") if "AccessKey" in action} == made


def test_the_hosts_own_rights_are_in_no_operators_policy():
    assert not allowed("table.json", "dynamodb") & {"GetItem", "PutItem", "Query", "Scan"}
    assert not allowed("operator.json", "dynamodb")
