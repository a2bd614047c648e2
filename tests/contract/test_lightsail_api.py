"""The calls of Lightsail that need no host, by boto3, and what raw requests are told."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from doubles.lightsail.calls import CALLS
from doubles.lightsail.endpoint import create
from doubles.lightsail.meter import Sample
from doubles.lightsail.records import Instance
from local.serve import running
from local.site import Site

LISTED = [
    "CreateInstances", "GetInstance", "GetInstances", "GetInstanceState", "StartInstance", "StopInstance",
    "RebootInstance", "DeleteInstance", "GetInstanceAccessDetails", "GetInstanceMetricData", "PutInstancePublicPorts",
    "OpenInstancePublicPorts", "CloseInstancePublicPorts", "GetInstancePortStates", "AllocateStaticIp",
    "AttachStaticIp", "DetachStaticIp", "ReleaseStaticIp", "GetStaticIp", "GetStaticIps", "GetOperation",
    "GetOperations", "TagResource", "UntagResource", "EnableAddOn", "DisableAddOn", "GetAutoSnapshots",
    "CreateInstanceSnapshot", "GetInstanceSnapshots",
]  # fmt: skip
BOX = {"availabilityZone": "us-east-1a", "blueprintId": "debian_12", "bundleId": "micro_3_0"}


@pytest.fixture
def app(tmp_path):
    return create(tmp_path / "state", tmp_path / "no-image", Site("jadal", 84, tmp_path / "state"))


@pytest.fixture
def url(app):
    with running(app) as url:
        yield url


@pytest.fixture
def client(url):
    return client_of(url)


def client_of(url, region="us-east-1", **config):
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client("lightsail", endpoint_url=url, region_name=region, config=Config(**config), **keys)


def code(refused):
    return refused.value.response["Error"]["Code"]


def raw(url, target, body=b"{}", **headers):
    """Send a request as it is; returns the error's code and status."""
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/lightsail/aws4_request"}
    request = urllib.request.Request(url, body, {"X-Amz-Target": target, **signed, **headers})
    with pytest.raises(urllib.error.HTTPError) as answered:
        urllib.request.urlopen(request)
    with answered.value as error:
        return json.load(error)["__type"], error.code


def test_every_call_that_is_promised_is_built_and_no_other():
    assert sorted(CALLS) == sorted(LISTED)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"availabilityZone": "us-west-2a"}, "InvalidInputException"),
        ({"bundleId": "enormous_3_0"}, "InvalidInputException"),
        ({"blueprintId": "plan_9"}, "InvalidInputException"),
        ({"blueprintId": "ubuntu_24_04"}, "OperationFailureException"),
        ({"instanceNames": ["box", "box"]}, "InvalidInputException"),
        ({"instanceNames": ["../etc"]}, "InvalidInputException"),
        ({"instanceNames": [f"box-{n}" for n in range(11)]}, "OperationFailureException"),
        ({"keyPairName": "mine"}, "NotImplemented"),
        ({"ipAddressType": "ipv5"}, "InvalidInputException"),
        ({"userData": "#!/bin/sh"}, "NotImplemented"),
        ({"ipAddressType": "ipv6"}, "NotImplemented"),
    ],
)
def test_an_instance_that_can_not_be_is_refused_and_leaves_nothing(client, wrong, expected):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client.create_instances(**{"instanceNames": ["box"], **BOX, **wrong})
    assert code(refused) == expected
    assert client.get_instances()["instances"] == []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("get_instance", {"instanceName": "lost"}),
        ("get_instance_state", {"instanceName": "lost"}),
        ("get_instance_access_details", {"instanceName": "lost"}),
        ("start_instance", {"instanceName": "lost"}),
        ("delete_instance", {"instanceName": "lost"}),
        ("put_instance_public_ports", {"instanceName": "lost", "portInfos": []}),
        ("get_instance_port_states", {"instanceName": "lost"}),
        ("get_static_ip", {"staticIpName": "lost"}),
        ("release_static_ip", {"staticIpName": "lost"}),
        ("get_operation", {"operationId": "lost"}),
        ("tag_resource", {"resourceName": "lost", "tags": []}),
    ],
)
def test_what_does_not_exist_is_not_found(client, call, arguments):
    with pytest.raises(client.exceptions.NotFoundException):
        getattr(client, call)(**arguments)


def test_static_ips_are_kept_listed_and_given_back_within_the_quota(client):
    for number in range(5):
        assert client.allocate_static_ip(staticIpName=f"ip-{number}")["operations"][0]["status"] == "Succeeded"
    with pytest.raises(client.exceptions.OperationFailureException, match="Quota"):
        client.allocate_static_ip(staticIpName="ip-5")
    told = client.get_static_ips()["staticIps"]
    assert len({ip["ipAddress"] for ip in told}) == 5
    assert client.get_static_ip(staticIpName="ip-0")["staticIp"] == told[0]
    client.release_static_ip(staticIpName="ip-0")
    assert len(client.get_static_ips()["staticIps"]) == 4


def test_a_name_is_given_once_whatever_has_it(client):
    client.allocate_static_ip(staticIpName="mine")
    with pytest.raises(client.exceptions.InvalidInputException, match="in use"):
        client.create_instances(instanceNames=["mine"], **BOX)


def test_a_static_ip_that_is_attached_to_nothing_can_not_be_detached(client):
    client.allocate_static_ip(staticIpName="loose")
    with pytest.raises(client.exceptions.OperationFailureException):
        client.detach_static_ip(staticIpName="loose")


