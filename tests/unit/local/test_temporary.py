"""Each test that needs a machine has a site of its own, whatever else is up."""

import os
import subprocess
import sys

import pytest

from local import network, temporary
from local.process import Process
from local.temporary import temporary_site

pytestmark = pytest.mark.root


def test_two_sites_never_share_a_name_or_an_octet():
    with temporary_site() as one, temporary_site() as two:
        assert (one.name, one.octet) != (two.name, two.octet)
        assert one.octet != two.octet


OTHER_RUN = """
from local.temporary import temporary_site
with temporary_site() as site:
    print(site.octet, flush=True)
    input()
"""


def test_a_second_run_has_sites_on_other_octets_and_neither_ends_the_others():
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        octet = int(other.stdout.readline())
        with temporary_site() as site:
            assert site.octet != octet
        assert temporary.site_of(octet).state.exists()
        other.communicate("\n")
    assert other.returncode == 0


@pytest.fixture
def octet(monkeypatch):
    """The only octet there is for the test's sites: a high one, because other runs take the low ones first.

    The one above it is held, so that the same test of another run has another, also while nothing is up on this one.
    """
    monkeypatch.setattr(temporary, "OCTETS", temporary.OCTETS[::-2])
    with temporary_site() as above:
        monkeypatch.setattr(temporary, "OCTETS", [above.octet - 1])
        yield above.octet - 1


def test_an_octet_that_the_machine_routes_elsewhere_is_passed_over(octet):
    route = ["blackhole", f"10.{octet}.9.0/24"]
    subprocess.run(["ip", "route", "add", *route], check=True)
    try:
        with pytest.raises(network.AddressesTaken, match=f"every network from 10.{octet}.0.0/16"), temporary_site():
            pass
    finally:
        subprocess.run(["ip", "route", "delete", *route], check=True)


def test_what_a_killed_test_left_on_an_octet_is_removed_by_the_next(octet):
    with temporary_site() as killed:
        pass
    killed.state.mkdir()
    (killed.state / "left").touch()
    network.ensure(killed)
    network.ensure_host(killed, 1)
    with temporary_site() as site:
        assert site == killed
        assert list(site.state.iterdir()) == []
        assert not (network.NAMESPACES / site.edge).exists()
    assert not site.state.exists()


def test_a_double_of_a_killed_test_whose_namespace_has_no_name_here_is_ended(octet):
    killed = temporary.site_of(octet)
    killed.state.mkdir()
    with subprocess.Popen(["sleep", "infinity"]) as double:
        try:
            Process.find(double.pid).record(killed.state / "google.pid")
            with temporary_site() as site:
                assert site == killed
                assert Process.find(double.pid) is None
        finally:
            double.kill()


@pytest.mark.parametrize("command", ["demo", "down"])
def test_a_command_on_the_site_of_a_test_is_refused_and_names_who_has_it(command):
    with temporary_site() as site:
        site_options = ["--site", site.name, "--octet", str(site.octet)]
        local = [sys.executable, "-m", "local", *site_options, command]
        done = subprocess.run(local, capture_output=True, text=True, check=False, timeout=60)
        assert site.state.exists()
    assert done.returncode == 1
    assert f"the local cloud {site.name} is in use by process {os.getpid()} (" in done.stderr
