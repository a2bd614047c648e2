from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from provision.errors import CommandError
from provision.reach import access
from provision.reach.inventory import Host, Inventory

HOST = Host(name="box", username="admin", address="192.0.2.7", private_address="10.0.0.7")
KEY = {"algorithm": "ssh-ed25519", "publicKey": "AAAAC3NzaC1lZDI1NTE5AAAA"}


class FakeLightsail:
    """Answers as Lightsail does; `broken` is raised instead."""

    def __init__(self, details=None, state="running", broken=None):
        self.details, self.state, self.broken = details, state, broken
        self.meta = SimpleNamespace(endpoint_url="https://lightsail.us-east-1.amazonaws.com")

    def get_instance(self, instanceName):  # noqa: N803 - as the API spells it
        if self.broken:
            raise self.broken
        return {"instance": {"name": instanceName, "state": {"name": self.state}}}

    def get_instance_access_details(self, instanceName, protocol):  # noqa: N803 - as the API spells it
        assert (instanceName, protocol) == ("box", "ssh")
        return {"accessDetails": self.details}


@pytest.fixture
def details(pair):
    private, line = pair()
    return {
        "privateKey": private, "certKey": line, "username": "admin", "ipAddress": "192.0.2.7", "hostKeys": [KEY],
    }  # fmt: skip


def test_access_is_made_of_the_apis_answer(details, now):
    granted = access.obtain(FakeLightsail(details), HOST, now)
    assert (granted.address, granted.username) == ("192.0.2.7", "admin")
    assert access.known_hosts(granted) == "192.0.2.7 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n"


def test_a_host_key_with_its_algorithm_before_it_is_taken_too(details, now):
    details["hostKeys"] = [{**KEY, "publicKey": f"ssh-ed25519 {KEY['publicKey']} root@box"}]
    assert access.obtain(FakeLightsail(details), HOST, now).host_keys == (("ssh-ed25519", KEY["publicKey"]),)


def test_a_key_never_shows_in_what_is_printed(details, now):
    assert "PRIVATE" not in repr(access.obtain(FakeLightsail(details), HOST, now))


def test_no_host_keys_yet_is_no_reason_to_trust_any(details, now):
    details["hostKeys"] = []
    with pytest.raises(CommandError, match="has not seen box's host keys"):
        access.obtain(FakeLightsail(details), HOST, now)


def test_an_expired_certificate_is_found_before_it_is_used(details):
    with pytest.raises(CommandError, match="expired"):
        access.obtain(FakeLightsail(details), HOST, datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("state", ["pending", "stopping", "stopped"])
def test_an_instance_that_does_not_run_says_so(details, now, state):
    with pytest.raises(CommandError, match=f"instance box is {state}"):
        access.obtain(FakeLightsail(details, state), HOST, now)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ClientError({"Error": {"Code": "NotFoundException"}}, "GetInstance"), "no instance box"),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetInstance"), "docs/iam"),
        (EndpointConnectionError(endpoint_url="http://10.77.0.1:8700"), "does not answer"),
    ],
)
def test_each_failure_of_the_api_has_its_own_message(now, error, said):
    with pytest.raises(CommandError, match=said):
        access.obtain(FakeLightsail(broken=error), HOST, now)


def test_a_profile_that_is_not_there_is_no_traceback(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with pytest.raises(CommandError, match="no-such-profile"):
        access.client(Inventory(region="us-east-1"))


def test_the_local_api_never_gets_real_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    client = access.client(Inventory(region="us-east-1", endpoint="http://127.0.0.1:1"))
    assert client._get_credentials().access_key == "local"
