import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from trial import box
from trial.offer import TrialRefused


class Lightsail:
    """Knows some names; any other is not found, as with the real one."""

    def __init__(self, *names, code="NotFoundException"):
        self._names, self._code = names, code

    def get_instance(self, **asked):
        if asked["instanceName"] not in self._names:
            raise ClientError({"Error": {"Code": self._code}}, "GetInstance")

    def get_static_ip(self, **asked):
        if asked["staticIpName"] not in self._names:
            raise ClientError({"Error": {"Code": self._code}}, "GetStaticIp")


@pytest.fixture
def made(tmp_path):
    return box.Box("trial-1", "us-east-1", tmp_path, rehearsal=True)


def test_the_configuration_has_one_host_and_the_operators_addresses():
    config = json.loads(box.configuration("eu-west-1", "trial-1", "nano_3_0", ["203.0.113.7/32"]))["config"]
    assert config == {
        "jada:region": "eu-west-1",
        "jada:bundle": "nano_3_0",
        "jada:hosts": ["trial-1"],
        "jada:operator-cidrs": ["203.0.113.7/32"],
    }


def test_a_rehearsal_is_configured_as_the_local_stack_with_a_host_of_its_own(made):
    made.write_files(box.ROOT / "jada.local.toml", "micro_3_0", [])
    text = made.configuration.read_text()
    assert text.replace("  jada:hosts: [trial-1]\n", "") == (box.ROOT / "Pulumi.local.yaml").read_text()
    assert "  jada:hosts: [trial-1]\n" in text


def test_a_real_box_has_a_stack_of_its_own_and_a_rehearsal_is_the_local_one(made):
    real = replace(made, rehearsal=False)
    assert (made.stack, real.stack) == ("local", "trial-1")
    assert (made.env["JADA_STACK"], real.env["JADA_STACK"]) == ("local", "trial-1")
    assert real.settings.name == "jada.trial-1.toml"
    assert real.configuration == box.ROOT / "Pulumi.trial-1.yaml"
    assert made.env["PULUMI_BACKEND_URL"].startswith(f"file://{made.folder}")


def test_what_the_account_still_has_is_named():
    assert box.remains(Lightsail(), "trial-1") == []
    left = box.remains(Lightsail("trial-1", "trial-1-ip"), "trial-1")
    assert left == ["the box trial-1", "the address trial-1-ip"]


def test_an_account_that_refuses_to_say_is_not_taken_for_an_empty_one():
    with pytest.raises(ClientError):
        box.remains(Lightsail(code="AccessDeniedException"), "trial-1")


def test_a_killed_trials_box_is_looked_for_where_it_was_made(made):
    replace(made, region="eu-west-1").write_files(box.ROOT / "jada.local.toml", "micro_3_0", [])
    assert box.left_behind("trial-1", made.folder, rehearsal=True).region == "eu-west-1"
    with pytest.raises(TrialRefused, match="nothing is known of trial-2"):
        box.left_behind("trial-2", made.folder / "trial-2", rehearsal=True)
