"""The policies in docs/iam against the calls in the code, and against who may not make them. What the engine and `fab`
really ask for is held against them in tests/e2e.
"""

import re

import pytest

from tests.iam import FOLDER, actions, allows

ROOT = FOLDER.parents[1]
# The firewall is retained on delete, so that nothing ever closes it port by port.
NEVER_CALLED = {"CloseInstancePublicPorts"}
BY_RESOURCE = {
    *("GetInstanceAccessDetails", "PutInstancePublicPorts", "OpenInstancePublicPorts", "CloseInstancePublicPorts"),
    *("DeleteInstance", "RebootInstance", "StartInstance", "StopInstance", "DeleteInstanceSnapshot"),
    *("TagResource", "UntagResource"),
}
BY_REQUEST = {"CreateInstances", "CreateInstanceSnapshot", "PutAlarm"}
"""Which calls of Lightsail can be bound to tags, by botocore's documentation of each; no other can."""
OURS = {"project": "jada", "stack": "local"}


def called(file: str, client: str) -> set[str]:
    """The API calls in a file, as AWS names them; boto3's methods have the same words."""
    methods = re.findall(rf"\b{client}\.([a-z]+(?:_[a-z]+)+)\b", (ROOT / file).read_text())
    return {"".join(word.capitalize() for word in method.split("_")) for method in methods}


LOOKS = called("provision/audit/gather.py", "api")
"""What a health check reads."""


def reached() -> set[str]:
    """What reaches a host: a login, a door, a look."""
    assert {"GetInstanceMetricData", "GetInstancePortStates"} <= LOOKS
    return called("provision/reach/access.py", "lightsail") | called("provision/reach/firewall.py", "_api") | LOOKS


def test_the_operator_may_make_the_providers_calls_and_snapshots_reach_hosts_and_look_and_nothing_else():
    made = (
        called("local/pulumi/resources.py", "client") | called("provision/reach/snapshots.py", "lightsail") | reached()
    )
    assert actions("operator", "lightsail") == made - NEVER_CALLED


def test_the_operators_rights_are_enough_for_a_trial_on_a_real_account():
    assert called("trial/box.py", "lightsail") <= actions("operator", "lightsail")


def test_ci_may_reach_hosts_open_a_door_and_look_and_nothing_else():
    assert actions("ci", "lightsail") == reached()


@pytest.mark.parametrize("service", ["lightsail", "s3", "kms"])
def test_ci_may_do_nothing_that_the_operator_may_not(service):
    assert actions("ci", service) <= actions("operator", service)


def test_ci_may_read_the_state_and_never_write_it():
    assert actions("ci", "s3") == {"GetObject", "ListBucket"}
    assert actions("ci", "kms") == {"Decrypt"}


@pytest.mark.parametrize("policy", ["operator", "ci"])
def test_every_call_that_lightsail_binds_to_tags_is_bound_to_project_and_stack(policy):
    for action in actions(policy, "lightsail"):
        for strange in ({"project": "jada", "stack": "prod"}, {"project": "shop", "stack": "local"}):
            if action in BY_RESOURCE:
                assert not allows(policy, action, resource=strange, request=OURS), action
            if action in BY_REQUEST:
                assert not allows(policy, action, request=strange), action


@pytest.mark.parametrize("policy", ["operator", "ci"])
def test_no_call_is_allowed_in_another_region(policy):
    for action in actions(policy, "lightsail"):
        assert allows(policy, action, request=OURS, resource=OURS), action
        assert not allows(policy, action, request=OURS, resource=OURS, region="eu-west-1"), action


def test_ci_gets_into_no_box_without_the_stacks_tags():
    for action in ("GetInstanceAccessDetails", "PutInstancePublicPorts"):
        assert not allows("ci", action)
        assert allows("ci", action, resource=OURS)


def test_the_operator_may_put_the_stacks_tags_on_a_box_without_any_and_on_none_of_another_stack():
    assert allows("operator", "TagResource", request=OURS)
    assert not allows("operator", "TagResource", request=OURS, resource={"project": "jada", "stack": "prod"})


def test_the_tables_policy_holds_the_calls_about_its_users_keys():
    made = called("provision/commands/table.py", "iam")
    assert made <= actions("table", "iam")
    assert {action for action in actions("table", "iam") if "AccessKey" in action} == made


def test_the_hosts_own_rights_are_in_no_operators_policy():
    assert not actions("table", "dynamodb") & {"GetItem", "PutItem", "Query", "Scan"}
    assert not actions("operator", "dynamodb")
