import subprocess
import sys

import pytest

from local import network
from local.process import wait_until
from local.site import Site
from local.temporary import temporary_site

SITE = Site("jadan", 81)


@pytest.fixture
def site():
    with temporary_site() as site:
        yield site


def seen(site):
    """What the machine's own network shows of the site: others may come and go meanwhile."""
    commands = (
        ["cat", "/proc/self/mounts"],
        ["ip", "-oneline", "link"],
        ["ip", "-oneline", "address"],
        ["ip", "route"],
        ["ip", "netns"],
    )
    listed = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    own = (f"{site.name}-", f"10.{site.octet}.")
    return [line for text in listed for line in text.splitlines() if any(word in line for word in own)]


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
    existing = ["jadan-edge", "jadan-h2", "jadan-h10", "jadan-house", "jada-edge", "jadan2-h1", "4711"]
    assert network.namespaces(SITE, existing) == ["jadan-h2", "jadan-h10", "jadan-edge"]


@pytest.mark.root
def test_a_network_can_be_made_again_and_its_removal_leaves_nothing(site):
    before = seen(site)
    for _ in range(2):
        network.ensure(site)
        network.ensure_host(site, 3)
    assert seen(site) != before
    for _ in range(2):
        network.remove(site)
    assert seen(site) == before


@pytest.mark.root
@pytest.mark.parametrize("left", ["a name without a namespace", "a namespace alone", "a link without addresses"])
def test_a_network_cut_short_in_the_making_is_finished(site, left):
    if left == "a name without a namespace":
        (network.NAMESPACES / site.edge).touch()
    else:
        subprocess.run(["ip", "netns", "add", site.edge], check=True)
    if left == "a link without addresses":
        link = ["ip", "link", "add", f"{site.name}-op", "type", "veth", "peer", "name", "op", "netns", site.edge]
        subprocess.run(link, check=True)
    network.ensure(site)
    network.ensure_host(site, 1)
    assert any(f"{site.network} via 10.{site.octet}.255.2 dev {site.name}-op" in line for line in seen(site))


@pytest.mark.root
def test_a_machine_that_routes_the_addresses_elsewhere_is_refused_and_left_alone(site):
    cure = r"give another behind the command: JADA_OCTET=\d+$"
    subprocess.run(["ip", "route", "add", "blackhole", f"10.{site.octet}.9.0/24"], check=True)
    try:
        before = seen(site)
        with pytest.raises(network.AddressesTaken, match=rf"10\.{site.octet}\.9\.0/24 .*{cure}"):
            network.ensure(site)
        assert seen(site) == before
    finally:
        subprocess.run(["ip", "route", "delete", "blackhole", f"10.{site.octet}.9.0/24"], check=True)


@pytest.mark.root
def test_the_processes_of_a_site_are_those_in_its_namespaces(site):
    network.ensure(site)
    with subprocess.Popen(["nsenter", f"--net=/run/netns/{site.edge}", "sleep", "60"]) as inside:
        assert wait_until(lambda: network.processes(site) == [inside.pid], 10)
        inside.kill()
    assert network.processes(site) == []


@pytest.mark.root
def test_removing_a_host_leaves_the_others(site):
    network.ensure(site)
    for number in (1, 2):
        network.ensure_host(site, number)
    for _ in range(2):
        network.remove_host(site, 1)
    assert not (network.NAMESPACES / f"{site.name}-h1").exists()
    links = subprocess.run(["ip", "-n", site.edge, "link"], capture_output=True, text=True, check=True).stdout
    assert ("h1@" in links, "h2@" in links) == (False, True)


COME_AND_GO = """
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from local import network
from local.site import Site
from local.temporary import temporary_site

def come_and_go(octet):
    for _ in range(15):
        network.ensure(Site(f"jada{octet}", octet))
        network.remove(Site(f"jada{octet}", octet))

if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(come_and_go, (1, 2)))
    assert " /run/netns " not in Path("/proc/self/mounts").read_text()
"""


@pytest.mark.root
def test_sites_that_come_and_go_at_once_leave_no_mount(tmp_path):
    # On mounts and a network of its own: there the last site to leave is one of these.
    program = tmp_path / "come_and_go.py"
    program.write_text(COME_AND_GO)
    machine = 'umount --recursive --lazy /run/netns; mount -t tmpfs tmpfs /run && exec "$@"'
    command = ["unshare", "--mount", "--net", "sh", "-c", machine, "sh", sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
