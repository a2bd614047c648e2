import subprocess

import pytest

from local import network
from local.process import wait_until
from local.site import Site

SITE = Site("jadan", 81)


@pytest.fixture
def clean():
    network.remove(SITE)
    yield
    network.remove(SITE)


def seen():
    """What the machine's own network shows of the site: others may come and go meanwhile."""
    commands = (
        ["cat", "/proc/self/mounts"],
        ["ip", "-oneline", "link"],
        ["ip", "-oneline", "address"],
        ["ip", "route"],
        ["ip", "netns"],
    )
    listed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    return [line for text in listed for line in text.splitlines() if f"{SITE.name}-" in line or "10.81." in line]


def test_a_route_into_the_sites_addresses_is_a_conflict_and_is_named():
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.81.7.0/24", "dev": "tun0"},
        {"dst": "10.0.0.0/8", "dev": "vpn"},
    ]
    assert network.conflicts(routes, SITE) == ["10.81.7.0/24 (tun0)", "10.0.0.0/8 (vpn)"]


def test_its_own_route_and_its_neighbours_are_no_conflict():
    routes = [{"dst": "10.81.0.0/16", "dev": "jadan-op"}, {"dst": "10.82.0.0/16", "dev": "eth0"}, {"dst": "192.0.2.1"}]
    assert network.conflicts(routes, SITE) == []


def test_a_site_knows_its_namespaces_from_anothers_of_a_longer_name():
    existing = ["jadan-edge", "jadan-h2", "jadan-h10", "jadan-house", "jada-edge", "jadan2-h1"]
    assert network.namespaces(SITE, existing) == ["jadan-h2", "jadan-h10", "jadan-edge"]


@pytest.mark.root
def test_a_network_can_be_made_again_and_its_removal_leaves_nothing(clean):
    before = seen()
    for _ in range(2):
        network.ensure(SITE)
        network.ensure_host(SITE, 3)
    assert seen() != before
    for _ in range(2):
        network.remove(SITE)
    assert seen() == before


@pytest.mark.root
@pytest.mark.parametrize("left", ["a name without a namespace", "a namespace alone", "a link without addresses"])
def test_a_network_cut_short_in_the_making_is_finished(clean, left):
    if left == "a name without a namespace":
        (network.NAMESPACES / SITE.edge).touch()
    else:
        subprocess.run(["ip", "netns", "add", SITE.edge], check=True)
    if left == "a link without addresses":
        link = ["ip", "link", "add", "jadan-op", "type", "veth", "peer", "name", "op", "netns", SITE.edge]
        subprocess.run(link, check=True)
    network.ensure(SITE)
    network.ensure_host(SITE, 1)
    assert any("10.81.0.0/16 via 10.81.255.2 dev jadan-op" in line for line in seen())


@pytest.mark.root
def test_a_machine_that_routes_the_addresses_elsewhere_is_refused_and_left_alone(clean):
    subprocess.run(["ip", "route", "add", "blackhole", "10.81.9.0/24"], check=True)
    try:
        before = seen()
        with pytest.raises(network.AddressesTaken, match=r"10\.81\.9\.0/24 .*make demo JADA_OCTET=\d+"):
            network.ensure(SITE)
        assert seen() == before
    finally:
        subprocess.run(["ip", "route", "delete", "blackhole", "10.81.9.0/24"], check=True)


@pytest.mark.root
def test_the_processes_of_a_site_are_those_in_its_namespaces(clean):
    network.ensure(SITE)
    with subprocess.Popen(["nsenter", f"--net=/run/netns/{SITE.edge}", "sleep", "60"]) as inside:
        assert wait_until(lambda: network.processes(SITE) == [inside.pid], 10)
        inside.kill()
    assert network.processes(SITE) == []


@pytest.mark.root
def test_removing_a_host_leaves_the_others(clean):
    network.ensure(SITE)
    for number in (1, 2):
        network.ensure_host(SITE, number)
    for _ in range(2):
        network.remove_host(SITE, 1)
    assert not (network.NAMESPACES / "jadan-h1").exists()
    links = subprocess.run(["ip", "-n", SITE.edge, "link"], capture_output=True, text=True, check=True).stdout
    assert ("h1@" in links, "h2@" in links) == (False, True)
