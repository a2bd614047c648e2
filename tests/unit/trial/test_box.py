import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from trial import box
from trial.offer import TrialRefused
from trial.transcript import CommandEnded


class Lightsail:
    """Knows some names; any other is not found, as with the real one. `busy` orders to delete are refused first."""

    def __init__(self, *names, code="NotFoundException", busy=0):
        self.names, self._code, self._busy = set(names), code, busy

    def get_instance(self, **asked):
        self._require(asked["instanceName"])

    def get_static_ip(self, **asked):
        self._require(asked["staticIpName"])

    def delete_instance(self, **asked):
        if self._busy:
            self._busy -= 1
            raise ClientError({"Error": {"Code": "OperationFailureException"}}, "DeleteInstance")
        self.names.remove(asked["instanceName"])

    def release_static_ip(self, **asked):
        self.names.remove(asked["staticIpName"])

    def _require(self, name):
        if name not in self.names:
            raise ClientError({"Error": {"Code": self._code}}, "GetInstance")


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


def test_what_no_state_knows_is_deleted_and_nothing_else(capsys):
    lightsail = Lightsail("trial-1", "trial-1-ip", "jada-orchestrator", busy=2)
    box.clear(lightsail, "trial-1", print, pause_s=0)
    assert lightsail.names == {"jada-orchestrator"}
    assert "still there, in no state: the box trial-1" in capsys.readouterr().out


def test_what_can_not_be_deleted_is_named():
    with pytest.raises(CommandEnded, match=r"the account still has the box trial-1$"):
        box.clear(Lightsail("trial-1", busy=99), "trial-1", print, pause_s=0)


def test_an_account_that_refuses_to_say_is_not_taken_for_an_empty_one():
    with pytest.raises(ClientError):
        box.clear(Lightsail(code="AccessDeniedException"), "trial-1", print, pause_s=0)


def test_a_killed_trials_box_is_looked_for_where_it_was_made(made):
    replace(made, region="eu-west-1").write_files(box.ROOT / "jada.local.toml", "micro_3_0", [])
    assert box.left_behind("trial-1", made.folder, rehearsal=True).region == "eu-west-1"
    with pytest.raises(TrialRefused, match="nothing is known of trial-2"):
        box.left_behind("trial-2", made.folder / "trial-2", rehearsal=True)
