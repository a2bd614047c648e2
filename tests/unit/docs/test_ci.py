"""The workflow for a user's CI: what it may, what it takes, that it holds no key. Its steps run in tests/e2e/chain."""

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/ci/jada.yml").read_text()
FLOW = yaml.safe_load(TEXT)
TRUST = json.loads((ROOT / "docs/iam/ci-trust.json").read_text())["Statement"]


def steps():
    return FLOW["jobs"]["host"]["steps"]


def test_it_may_read_the_repository_and_ask_for_a_token_and_nothing_else():
    assert FLOW["permissions"] == {"contents": "read", "id-token": "write"}


def test_it_holds_no_secret():
    assert "secrets." not in TEXT
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & FLOW["env"].keys()


def test_it_deploys_only_what_was_pushed_and_verifies_each_time_and_at_night():
    (deploy,) = (step for step in steps() if step.get("name") == "deploy")
    (verify,) = (step for step in steps() if step.get("name") == "verify")
    # PyYAML reads `on` as true.
    assert FLOW[True].keys() == {"push", "schedule", "workflow_dispatch"}
    assert deploy["if"] == "github.event_name == 'push'"
    assert "if" not in verify


def test_a_run_is_never_cut_in_the_middle_nor_beside_another():
    assert FLOW["concurrency"] == {"group": "jada-prod", "cancel-in-progress": False}


def test_every_command_that_reaches_the_host_opens_a_door():
    for step in steps():
        for line in step.get("run", "").splitlines():
            if line.startswith("fab ") and line.split()[1] != "door":
                assert "--door" in line, line


def test_findings_are_kept_also_of_a_run_that_failed():
    (kept,) = (step for step in steps() if "upload-artifact" in step.get("uses", ""))
    assert (kept["if"], kept["with"]["path"]) == ("always()", "report/")


def test_only_this_repositorys_environment_gets_the_role():
    (statement,) = TRUST
    asked = statement["Condition"]["StringEquals"]
    assert asked["token.actions.githubusercontent.com:sub"] == "repo:OWNER/REPOSITORY:environment:prod"
    assert asked["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert FLOW["jobs"]["host"]["environment"] == "prod"
