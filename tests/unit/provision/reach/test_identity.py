"""IAM's simulator by botocore's own stub, which holds requests and answers to AWS's model."""

import boto3
import pytest
from botocore.stub import Stubber

from provision.errors import CommandError
from provision.reach import identity
from provision.reach.identity import CannotSimulate

USER = "arn:aws:iam::123456789012:user/anna"
SESSION = "arn:aws:sts::123456789012:assumed-role/jada-ci/run-7"
ROLE = "arn:aws:iam::123456789012:role/teams/jada-ci"
CONTEXT = identity.context("us-east-1", "prod")


@pytest.fixture
def client():
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    made = {name: boto3.client(name, region_name="us-east-1", **keys) for name in ("iam", "sts")}
    stubs = {name: Stubber(each) for name, each in made.items()}
    for stub in stubs.values():
        stub.activate()
    return made, stubs


def simulated(stubs, source, **decisions):
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in CONTEXT.items()
    ]
    results = [{"EvalActionName": f"lightsail:{name}", "EvalDecision": how} for name, how in decisions.items()]
    asked = {
        "PolicySourceArn": source,
        "ActionNames": sorted(f"lightsail:{name}" for name in decisions),
        "ContextEntries": entries,
    }
    stubs["iam"].add_response("simulate_principal_policy", {"EvaluationResults": results}, asked)


def denied(made, caller, *names):
    return identity.denied(made["iam"], caller, [f"lightsail:{name}" for name in names], CONTEXT)


def test_what_the_policies_deny_is_named_under_the_stacks_tags(client):
    made, stubs = client
    simulated(stubs, USER, GetInstance="allowed", DeleteInstance="implicitDeny", TagResource="explicitDeny")
    assert denied(made, USER, "GetInstance", "DeleteInstance", "TagResource") == (
        "lightsail:DeleteInstance",
        "lightsail:TagResource",
    )
    assert CONTEXT["aws:ResourceTag/stack"] == "prod"


def test_a_session_is_judged_by_its_roles_policies_whatever_the_roles_path(client):
    made, stubs = client
    role = {
        "Path": "/teams/",
        "RoleName": "jada-ci",
        "RoleId": "A" * 20,
        "Arn": ROLE,
        "CreateDate": "2026-01-01",
    }
    stubs["iam"].add_response("get_role", {"Role": role}, {"RoleName": "jada-ci"})
    simulated(stubs, ROLE, GetInstance="allowed")
    assert denied(made, SESSION, "GetInstance") == ()


@pytest.mark.parametrize(
    ("caller", "code", "why"),
    [(USER, "AccessDenied", "may not ask IAM"), (USER, "ServiceFailure", "IAM did not answer")],
)
def test_without_an_answer_of_iam_nothing_is_allowed(client, caller, code, why):
    made, stubs = client
    stubs["iam"].add_client_error("simulate_principal_policy", code)
    with pytest.raises(CannotSimulate, match=why):
        denied(made, caller, "GetInstance")


def test_an_accounts_root_can_not_be_simulated(client):
    with pytest.raises(CannotSimulate, match="neither a user nor a role"):
        denied(client[0], "arn:aws:iam::123456789012:root", "GetInstance")


def test_who_we_are_is_what_sts_says(client):
    made, stubs = client
    stubs["sts"].add_response("get_caller_identity", {"Arn": USER, "Account": "123456789012", "UserId": "A"})
    assert identity.arn(made["sts"]) == USER


def test_credentials_that_aws_does_not_know_are_a_fault(client):
    made, stubs = client
    stubs["sts"].add_client_error("get_caller_identity", "InvalidClientTokenId")
    with pytest.raises(CommandError, match="does not know these credentials"):
        identity.arn(made["sts"])
