from pathlib import Path

from local.hosts.container import command
from local.site import Site


def test_a_container_joins_its_own_namespace_and_registers_nowhere():
    argv = command(Site("jadat", 78), 3, Path("/state/hosts/box/merged"))
    assert argv[0] == "systemd-nspawn"
    assert {"--directory=/state/hosts/box/merged", "--machine=jadat-h3", "--boot", "--register=no"} <= set(argv)
    assert "--network-namespace-path=/run/netns/jadat-h3" in argv


def test_a_host_needs_no_identity_of_this_machine_which_a_container_may_lack():
    assert "--link-journal=no" in command(Site("jadat", 78), 3, Path("/state/hosts/box/merged"))
