"""What the local provider takes, and which change replaces: the real provider's rules."""

import pytest

from local.pulumi.rules import (
    ATTACHMENT,
    INSTANCE,
    KINDS,
    PORTS,
    STATIC_IP,
    as_written,
    change,
    endpoint_fault,
    faults,
    with_defaults,
)

HOST = {
    "name": "box",
    "availabilityZone": "us-east-1a",
    "blueprintId": "debian_12",
    "bundleId": "micro_3_0",
    "ipAddressType": "ipv4",
    "tags": {"stack": "local"},
}
SSH = {"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["192.0.2.0/24", "203.0.113.7/32"]}
WEB = {"fromPort": 443, "toPort": 443, "protocol": "tcp"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("availabilityZone", "us-east-1b"),
        ("blueprintId", "ubuntu_24_04"),
        ("bundleId", "small_3_0"),
        ("keyPairName", "mine"),
        ("userData", "#!/bin/sh"),
    ],
)
def test_an_instance_is_replaced_by_what_aws_cannot_change_and_goes_before_its_namesake_comes(key, value):
    found = change(INSTANCE, HOST, {**HOST, key: value})
    assert (found.changed, found.replaces, found.delete_first) == ({key}, {key}, True)


def test_a_renamed_instance_is_replaced_and_its_successor_may_come_first():
    found = change(INSTANCE, HOST, {**HOST, "name": "other"})
    assert (found.replaces, found.delete_first) == ({"name"}, False)


@pytest.mark.parametrize(
    ("key", "value"), [("tags", {"stack": "local", "owner": "desk"}), ("ipAddressType", "dualstack")]
)
def test_an_instance_changes_tags_and_address_type_in_place(key, value):
    found = change(INSTANCE, HOST, {**HOST, key: value})
    assert (found.changed, found.replaces, found.delete_first) == ({key}, set(), False)


def test_no_tags_are_the_same_as_empty_ones():
    bare = {key: value for key, value in HOST.items() if key != "tags"}
    assert not change(INSTANCE, bare, {**bare, "tags": {}}).changed


@pytest.mark.parametrize(
    ("token", "old", "new"),
    [
        (PORTS, {"instanceName": "box", "portInfos": [SSH]}, {"instanceName": "box", "portInfos": [SSH, WEB]}),
        (STATIC_IP, {"name": "a"}, {"name": "b"}),
        (ATTACHMENT, {"staticIpName": "ip", "instanceName": "a"}, {"staticIpName": "ip", "instanceName": "b"}),
    ],
)
def test_any_change_replaces_the_others_and_the_new_one_comes_first(token, old, new):
    found = change(token, old, new)
    assert found.replaces == found.changed != set()
    assert not found.delete_first


def test_the_order_of_openings_and_addresses_is_no_change():
    turned = {**SSH, "cidrs": SSH["cidrs"][::-1]}
    assert not change(PORTS, {"portInfos": [SSH, WEB]}, {"portInfos": [WEB, turned]}).changed


def test_an_address_family_taken_out_is_a_change():
    wide = {**SSH, "ipv6Cidrs": ["2001:db8::/64"]}
    assert change(PORTS, {"portInfos": [wide]}, {"portInfos": [SSH]}).changed == {"portInfos"}


def test_what_is_open_is_as_written_when_aws_filled_in_only_what_was_left_out():
    assert as_written([WEB, SSH], [SSH, {**WEB, "cidrs": ["0.0.0.0/0"], "ipv6Cidrs": ["::/0"]}])
    assert not as_written([SSH], [SSH, WEB])
    assert not as_written([SSH], [{**SSH, "cidrs": ["0.0.0.0/0"]}])


def test_missing_and_unknown_properties_are_named():
    found = faults(INSTANCE, {"name": "box", "availabilityZone": "us-east-1a", "blueprintId": "debian_12", "odd": {}})
    assert found["bundleId"] == "is required, and missing"
    assert found["odd"].startswith("is nothing that the local provider builds; aws:lightsail/instance:Instance takes")
    assert found.keys() == {"bundleId", "odd"}


def test_an_instance_is_dual_stack_unless_it_says_otherwise():
    assert with_defaults(INSTANCE, {"name": "box"})["ipAddressType"] == "dualstack"
    assert with_defaults(INSTANCE, HOST)["ipAddressType"] == "ipv4"
    assert with_defaults(STATIC_IP, {"name": "ip"}) == {"name": "ip"}


@pytest.mark.parametrize("endpoint", ["http://10.77.0.1:8700", "http://127.0.0.1:1", "http://[::1]:1"])
def test_an_endpoint_on_this_machine_is_taken(endpoint):
    assert endpoint_fault({"endpoints": [{"lightsail": endpoint}]}) is None


@pytest.mark.parametrize("endpoint", ["https://lightsail.us-east-1.amazonaws.com", "http://8.8.8.8", "nonsense"])
def test_an_endpoint_elsewhere_is_refused(endpoint):
    assert "is not on this machine" in endpoint_fault({"endpoints": [{"lightsail": endpoint}]})


@pytest.mark.parametrize("config", [{}, {"endpoints": []}, {"endpoints": [{"s3": "http://10.77.0.1"}]}])
def test_a_configuration_without_an_endpoint_is_refused_as_it_would_lead_to_aws(config):
    assert "has no lightsail endpoint" in endpoint_fault(config)


@pytest.mark.parametrize("token", KINDS)
def test_another_region_replaces_and_one_that_is_left_out_stays(token):
    old = {"name": "box", "region": "us-east-1"}
    moved = change(token, old, {"name": "box", "region": "eu-west-1"})
    assert moved.replaces == {"region"}
    assert change(token, old, {"name": "box"}).changed == frozenset()
    assert "region" not in faults(token, {"region": "eu-west-1"})
