import subprocess

import pytest

from local import network
from local.firewall import GuardedHost, OpenPorts, apply, matches, ruleset
from local.temporary import temporary_site

ANYWHERE = ("0.0.0.0/0",)
SSH = OpenPorts("tcp", 22, 22, ANYWHERE)


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        (SSH, ["ip saddr { 0.0.0.0/0 } tcp dport 22-22"]),
        (OpenPorts("udp", 53, 60, ("192.0.2.1", "192.0.2.0/24")), ["ip saddr { 192.0.2.0/24 } udp dport 53-60"]),
        (OpenPorts("all", 0, 65535, ("192.0.2.0/24",)), ["ip saddr { 192.0.2.0/24 } meta l4proto { tcp, udp, icmp }"]),
        (OpenPorts("icmp", -1, -1, ("192.0.2.1",)), ["ip saddr { 192.0.2.1/32 } meta l4proto icmp"]),
        (
            OpenPorts("icmp", 8, 0, ("192.0.2.1",)),
            ["ip saddr { 192.0.2.1/32 } meta l4proto icmp icmp type 8 icmp code 0"],
        ),
        (OpenPorts("tcp", 22, 22, ()), []),
    ],
)
def test_an_opening_matches_its_protocol_ports_and_sources(opening, expected):
    assert matches(opening) == expected


def test_a_host_is_translated_and_let_in_and_everything_else_is_dropped():
    rules = ruleset((GuardedHost("10.82.1.1", "10.82.200.1", (SSH,)),)).splitlines()
    assert "add rule ip firewall incoming ip daddr 10.82.200.1 dnat to 10.82.1.1" in rules
    assert "add rule ip firewall openings ip daddr 10.82.1.1 ip saddr { 0.0.0.0/0 } tcp dport 22-22 accept" in rules
    assert any("hook forward" in rule and "policy drop" in rule for rule in rules)


def test_chains_are_filled_anew_but_never_replaced():
    rules = ruleset(())
    assert "delete" not in rules
    assert rules.count("flush chain") == rules.count("add chain") == 4


@pytest.mark.root
def test_loading_replaces_what_was_loaded_before():
    loaded = []
    with temporary_site() as site:
        network.ensure(site)
        for hosts in ((), (GuardedHost(site.private_address(1), site.public_address(1), (SSH,)),), ()):
            apply(site, hosts)
            show = ["nsenter", f"--net=/run/netns/{site.edge}", "nft", "list", "ruleset"]
            loaded.append(subprocess.run(show, capture_output=True, text=True, check=True).stdout)
    assert loaded[0] == loaded[2] != loaded[1]
