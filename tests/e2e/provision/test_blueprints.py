"""Each blueprint that has a row: a worker is deployed to a real file system of it, and verified there.

The usual one is that of the host to which all tests here deploy: test_verify.py has it verified.
"""

import io

import pytest
from rich.console import Console

from local import tools
from local.hosts.image import USUAL
from local.process import wait_until
from local.steps import Steps
from provision.commands import secrets
from provision.reach import access
from provision.reach.connection import connected
from provision.reach.inventory import Host
from provision.release.deploy import deploy
from provision.release.installer import Errand
from provision.system.desired import PACKAGES
from provision.system.secrets import SECRETS
from tests.e2e.provision.host import require_verified, until_proven
from wire.secret import Secret

pytestmark = pytest.mark.root


@pytest.fixture(params=sorted(PACKAGES.keys() - {USUAL}))
def granted(cloud, request):
    """A new host of a blueprint, as access to it."""
    name = request.param.replace("_", "-")
    tools.image(Steps(cloud.site.state / "logs", Console(file=io.StringIO())), request.param)
    cloud.api.create_instances(
        instanceNames=[name], availabilityZone="us-east-1a", blueprintId=request.param, bundleId="micro_3_0"
    )
    state = lambda: cloud.api.get_instance_state(instanceName=name)["state"]["name"]  # noqa: E731
    assert wait_until(lambda: state() == "running", seconds=120)
    found = cloud.api.get_instance(instanceName=name)["instance"]
    host = Host(
        name=name, username="admin", address=found["publicIpAddress"], private_address=found["privateIpAddress"]
    )
    yield access.obtain(cloud.api, host, access.utc_now())
    cloud.api.delete_instance(instanceName=name)


def test_a_worker_is_deployed_and_verified(granted, source, progress):
    given = {name: Secret(f'{{"secret": "{name}"}}\n') for name in SECRETS if not SECRETS[name].optional}
    with connected(granted, 15) as box:
        secrets.send(box, given)
        deploy(box, source, progress, Errand(again=lambda: connected(granted, 15)))
        until_proven(box)
        assert b"jada-sshd-undo" not in box.run(["systemctl", "list-timers", "--no-legend"])
    require_verified(granted)
