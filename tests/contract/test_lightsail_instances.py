"""The calls of Lightsail on an instance that is a real host: by boto3, and all of them by the AWS CLI."""

import base64
import json
import time
from contextlib import contextmanager

import awscli.clidriver
import boto3
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from doubles.lightsail.calls import CALLS
from doubles.lightsail.calls.snapshots import PENDING_S
from doubles.lightsail.endpoint import create
from local.hosts.image import image_folder
from local.process import wait_until
from local.serve import running
from local.temporary import temporary_site

pytestmark = pytest.mark.root
BOX = {"availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "micro_3_0"}
SSH = {"fromPort": 22, "toPort": 22, "protocol": "tcp"}


@pytest.fixture(scope="module")
def site():
    with temporary_site() as site:
        yield site


@pytest.fixture(scope="module")
def app(site):
    return create(site.state, image_folder(), site)


@pytest.fixture(scope="module")
def url(app):
    with running(app) as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client("lightsail", endpoint_url=url, region_name="us-east-1", **keys)


@pytest.fixture(scope="module")
def created(client):
    tags = [{"key": "for", "value": "test"}]
    operation = client.create_instances(instanceNames=["box"], tags=tags, **BOX)["operations"][0]
    wait_for(client, "running")
    # At once: later tests open and close others.
    return {**operation, "ports": client.get_instance_port_states(instanceName="box")["portStates"]}


@pytest.fixture
def box(client, created):
    wait_for(client, "running")
    return "box"


def state_of(client):
    return client.get_instance_state(instanceName="box")["state"]["name"]


def wait_for(client, state):
    assert wait_until(lambda: state_of(client) == state, 40), state_of(client)


def busy(client):
    return [one for one in client.get_operations()["operations"] if not one["isTerminal"]]


def address(client):
    return client.get_instance(instanceName="box")["instance"].get("publicIpAddress")


def test_a_creation_is_an_operation_that_ends(client, created, box):
    assert (created["operationType"], created["status"], created["isTerminal"]) == ("CreateInstance", "Started", False)
    ended = client.get_operation(operationId=created["id"])["operation"]
    assert (ended["status"], ended["isTerminal"], ended["resourceName"]) == ("Succeeded", True, box)


def test_an_instance_tells_what_it_is(site, client, box):
    told = client.get_instance(instanceName=box)["instance"]
    assert told == client.get_instances()["instances"][0]
    assert (told["username"], told["blueprintId"], told["bundleId"]) == ("admin", "debian_12", "micro_3_0")
    assert told["state"] == {"code": 16, "name": "running"}
    assert told["tags"] == [{"key": "for", "value": "test"}]
    assert (told["privateIpAddress"], told["isStaticIp"]) == (site.private_address(1), False)


def test_a_new_instance_has_ssh_and_http_open(created):
    assert [(state["fromPort"], state["toPort"], state["state"]) for state in created["ports"]] == [
        (22, 22, "open"),
        (80, 80, "open"),
    ]


def test_a_put_closes_what_it_omits_and_open_and_close_change_one_range(client, box):
    def now():
        states = client.get_instance_port_states(instanceName=box)["portStates"]
        return [(state["fromPort"], state["cidrs"], state["ipv6Cidrs"], state["cidrListAliases"]) for state in states]

    alias = {**SSH, "cidrs": ["192.0.2.1"], "cidrListAliases": ["lightsail-connect"]}
    client.put_instance_public_ports(instanceName=box, portInfos=[alias])
    ssh = (22, ["192.0.2.1/32"], [], ["lightsail-connect"])
    assert now() == [ssh]
    web = {"fromPort": 443, "toPort": 443, "protocol": "tcp"}
    client.open_instance_public_ports(instanceName=box, portInfo=web)
    assert now() == [ssh, (443, ["0.0.0.0/0"], ["::/0"], [])]
    client.close_instance_public_ports(instanceName=box, portInfo=web)
    assert now() == [ssh]


@pytest.mark.parametrize(
    "wrong",
    [
        {"fromPort": 23, "toPort": 22},
        {"fromPort": -1},
        {"toPort": 70000},
        {"protocol": "sctp"},
        {"cidrs": ["10.1.2.3/8"]},
        {"cidrs": ["::/0"]},
        {"ipv6Cidrs": ["0.0.0.0/0"]},
        {"cidrListAliases": ["everyone"]},
        {"protocol": "icmp", "fromPort": 300},
    ],
)
def test_ports_that_can_not_be_are_refused_and_change_nothing(client, box, wrong):
    before = client.get_instance_port_states(instanceName=box)["portStates"]
    with pytest.raises(client.exceptions.InvalidInputException):
        client.put_instance_public_ports(instanceName=box, portInfos=[{**SSH, **wrong}])
    assert client.get_instance_port_states(instanceName=box)["portStates"] == before


@pytest.mark.parametrize("protocol", ["all", "udp", "icmp", "icmpv6"])
def test_every_protocol_of_the_contract_loads(client, box, protocol):
    range_ = {"fromPort": 8, "toPort": -1} if protocol.startswith("icmp") else {"fromPort": 53, "toPort": 60}
    client.put_instance_public_ports(instanceName=box, portInfos=[SSH, {**range_, "protocol": protocol}])
    states = client.get_instance_port_states(instanceName=box)["portStates"]
    assert [state["protocol"] for state in states] == ["tcp", protocol]


def test_overlapping_sources_load(client, box):
    sources = ["10.0.0.0/8", "10.80.0.0/16", "10.80.255.1"]
    client.put_instance_public_ports(instanceName=box, portInfos=[{**SSH, "cidrs": sources}])
    assert client.get_instance_port_states(instanceName=box)["portStates"][0]["cidrs"][:2] == sources[:2]


def test_a_static_ip_becomes_the_public_address_until_it_is_detached(client, box):
    own = address(client)
    client.allocate_static_ip(staticIpName="fixed")
    client.attach_static_ip(staticIpName="fixed", instanceName=box)
    fixed = client.get_static_ip(staticIpName="fixed")["staticIp"]
    assert (fixed["isAttached"], fixed["attachedTo"]) == (True, box)
    assert (address(client), client.get_instance(instanceName=box)["instance"]["isStaticIp"]) == (
        fixed["ipAddress"],
        True,
    )
    client.detach_static_ip(staticIpName="fixed")
    assert address(client) not in {own, fixed["ipAddress"], None}
    client.release_static_ip(staticIpName="fixed")


def test_a_second_static_ip_for_one_instance_is_refused(client, box):
    for name in ("first", "second"):
        client.allocate_static_ip(staticIpName=name)
    client.attach_static_ip(staticIpName="first", instanceName=box)
    with pytest.raises(client.exceptions.OperationFailureException, match="already"):
        client.attach_static_ip(staticIpName="second", instanceName=box)
    for name in ("first", "second"):
        client.release_static_ip(staticIpName=name)
    assert not client.get_instance(instanceName=box)["instance"]["isStaticIp"]


def test_a_stopped_instance_has_no_address_and_no_access_and_starts_with_another(client, box):
    before = address(client)
    assert client.stop_instance(instanceName=box)["operations"][0]["operationType"] == "StopInstance"
    wait_for(client, "stopped")
    assert address(client) is None
    with pytest.raises(client.exceptions.OperationFailureException, match="not running"):
        client.get_instance_access_details(instanceName=box)
    client.start_instance(instanceName=box)
    wait_for(client, "running")
    assert address(client) not in {None, before}


def test_a_running_instance_is_not_started_but_rebooted(client, box):
    with pytest.raises(client.exceptions.OperationFailureException):
        client.start_instance(instanceName=box)
    rebooted = client.reboot_instance(instanceName=box)["operations"][0]
    assert state_of(client) == "running"
    assert wait_until(lambda: not busy(client), 40)
    assert client.get_operation(operationId=rebooted["id"])["operation"]["status"] == "Succeeded"


def test_access_is_a_certificate_for_an_hour_and_the_hosts_keys(client, box):
    details = client.get_instance_access_details(instanceName=box, protocol="ssh")["accessDetails"]
    certificate = load_ssh_public_identity(details["certKey"].encode())
    assert certificate.valid_principals == [details["username"].encode()]
    assert certificate.valid_before == details["expiresAt"].timestamp()
    assert 3500 < certificate.valid_before - time.time() <= 3600
    assert {key["algorithm"] for key in details["hostKeys"]} == {"ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"}
    assert all(base64.b64decode(key["publicKey"], validate=True) for key in details["hostKeys"])
    with pytest.raises(client.exceptions.InvalidInputException):
        client.get_instance_access_details(instanceName=box, protocol="rdp")


def test_tags_are_added_changed_and_taken_away(client, box):
    client.tag_resource(resourceName=box, tags=[{"key": "a", "value": "1"}, {"key": "b"}])
    client.tag_resource(resourceName=box, tags=[{"key": "a", "value": "2"}])
    client.untag_resource(resourceName=box, tagKeys=["b", "for"])
    assert client.get_instance(instanceName=box)["instance"]["tags"] == [{"key": "a", "value": "2"}]
    client.tag_resource(resourceName=box, tags=[{"key": "for", "value": "test"}])
    client.untag_resource(resourceName=box, tagKeys=["a"])


def test_a_host_is_measured_by_its_own_counters(app, client, box):
    cloud = app.state.cloud
    sample = cloud.machine(cloud.instance(box)).usage()
    assert sample.cpu_ns > 0
    assert sample.listens
    assert sample.received >= 0
    # The watch takes one at once, and the next a minute later.
    assert wait_until(lambda: cloud.store.samples(box), 10)
    assert cloud.store.samples(box)[0].passed


@contextmanager
def at(app, moment):
    """The cloud's clock stands at a moment: how busy this machine is says nothing of what it shows."""
    cloud = app.state.cloud
    clock = cloud.clock
    object.__setattr__(cloud, "clock", lambda: moment)
    try:
        yield
    finally:
        object.__setattr__(cloud, "clock", clock)


def daily(at):
    return {"addOnType": "AutoSnapshot", "autoSnapshotAddOnRequest": {"snapshotTimeOfDay": at}}


def test_automatic_snapshots_are_switched_in_place_and_the_newest_seven_stay(app, client, box):
    begun = client.enable_add_on(resourceName=box, addOnRequest=daily("06:00"))["operations"][0]
    assert (begun["operationType"], begun["status"]) == ("EnableAddOn", "Succeeded")
    (told,) = client.get_instance(instanceName=box)["instance"]["addOns"]
    assert (told["name"], told["status"], told["snapshotTimeOfDay"]) == ("AutoSnapshot", "Enabled", "06:00")
    with pytest.raises(client.exceptions.InvalidInputException, match="enabled already"):
        client.enable_add_on(resourceName=box, addOnRequest=daily("07:00"))
    with at(app, time.time() + 10 * 86400):
        made = client.get_auto_snapshots(resourceName=box)["autoSnapshots"]
    assert (len(made), {each["status"] for each in made}) == (7, {"Success"})
    assert [each["date"] for each in made] == sorted((each["date"] for each in made), reverse=True)
    client.disable_add_on(resourceName=box, addOnType="AutoSnapshot")
    assert client.get_instance(instanceName=box)["instance"]["addOns"] == []


@pytest.mark.parametrize("at", ["06:30", "24:00", "6:00"])
def test_a_snapshot_is_made_at_whole_hours_only(client, box, at):
    with pytest.raises(client.exceptions.InvalidInputException):
        client.enable_add_on(resourceName=box, addOnRequest=daily(at))


def test_a_snapshot_by_hand_is_pending_then_available_and_can_be_deleted(app, client, box):
    now = time.time()
    with at(app, now):
        client.create_instance_snapshot(instanceSnapshotName="kept", instanceName=box, tags=[{"key": "project"}])
    with pytest.raises(client.exceptions.InvalidInputException, match="already in use"):
        client.create_instance_snapshot(instanceSnapshotName="kept", instanceName=box)

    def kept():
        return client.get_instance_snapshots()["instanceSnapshots"][0]

    for later, state in ((PENDING_S - 1, "pending"), (PENDING_S, "available")):
        with at(app, now + later):
            assert kept()["state"] == state
    assert (kept()["fromInstanceName"], kept()["fromBundleId"], kept()["sizeInGb"]) == ("box", "micro_3_0", 40)


@pytest.fixture
def aws(url, monkeypatch, capsys):
    """The AWS CLI, in this process; returns what it printed, as data."""
    for name, value in {"ACCESS_KEY_ID": "local", "SECRET_ACCESS_KEY": "local", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    called, driver = set(), awscli.clidriver.create_clidriver()

    def run(command, *arguments):
        called.add("".join(word.capitalize() for word in command.split("-")))
        code = driver.main(["lightsail", command, *arguments, "--endpoint-url", url])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out)

    run.called = called
    return run


def test_the_aws_cli_makes_every_call(client, aws):
    def state():
        return aws("get-instance-state", "--instance-name", "cli")["state"]["name"]

    for call in ("get-static-ips", "get-operations"):
        assert aws(call)
    place = ("--availability-zone", "us-east-1a", "--blueprint-id", "debian_12", "--bundle-id", "nano_3_0")
    made = aws("create-instances", "--instance-names", "cli", *place)["operations"][0]
    assert aws("get-operation", "--operation-id", made["id"])["operation"]["resourceName"] == "cli"
    assert wait_until(lambda: state() == "running", 40)
    assert aws("get-instance-access-details", "--instance-name", "cli")["accessDetails"]["username"] == "admin"
    aws("tag-resource", "--resource-name", "cli", "--tags", "key=a,value=b")
    aws("untag-resource", "--resource-name", "cli", "--tag-keys", "a")
    assert "cli" in {one["name"] for one in aws("get-instances")["instances"]}
    ssh = "fromPort=22,toPort=22,protocol=tcp,cidrs=10.80.255.1/32"
    for change, option in (("put", "--port-infos"), ("open", "--port-info"), ("close", "--port-info")):
        aws(f"{change}-instance-public-ports", "--instance-name", "cli", option, ssh)
    assert aws("get-instance-port-states", "--instance-name", "cli")["portStates"] == []
    measured = ("--metric-name", "StatusCheckFailed", "--unit", "Count", "--period", "60", "--statistics", "Maximum")
    times = ("--start-time", "2026-05-13T00:00:00Z", "--end-time", "2026-05-13T02:00:00Z")
    assert aws("get-instance-metric-data", "--instance-name", "cli", *measured, *times)["metricData"] == []
    aws("allocate-static-ip", "--static-ip-name", "still")
    aws("attach-static-ip", "--static-ip-name", "still", "--instance-name", "cli")
    assert aws("get-static-ip", "--static-ip-name", "still")["staticIp"]["attachedTo"] == "cli"
    aws("detach-static-ip", "--static-ip-name", "still")
    aws("release-static-ip", "--static-ip-name", "still")
    aws("reboot-instance", "--instance-name", "cli")
    assert wait_until(lambda: not busy(client), 40)
    aws("stop-instance", "--instance-name", "cli")
    assert wait_until(lambda: state() == "stopped", 40)
    aws("start-instance", "--instance-name", "cli")
    assert wait_until(lambda: state() == "running", 40)
    assert aws("get-instance", "--instance-name", "cli")["instance"]["bundleId"] == "nano_3_0"
    hour = "addOnType=AutoSnapshot,autoSnapshotAddOnRequest={snapshotTimeOfDay=06:00}"
    aws("enable-add-on", "--resource-name", "cli", "--add-on-request", hour)
    assert aws("get-auto-snapshots", "--resource-name", "cli")["autoSnapshots"] == []
    aws("disable-add-on", "--resource-name", "cli", "--add-on-type", "AutoSnapshot")
    aws("create-instance-snapshot", "--instance-snapshot-name", "copied", "--instance-name", "cli")
    assert "copied" in {one["name"] for one in aws("get-instance-snapshots")["instanceSnapshots"]}
    aws("delete-instance", "--instance-name", "cli")
    assert aws.called == set(CALLS)
