"""A stack's configuration: what it gives when right, and by what name each wrong value is refused."""

import pytest

from infra.settings import InvalidSetting, read

PROD = {"jada:region": "us-east-1", "jada:operator-cidrs": '["203.0.113.7/32"]'}
LOCAL = {**PROD, "jada:endpoint": "http://10.77.0.1:8700"}


def test_two_settings_are_enough_for_one_small_debian_host():
    chosen = read("prod", PROD, {})
    assert (chosen.availability_zone, chosen.blueprint, chosen.bundle) == ("us-east-1a", "debian_12", "micro_3_0")
    assert (chosen.hosts, chosen.ip_address_type, chosen.static_ip) == (("jada-orchestrator",), "ipv4", True)
    assert (chosen.endpoint, chosen.protect) == (None, True)


def test_tags_add_to_those_that_name_project_and_stack():
    chosen = read("prod", {**PROD, "jada:tags": '{"owner": "front desk"}'}, {})
    assert chosen.tags == {"project": "jada", "stack": "prod", "owner": "front desk"}


def test_addresses_are_sorted_into_their_families_once_each():
    cidrs = '["2001:db8::/64", "203.0.113.7", "192.0.2.0/24", "203.0.113.7/32"]'
    chosen = read("prod", {**PROD, "jada:operator-cidrs": cidrs, "jada:ip-address-type": "dualstack"}, {})
    assert chosen.operator_cidrs == ("192.0.2.0/24", "203.0.113.7/32")
    assert chosen.operator_ipv6_cidrs == ("2001:db8::/64",)


def test_ssh_opens_to_the_world_only_when_said_outright():
    wide = {**PROD, "jada:operator-cidrs": '["0.0.0.0/0"]'}
    with pytest.raises(
        InvalidSetting, match=r"^jada:operator-cidrs: 0\.0\.0\.0/0 opens SSH to the world; .*ssh-open-to-world"
    ):
        read("prod", wide, {})
    assert read("prod", {**wide, "jada:ssh-open-to-world": "true"}, {}).operator_cidrs == ("0.0.0.0/0",)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("region", "us-esat-1", "must be one of us-east-1, .*not 'us-esat-1'"),
        ("region", None, "is missing: the AWS region"),
        ("availability-zone", "eu-west-1a", "must lie in jada:region, as us-east-1a"),
        ("availability-zone", "us-east-1", "must lie in jada:region"),
        ("blueprint", "debian_11", "must be one of debian_12, debian_13"),
        ("bundle", "micro", "must be a Linux plan such as micro_3_0"),
        ("bundle", "micro_win_3_0", "must be a Linux plan"),
        ("hosts", "[]", "names no host"),
        ("hosts", "jada-orchestrator", "must be a list of texts, not 'jada-orchestrator'"),
        ("hosts", '["a_b"]', "'a_b' is no host name"),
        ("hosts", '["box", "box"]', "'box' stands there twice"),
        ("hosts", '["box", "box-ip"]', "'box-ip' is the name of box's static IP"),
        ("hosts", '["box-a", "box-b"]', "names 2 hosts, which need a queue that they share"),
        ("table-endpoint", "http://10.77.0.1:8704", "stack 'prod' is a real one: its table is in AWS"),
        ("ip-address-type", "ipv6", "must be one of ipv4, dualstack"),
        ("static-ip", "yes", "must be one of true, false"),
        ("ssh-open-to-world", "1", "must be one of true, false"),
        ("tags", '{"size": 3}', "must be an object of texts"),
        ("tags", '{"stack": "other"}', "'stack' is set by jada itself"),
        ("tags", '{"project": "other"}', "'project' is set by jada itself"),
        ("operator-cidrs", None, "is missing: the addresses that may reach SSH"),
        ("operator-cidrs", "[]", "has no IPv4 address"),
        ("operator-cidrs", "[7]", "must be a list of texts"),
        ("operator-cidrs", '["203.0.113.300/32"]', "'203.0.113.300/32' is no network address"),
        ("operator-cidrs", '["203.0.113.7/24"]', "has host bits set"),
        ("operator-cidrs", '["203.0.113.7/32", "2001:db8::/129"]', "'2001:db8::/129' is no network address"),
        ("operator-cidrs", '["203.0.113.7/32", "::/0"]', "::/0 opens SSH to the world"),
        ("operator-cidrs", '["203.0.113.7/32", "2001:db8::/64"]', "2001:db8::/64 is IPv6, but .* is ipv4"),
        ("ip-address-type", "dualstack", None),
        ("endpoint", "http://10.77.0.1:8700", "stack 'prod' is a real one"),
        ("regoin", "us-east-1", "there is no such setting; the settings are region, "),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(key, value, why):
    config = {k: v for k, v in {**PROD, f"jada:{key}": value}.items() if v is not None}
    name = "operator-cidrs" if why is None else key
    with pytest.raises(InvalidSetting, match=f"^jada:{name}: .*{why or 'has no IPv6 address, but .* is dualstack'}"):
        read("prod", config, {})


def test_a_key_of_another_namespace_is_refused_as_it_would_do_nothing():
    with pytest.raises(InvalidSetting, match=r"^aws:region: has no effect"):
        read("prod", {**PROD, "aws:region": "eu-west-1"}, {})


def test_pulumis_own_keys_are_left_to_pulumi():
    assert read("prod", {**PROD, "pulumi:tags": "{}"}, {})


def test_the_local_stack_refuses_to_run_without_an_endpoint():
    with pytest.raises(InvalidSetting, match=r"^jada:endpoint: stack 'local' never runs against AWS"):
        read("local", PROD, {})


@pytest.mark.parametrize(
    "endpoint", ["https://lightsail.us-east-1.amazonaws.com", "http://8.8.8.8:80", "10.77.0.1:8700", "http://"]
)
def test_the_local_stack_refuses_an_endpoint_that_is_not_on_this_machine(endpoint):
    with pytest.raises(InvalidSetting, match=r"^jada:endpoint: must be http:// and a private or loopback address"):
        read("local", {**PROD, "jada:endpoint": endpoint}, {})


def test_the_local_stack_is_not_protected():
    assert not read("local", LOCAL, {"AWS_ENDPOINT_URL": "http://10.77.0.1:8700"}).protect


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LIGHTSAIL"])
def test_a_real_stack_refuses_to_run_where_aws_calls_are_diverted(name):
    with pytest.raises(InvalidSetting, match=f"^jada:endpoint: {name} diverts AWS calls"):
        read("prod", PROD, {name: "http://10.77.0.1:8700"})