def test_lists_come_in_pages_newest_operations_first(client):
    for _ in range(12):
        client.allocate_static_ip(staticIpName="again")
        last = client.release_static_ip(staticIpName="again")["operations"][0]
    pages = list(client.get_paginator("get_operations").paginate())
    told = [operation for page in pages for operation in page["operations"]]
    assert (len(pages), len({operation["id"] for operation in told})) == (2, 24)
    assert told[0] == last == client.get_operation(operationId=last["id"])["operation"]
    with pytest.raises(client.exceptions.InvalidInputException):
        client.get_operations(pageToken="never given")


def test_memory_outlives_the_program(tmp_path):
    for expected in ([], ["kept"]):
        app = create(tmp_path / "state", tmp_path / "no-image", Site("jadal", 84, tmp_path / "state"))
        with running(app) as url:
            client = client_of(url)
            assert [ip["name"] for ip in client.get_static_ips()["staticIps"]] == expected
            if not expected:
                client.allocate_static_ip(staticIpName="kept")


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        ("Lightsail_20161128.GetInstances", b"{", ("SerializationException", 400)),
        ("Lightsail_20161128.GetInstances", b"[]", ("InvalidInputException", 400)),
        ("Lightsail_20161128.GetInstances", b'{"pageTokens": "x"}', ("InvalidInputException", 400)),
        ("Lightsail_20161128.GetInstance", b"{}", ("InvalidInputException", 400)),
        ("Lightsail_20161128.GetInstance", b'{"instanceName": 7}', ("InvalidInputException", 400)),
        ("Lightsail_20161128.GetInstance", b'{"instanceName": "?!"}', ("InvalidInputException", 400)),
        ("Lightsail_20161128.GetDomains", b"{}", ("NotImplemented", 501)),
        ("Lightsail_20161128.GetWeather", b"{}", ("UnknownOperationException", 400)),
        ("DynamoDB_20120810.ListTables", b"{}", ("UnknownOperationException", 400)),
    ],
)
def test_requests_against_the_contract_get_the_vendors_error(url, target, body, expected):
    assert raw(url, target, body) == expected


def test_a_signature_for_another_region_or_none_is_refused(url):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        client_of(url, "eu-west-1").get_instances()
    assert code(refused) == "InvalidSignatureException"
    unsigned = raw(url, "Lightsail_20161128.GetInstances", Authorization="")
    assert unsigned == ("MissingAuthenticationTokenException", 403)


def test_an_ordered_error_reaches_the_vendors_client_as_its_own(url, client):
    order = {"error": "ThrottlingException", "match": "GetStaticIps", "times": 1}
    ordered = urllib.request.Request(f"{url}/_local/faults", json.dumps(order).encode())
    with urllib.request.urlopen(ordered) as answer:
        assert len(json.load(answer)["faults"]) == 1
    unhurried = client_of(url, retries={"max_attempts": 0})
    assert unhurried.get_instances()["instances"] == []
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        unhurried.get_static_ips()
    assert code(refused) == "ThrottlingException"
    assert client.get_static_ips()["staticIps"] == []


@pytest.mark.root
def test_a_port_in_use_is_named(url, tmp_path):
    port = url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "doubles.lightsail", "--port", port, "--state", str(tmp_path), "--image", "/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.returncode, port in done.stderr) == (1, True)


NOW = 1_778_700_000
MEASURED = {
    "instanceName": "box", "metricName": "CPUUtilization", "period": 300, "unit": "Percent",
    "startTime": NOW - 7200, "endTime": NOW, "statistics": ["Average"],
}  # fmt: skip


@pytest.fixture
def measured(app, client):
    """A box whose host was idle for an hour, and then kept a CPU busy for another."""
    cloud = app.state.cloud
    box = Instance(name="box", id="1", created=NOW - 7200, number=1, zone="us-east-1a", blueprint="debian_12",
                   bundle="micro_3_0", ports=(), up=False)  # fmt: skip
    cloud.store.put(box)
    for minute in range(121):
        busy = max(0, minute - 60) * 60_000_000_000
        cloud.store.add_sample(Sample("box", NOW - 7200 + 60 * minute, busy, 0, 0, passed=True))
    return lambda **changes: client.get_instance_metric_data(**{**MEASURED, **changes})["metricData"]


def test_metrics_are_those_of_the_host(measured):
    found = [point["average"] for point in measured()]
    assert len(found) == 24
    assert (found[0], found[-1]) == (0.0, 50.0)
    assert set(measured()[0]) == {"average", "timestamp", "unit"}
    assert len(measured(metricName="StatusCheckFailed", unit="Count", period=60)) == 120
    assert measured(unit="Bytes") == []


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"startTime": NOW}, "InvalidInputException"),
        ({"period": 90}, "InvalidInputException"),
        ({"period": 60, "startTime": NOW - 86400 * 2}, "InvalidInputException"),
        ({"statistics": []}, "InvalidInputException"),
        ({"metricName": "DiskQueueLength"}, "NotImplemented"),
        ({"instanceName": "nosuch"}, "NotFoundException"),
        ({"metricName": "Mood"}, "InvalidInputException"),
        ({"statistics": ["Median"]}, "InvalidInputException"),
    ],
)
def test_metrics_that_can_not_be_are_refused(measured, wrong, expected):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        measured(**wrong)
    assert code(refused) == expected


def test_an_instance_of_the_same_name_was_never_measured(app, measured):
    app.state.cloud.store.drop_samples("box")
    assert measured() == []
