"""Hosts as the program declares them, with Pulumi's mocks for an engine."""

import pytest
from pulumi.runtime import rpc


def inputs(request) -> dict:
    return rpc.deserialize_properties(request.object)


def test_a_host_is_an_instance_with_a_static_ip_attached(declare):
    monitor = declare("prod")
    assert inputs(monitor.of("Instance")[0]) == {
        "name": "jada-orchestrator",
        "availabilityZone": "eu-west-1a",
        "blueprintId": "debian_12",
        "bundleId": "micro_3_0",
        "ipAddressType": "ipv4",
        "tags": {"project": "jada", "stack": "prod"},
    }
    attached = inputs(monitor.of("StaticIpAttachment")[0])
    assert attached == {"staticIpName": "jada-orchestrator-ip", "instanceName": "jada-orchestrator"}


def test_a_host_has_no_user_data_and_no_stored_key(declare):
    assert not {"userData", "keyPairName"} & inputs(declare("prod").of("Instance")[0]).keys()


def test_one_setting_makes_several_hosts_each_with_its_address_and_door(declare):
    monitor = declare("prod", hosts='["box-a", "box-b"]')
    assert [r.name for r in monitor.of("Instance")] == ["box-a", "box-b"]
    assert [r.name for r in monitor.of("StaticIp")] == ["box-a-ip", "box-b-ip"]
    assert [r.name for r in monitor.of("InstancePublicPorts")] == ["box-a-ports", "box-b-ports"]


@pytest.mark.parametrize(("stack", "protected"), [("prod", True), ("local", False)])
def test_a_host_and_its_address_are_protected_but_for_the_local_stack(declare, stack, protected):
    monitor = declare(stack)
    assert [r.protect for r in monitor.of("Instance") + monitor.of("StaticIp")] == [protected, protected]


def test_without_a_static_ip_no_address_is_allocated(declare):
    monitor = declare("prod", static_ip="false")
    assert not monitor.of("StaticIp") + monitor.of("StaticIpAttachment")


def test_every_resource_goes_through_the_one_provider(declare):
    monitor = declare("prod")
    made = [r for r in monitor.requests if r.type.startswith("aws:")]
    assert {r.provider.split("::")[-2] for r in made} == {"aws"}


def test_the_provider_of_the_local_stack_calls_the_local_endpoint_and_nothing_else(declare):
    provider = inputs(declare("local").of("aws")[0])
    assert provider["endpoints"] == '[{"lightsail": "http://10.77.0.1:8700"}]'
    assert {key for key in provider if key.startswith("skip")} == {
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }


def test_the_provider_of_a_real_stack_has_a_region_and_no_endpoint(declare):
    provider = inputs(declare("prod").of("aws")[0])
    assert provider["region"] == "eu-west-1"
    assert "endpoints" not in provider
