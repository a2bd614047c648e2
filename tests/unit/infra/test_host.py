"""Hosts as the program declares them, with Pulumi's mocks for an engine."""

import pytest
from pulumi.runtime import rpc


def inputs(request) -> dict:
    return rpc.deserialize_properties(request.object)


def test_a_host_is_an_instance_with_a_static_ip_attached(declare):
    monitor = declare("prod")
    assert inputs(monitor.registered("Instance")[0]) == {
        "name": "jada-orchestrator",
        "availabilityZone": "eu-west-1a",
        "blueprintId": "debian_12",
        "bundleId": "micro_3_0",
        "ipAddressType": "ipv4",
        "addOn": {"type": "AutoSnapshot", "snapshotTime": "03:00", "status": "Enabled"},
        "tags": {"project": "jada", "stack": "prod"},
    }
    attached = inputs(monitor.registered("StaticIpAttachment")[0])
    assert attached == {"staticIpName": "jada-orchestrator-ip", "instanceName": "jada-orchestrator"}


@pytest.mark.parametrize(("stack", "given"), [("local", {}), ("prod", {"snapshot_time": "none"})])
def test_snapshots_are_on_for_real_stacks_unless_they_are_turned_off(declare, stack, given):
    assert "addOn" not in inputs(declare(stack, **given).registered("Instance")[0])


def test_a_host_has_no_user_data_and_no_stored_key(declare):
    assert not {"userData", "keyPairName"} & inputs(declare("prod").registered("Instance")[0]).keys()


def test_several_names_make_several_hosts_each_with_its_address_and_firewall(declare):
    monitor = declare("prod", hosts=("box-a", "box-b"))

    def names(kind):  # the engine registers side by side: their order is no promise
        return sorted(request.name for request in monitor.registered(kind))

    assert names("Instance") == ["box-a", "box-b"]
    assert names("StaticIp") == ["box-a-ip", "box-b-ip"]
    assert names("InstancePublicPorts") == ["box-a-ports", "box-b-ports"]


@pytest.mark.parametrize("stack", ["prod", "staging", "Local", "local-2"])
def test_every_host_and_address_of_a_real_stack_is_protected(declare, stack):
    monitor = declare(stack, hosts=("box-a", "box-b"))
    protected = {request.name for request in monitor.requests if request.protect}
    # Ports and attachments are replaced by an edit, which protection would refuse.
    assert protected == {"box-a", "box-b", "box-a-ip", "box-b-ip"}


def test_nothing_of_the_local_stack_is_protected(declare):
    assert not [request.name for request in declare("local").requests if request.protect]


def test_without_a_static_ip_no_address_is_allocated(declare):
    monitor = declare("prod", static_ip="false")
    assert not monitor.registered("StaticIp") + monitor.registered("StaticIpAttachment")


def test_every_resource_goes_through_the_one_provider(declare):
    monitor = declare("prod")
    made = [r for r in monitor.requests if r.type.startswith("aws:")]
    assert {r.provider.split("::")[-2] for r in made} == {"aws"}


def test_the_provider_of_the_local_stack_calls_the_local_endpoint_and_nothing_else(declare):
    provider = inputs(declare("local").registered("aws")[0])
    assert provider["endpoints"] == '[{"lightsail": "http://10.77.0.1:8700"}]'
    assert {key for key in provider if key.startswith("skip")} == {
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }


def test_the_provider_of_a_real_stack_has_a_region_and_no_endpoint(declare):
    provider = inputs(declare("prod").registered("aws")[0])
    assert provider["region"] == "eu-west-1"
    assert "endpoints" not in provider
