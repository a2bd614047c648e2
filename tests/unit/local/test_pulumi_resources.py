"""Each resource as calls to Lightsail, against a client that remembers them."""

import datetime as dt

import pytest
from botocore.exceptions import ClientError

from local.pulumi import resources, rules
from local.pulumi.resources import Polling, Unfinished

HOST = {
    "name": "box",
    "availabilityZone": "us-east-1a",
    "blueprintId": "debian_12",
    "bundleId": "micro_3_0",
    "ipAddressType": "ipv4",
    "tags": {"stack": "local"},
}
SSH = {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["203.0.113.7/32"]}


class Lightsail:
    """Answers as boto3's client would: `things` by name, each call noted; a host is `pending` for some looks."""

    def __init__(self, *, pending: int = 0, failure: str = "") -> None:
        self.calls: list[tuple[str, dict]] = []
        self.things: dict[str, dict] = {}
        self.ports: list[dict] = []
        self.pending, self.working, self.failure = pending, 0, failure

    def __getattr__(self, name: str):
        def call(**request):
            self.calls.append((name, request))
            return {}

        return call

    def made(self, *names: str) -> list[tuple[str, dict]]:
        return [(name, request) for name, request in self.calls if name in names]

    def create_instances(self, **request):
        self.calls.append(("create_instances", request))
        host = {key: request[key] for key in ("blueprintId", "bundleId", "ipAddressType", "tags")}
        self.things[request["instanceNames"][0]] = {
            **host,
            "name": request["instanceNames"][0],
            "arn": "arn:box",
            "location": {"availabilityZone": request["availabilityZone"]},
            "hardware": {"cpuCount": 2, "ramSizeInGb": 1.0},
            "createdAt": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
            "username": "admin",
            "sshKeyName": "LightsailDefaultKeyPair",
        }
        return {"operations": [{"id": "op", "operationType": "CreateInstance"}]}

    def get_operation(self, **request):
        self.working -= 1
        ended = {
            "isTerminal": self.working < 0,
            "status": "Failed" if self.failure else "Succeeded",
            "errorDetails": self.failure,
        }
        return {"operation": ended}

    def get_instance(self, *, instanceName):  # noqa: N803 - the API's names here and below
        host = self._thing(instanceName)
        self.pending -= 1
        return {"instance": {**host, "state": {"name": "pending" if self.pending >= 0 else "running"}}}

    def delete_instance(self, *, instanceName, forceDeleteAddOns):  # noqa: N803
        self._thing(instanceName)
        del self.things[instanceName]
        return {"operations": [{"id": "op", "operationType": "DeleteInstance"}]}

    def set_ip_address_type(self, **request):
        self.calls.append(("set_ip_address_type", request))
        return {"operations": [{"id": "op", "operationType": "SetIpAddressType"}]}

    def close_instance_public_ports(self, *, instanceName, portInfo):  # noqa: N803
        self.calls.append(("close_instance_public_ports", {"instanceName": instanceName, "portInfo": portInfo}))
        self._thing(instanceName)

    def detach_static_ip(self, *, staticIpName):  # noqa: N803
        self._thing(staticIpName)

    def release_static_ip(self, *, staticIpName):  # noqa: N803
        self._thing(staticIpName)

    def get_instance_port_states(self, *, instanceName):  # noqa: N803
        self._thing(instanceName)
        return {"portStates": self.ports}

    def get_static_ip(self, *, staticIpName):  # noqa: N803
        return {"staticIp": self._thing(staticIpName)}

    def _thing(self, name: str) -> dict:
        if name not in self.things:
            raise ClientError({"Error": {"Code": "NotFoundException", "Message": f"no {name}"}}, "Get")
        return self.things[name]


