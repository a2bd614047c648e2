"""The firewall as the program declares it."""

import pytest
from pulumi.runtime import rpc


def ports(monitor) -> list:
    return rpc.deserialize_properties(monitor.registered("InstancePublicPorts")[0].object)["portInfos"]


def test_ssh_is_open_to_the_operators_and_nothing_else_is(declare):
    assert ports(declare("prod")) == [{"fromPort": 22, "toPort": 22, "protocol": "tcp", "cidrs": ["203.0.113.7/32"]}]


def test_a_dual_stack_host_has_both_families_written_out(declare):
    cidrs = '["2001:db8::/64", "203.0.113.7/32"]'
    (opening,) = ports(declare("prod", ip_address_type="dualstack", operator_cidrs=cidrs))
    assert (opening["cidrs"], opening["ipv6Cidrs"]) == (["203.0.113.7/32"], ["2001:db8::/64"])


def test_the_order_of_the_addresses_in_the_settings_changes_nothing(declare):
    one, other = '["192.0.2.0/24", "203.0.113.7/32"]', '["203.0.113.7/32", "192.0.2.0/24"]'
    assert ports(declare("prod", operator_cidrs=one)) == ports(declare("prod", operator_cidrs=other))


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_ports_are_retained_on_delete_from_the_first_up(declare, stack):
    (request,) = declare(stack).registered("InstancePublicPorts")
    assert request.retainOnDelete
    assert not request.deleteBeforeReplace
