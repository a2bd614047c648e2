"""A door in a real firewall: who is not an operator reaches SSH while a command runs, and not before or after."""

import subprocess
import sys
import time

import pytest
import urllib3

from local.process import wait_until
from provision.errors import CommandError
from provision.reach import access, address, door
from provision.reach.connection import connected
from provision.reach.firewall import Firewall
from tests import iam
from tests.e2e.provision.conftest import NAME

pytestmark = pytest.mark.root
ELSEWHERE = "203.0.113.7/32"
KILLED = """
import sys, time
from pathlib import Path
import boto3
from provision.reach import door
from provision.reach.firewall import Firewall
from tests import iam
url, name, address, held = sys.argv[1:]
keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
api = boto3.client("lightsail", region_name="us-east-1", endpoint_url=url, **keys)
with door.opened([Firewall(api, name, time.sleep)], address, ["203.0.113.7/32"], Path(held), print):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def shut(cloud):
    """The host lets in another address than ours, as an operator's at home that changed."""
    before = [
        {key: value for key, value in each.items() if key != "state"}
        for each in cloud.api.get_instance_port_states(instanceName=NAME)["portStates"]
    ]
    only = {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": [ELSEWHERE]}
    cloud.api.put_instance_public_ports(instanceName=NAME, portInfos=[only])
    yield cloud
    cloud.api.put_instance_public_ports(instanceName=NAME, portInfos=before)


def reaches(cloud, seconds=15):
    try:
        with connected(cloud.access(), seconds) as host:
            return host.run(["id", "-un"]) == b"root\n"
    except CommandError as refused:
        if "does not answer on port 22" not in refused.cause:
            raise
        return False


def sources(cloud):
    (ssh,) = cloud.api.get_instance_port_states(instanceName=NAME)["portStates"]
    return ssh["cidrs"]


def mine(cloud):
    return address.own(cloud.inventory.hosts[0].address, "", local=True)


def opened(cloud, folder, said):
    wall = Firewall(access.client(cloud.inventory), NAME, time.sleep)
    return door.opened([wall], mine(cloud), [ELSEWHERE], folder, said.append)


def test_ssh_is_reached_while_the_door_is_open_and_not_before_or_after(shut, tmp_path):
    assert not reaches(shut, 2)
    with opened(shut, tmp_path, []):
        assert reaches(shut)
    assert not reaches(shut, 2)
    assert sources(shut) == [ELSEWHERE]


def test_what_a_killed_command_left_open_is_swept_by_the_next_one(shut, tmp_path):
    program = [sys.executable, "-c", KILLED, shut.url, NAME, "198.51.100.66", str(tmp_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as killed:
        assert any(line == "open\n" for line in killed.stdout)
        killed.kill()
    assert wait_until(lambda: killed.poll() is not None, 10)
    assert "198.51.100.66/32" in sources(shut)
    said = []
    with opened(shut, tmp_path, said):
        assert sorted(sources(shut)) == sorted([ELSEWHERE, f"{mine(shut)}/32"])
        assert reaches(shut)
    assert sources(shut) == [ELSEWHERE]
    assert "killed: 198.51.100.66/32" in said[0]


def test_a_login_through_a_door_asks_for_what_cis_policy_allows_for_this_stack_only(shut, tmp_path):
    urllib3.request("DELETE", f"{shut.url}/_local/calls")
    with opened(shut, tmp_path, []):
        shut.access()
    calls = urllib3.request("GET", f"{shut.url}/_local/calls").json()
    looks = {"GetInstanceMetricData"}  # the audit's
    assert {call["action"] for call in calls} == iam.actions("ci", "lightsail") - looks
    assert iam.refused("ci", calls) == []
    assert set(iam.refused("ci", calls, stack="prod")) == {"GetInstanceAccessDetails", "PutInstancePublicPorts"}
