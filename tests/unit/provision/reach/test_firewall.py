import pytest

from provision.errors import CommandError
from provision.reach import firewall
from provision.reach.firewall import Firewall, changed, state_of
from tests.unit.provision.reach.lightsail import PortsApi, ssh

OFFICE, HOME = "203.0.113.0/24", "198.51.100.9/32"
WEB = {"fromPort": 443, "toPort": 443, "protocol": "tcp", "cidrs": ["0.0.0.0/0"], "ipv6Cidrs": ["::/0"]}


def of(*ports):
    return state_of({"portStates": [{"state": "open", **port} for port in ports]})


def wall(api):
    return Firewall(api, "box", lambda _seconds: None)


def test_an_address_is_added_and_all_else_stays():
    before = of(ssh(OFFICE, cidrListAliases=["lightsail-connect"]), WEB)
    after = changed(before, add=[HOME])
    assert [each.request() for each in after] == [
        ssh(HOME, OFFICE, cidrListAliases=["lightsail-connect"]),
        WEB,
    ]
    assert changed(after, take_out=[HOME]) == before


def test_a_port_left_without_any_source_is_closed_instead_of_opened_to_the_world():
    assert changed(of(ssh(HOME)), take_out=[HOME]) == ()


def test_ssh_that_is_closed_altogether_is_opened_to_the_address_only():
    assert [each.request() for each in changed(of(WEB), add=[HOME])] == [ssh(HOME), WEB]


def test_a_port_that_the_answer_calls_closed_is_not_opened_by_a_put():
    assert of({**WEB, "state": "closed"}) == ()


@pytest.mark.parametrize(
    ("ports", "let_in"),
    [([ssh(OFFICE)], True), ([ssh(HOME)], False), ([WEB], False), ([], False),
     ([{"fromPort": 0, "toPort": 65535, "protocol": "all", "cidrs": ["0.0.0.0/0"]}], True)],
)  # fmt: skip
def test_who_is_let_in_is_read_from_the_ranges_and_networks(ports, let_in):
    assert firewall.lets_in(of(*ports), "203.0.113.7") is let_in


def test_what_should_not_be_open_and_what_should_is_named():
    state = of(ssh(HOME, ipv6Cidrs=["2001:db8::/64"]), WEB)
    assert firewall.strays(state, [OFFICE]) == (HOME, "2001:db8::/64")
    assert firewall.absent(state, [OFFICE]) == (OFFICE,)
    assert firewall.others(state) == ("tcp 443-443 from 0.0.0.0/0, ::/0",)


def test_a_state_that_is_as_wanted_is_not_put():
    api = PortsApi(ssh(OFFICE, HOME))
    wall(api).change(lambda state: changed(state, add=[HOME]))
    assert api.puts == 0


def test_a_put_of_another_operator_at_the_same_moment_loses_neither_address():
    api = PortsApi(ssh(OFFICE))
    api.meanwhile = lambda: api.put_instance_public_ports("box", [ssh(OFFICE, "192.0.2.1/32")])
    wall(api).change(lambda state: changed(state, add=[HOME]))
    assert api.ssh() == ["192.0.2.1/32", HOME, OFFICE]


def test_a_firewall_that_never_shows_what_was_put_is_an_error():
    api = PortsApi(ssh(OFFICE))
    api.put_instance_public_ports = lambda **_request: None
    with pytest.raises(CommandError, match="does not show what was put"):
        wall(api).change(lambda state: changed(state, add=[HOME]))


def test_a_refusal_names_the_policy():
    api = PortsApi(ssh(OFFICE))
    api.refuses = True
    with pytest.raises(CommandError, match="docs/iam"):
        wall(api).change(lambda state: changed(state, add=[HOME]))