class Clock:
    """Time that passes by sleeping alone."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def polling() -> Polling:
    clock = Clock()
    return Polling(limit=60, pause=1, clock=lambda: clock.now, sleep=clock.sleep)


def test_a_host_is_created_with_what_was_asked_for_and_awaited_until_it_runs(polling):
    client = Lightsail(pending=3)
    host = resources.Instance(client, polling)
    assert host.create(HOST) == "box"
    asked = {"instanceNames": ["box"], "tags": [{"key": "stack", "value": "local"}]}
    rest = {key: value for key, value in HOST.items() if key not in ("name", "tags")}
    assert client.made("create_instances") == [("create_instances", {**asked, **rest})]
    assert polling.clock() == 3


def test_a_host_that_does_not_run_in_time_is_reported_with_its_id(polling):
    with pytest.raises(Unfinished, match="box does not run after 60 s; it is pending") as unfinished:
        resources.Instance(Lightsail(pending=1000), polling).create(HOST)
    assert unfinished.value.resource_id == "box"


def test_a_failed_operation_is_reported_with_its_reason(polling):
    with pytest.raises(Unfinished, match="CreateInstance of box: no disk left"):
        resources.Instance(Lightsail(failure="no disk left"), polling).create(HOST)


def test_a_host_is_read_as_the_inputs_that_made_it_and_its_outputs(polling):
    host = resources.Instance(Lightsail(), polling)
    host.create(HOST)
    found = host.read("box", {})
    assert found.inputs == HOST
    assert found.outputs.items() >= {**HOST, "username": "admin", "arn": "arn:box", "cpuCount": 2}.items()


def test_what_is_gone_reads_as_none(polling):
    known = {"instanceName": "box", "portInfos": [SSH], "staticIpName": "ip"}
    every = resources.all_resources(Lightsail(), polling).values()
    assert [resource.read("box", known) for resource in every] == [None] * 4


def test_deleting_a_host_or_an_address_that_is_gone_is_no_error(polling):
    resources.Instance(Lightsail(), polling).delete("box", {})
    resources.StaticIp(Lightsail()).delete("ip", {})


def test_detaching_what_is_gone_is_an_error_as_with_the_real_provider():
    with pytest.raises(ClientError, match="no ip"):
        resources.Attachment(Lightsail()).delete("ip", {})


def test_closing_ports_of_a_host_that_is_gone_is_an_error_after_all_were_tried():
    client = Lightsail()
    ports = [SSH, {**SSH, "fromPort": 80, "toPort": 80}]
    with pytest.raises(ValueError, match=r"unable to close public ports for instance box: .*no box.*; .*no box"):
        resources.Ports(client).delete("id", {"instanceName": "box", "portInfos": ports})
    assert len(client.calls) == 2


def test_the_operations_of_a_change_and_of_a_deletion_are_waited_for(polling):
    client = Lightsail()
    host = resources.Instance(client, polling)
    host.create(HOST)
    for act in (lambda: host.update("box", HOST, {**HOST, "ipAddressType": "ipv6"}), lambda: host.delete("box", {})):
        before, client.working = polling.clock(), 4
        act()
        assert polling.clock() - before >= 3


def test_an_operation_that_failed_is_reported(polling):
    client = Lightsail()
    host = resources.Instance(client, polling)
    host.create(HOST)
    client.failure = "it is protected"
    with pytest.raises(Unfinished, match="DeleteInstance of box: it is protected"):
        host.delete("box", {})


def test_tags_and_address_type_change_by_their_own_calls(polling):
    client = Lightsail()
    new = {**HOST, "tags": {"owner": "desk"}, "ipAddressType": "dualstack"}
    resources.Instance(client, polling).update("box", HOST, new)
    assert client.calls == [
        ("set_ip_address_type", {"resourceType": "Instance", "resourceName": "box", "ipAddressType": "dualstack"}),
        ("untag_resource", {"resourceName": "box", "tagKeys": ["stack"]}),
        ("tag_resource", {"resourceName": "box", "tags": [{"key": "owner", "value": "desk"}]}),
    ]


def add_on(at, status="Enabled"):
    return {"type": "AutoSnapshot", "snapshotTime": at, "status": status}


def asked(at):
    return {"addOnType": "AutoSnapshot", "autoSnapshotAddOnRequest": {"snapshotTimeOfDay": at}}


ENABLE = ("enable_add_on", {"resourceName": "box", "addOnRequest": asked("05:00")})
DISABLE = ("disable_add_on", {"resourceName": "box", "addOnType": "AutoSnapshot"})


@pytest.mark.parametrize(
    ("old", "new", "calls"),
    [
        (None, add_on("05:00"), [ENABLE]),
        (add_on("03:00"), add_on("05:00"), [DISABLE, ENABLE]),
        (add_on("03:00"), add_on("03:00", "Disabled"), [DISABLE]),
        (add_on("03:00", "Disabled"), add_on("05:00"), [ENABLE]),
        (add_on("03:00"), None, [DISABLE]),
        (add_on("03:00"), add_on("03:00"), []),
    ],
)
def test_an_add_on_changes_as_the_real_provider_changes_it(polling, old, new, calls):
    client = Lightsail()
    was, wanted = ({**HOST, **({"addOn": each} if each else {})} for each in (old, new))
    resources.Instance(client, polling).update("box", was, wanted)
    assert client.calls == calls


def test_an_add_on_is_enabled_once_the_host_is_there(polling):
    client = Lightsail()
    resources.Instance(client, polling).create({**HOST, "addOn": add_on("05:00")})
    assert [name for name, _ in client.calls] == ["create_instances", "enable_add_on"]


def test_ports_are_one_put():
    client = Lightsail()
    assert resources.Ports(client).create({"instanceName": "box", "portInfos": [SSH]}).startswith("box-")
    assert client.calls == [("put_instance_public_ports", {"instanceName": "box", "portInfos": [SSH]})]


def test_ports_opened_by_hand_are_read_as_a_difference():
    client = Lightsail()
    client.things["box"] = {}
    client.ports = [{**SSH, "state": "open"}, {"fromPort": 80, "toPort": 80, "protocol": "tcp", "state": "open"}]
    found = resources.Ports(client).read("id", {"instanceName": "box", "portInfos": [SSH]})
    assert [port["fromPort"] for port in found.inputs["portInfos"]] == [22, 80]


def test_ports_as_written_are_read_as_they_were_written():
    client = Lightsail()
    client.things["box"] = {}
    client.ports = [{**SSH, "state": "open", "ipv6Cidrs": [], "cidrListAliases": []}]
    found = resources.Ports(client).read("id", {"instanceName": "box", "portInfos": [SSH]})
    assert found.inputs == {"instanceName": "box", "portInfos": [SSH]}


def test_ports_that_are_not_retained_are_closed_one_by_one():
    client = Lightsail()
    client.things["box"] = {}
    resources.Ports(client).delete("id", {"instanceName": "box", "portInfos": [SSH]})
    assert client.calls == [("close_instance_public_ports", {"instanceName": "box", "portInfo": SSH})]


def test_an_address_on_no_host_is_no_attachment():
    client = Lightsail()
    client.things["ip"] = {"isAttached": False}
    attachment = resources.Attachment(client)
    assert attachment.read("ip", {"staticIpName": "ip", "instanceName": "box"}) is None
    client.things["ip"] = {"isAttached": True, "attachedTo": "other", "ipAddress": "192.0.2.9"}
    assert attachment.read("ip", {"staticIpName": "ip"}).inputs["instanceName"] == "other"


@pytest.mark.parametrize("token", [rules.PORTS, rules.ATTACHMENT])
def test_what_the_real_provider_cannot_import_is_refused_with_a_cure(token, polling):
    with pytest.raises(ValueError, match="can't be imported: declare"):
        resources.all_resources(Lightsail(), polling)[token].read("id", {})
