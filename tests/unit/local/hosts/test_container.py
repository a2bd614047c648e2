import subprocess
from pathlib import Path

import pytest

from local.hosts import sweep
from local.hosts.container import EXPORTS, command, kill
from local.site import Site
from local.temporary import temporary_site


def test_a_container_joins_its_own_namespace_and_registers_nowhere():
    argv = command(Site("jadat", 78), 3, Path("/state/hosts/box/merged"))
    assert argv[0] == "systemd-nspawn"
    assert {"--directory=/state/hosts/box/merged", "--machine=jadat-h3", "--boot", "--register=no"} <= set(argv)
    assert "--network-namespace-path=/run/netns/jadat-h3" in argv


def test_a_host_needs_no_identity_of_this_machine_which_a_container_may_lack():
    assert "--link-journal=no" in command(Site("jadat", 78), 3, Path("/state/hosts/box/merged"))


@pytest.mark.root
@pytest.mark.process
@pytest.mark.parametrize("end", [lambda site: kill(site, 1), sweep], ids=["kill", "sweep"])
def test_what_nspawn_leaves_of_a_killed_host_goes_with_it_and_not_another_sites(end):
    with temporary_site() as site, temporary_site() as other:
        kept = [EXPORTS / f"{site.name}-h11", EXPORTS / f"{other.name}-h1"]
        for folder in (left := EXPORTS / f"{site.name}-h1", *kept):
            folder.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
        end(site)
        assert not left.exists()
        assert [folder.is_mount() for folder in kept] == [end is not sweep, True]
        kill(site, 11)
        kill(other, 1)
        assert not any(folder.exists() for folder in kept)
