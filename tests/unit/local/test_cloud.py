import subprocess
from pathlib import Path

import pytest

from local import cloud
from local.process import Process
from local.site import Site


@pytest.mark.parametrize(
    ("site", "address", "state"),
    [
        (Site(), "10.77.0.1", "/var/lib/jada-local/google"),
        (Site("other", 81, Path("/kept")), "10.81.0.1", "/kept/google"),
    ],
)
def test_a_double_is_started_for_its_own_site(site, address, state):
    command = cloud.command(site, "google", 8702, ["doubles.google", "--testing"])
    assert command[:3] == ["nsenter", f"--net=/run/netns/{site.name}-edge", "--"]
    assert command[4:] == [
        *("-m", "doubles.google", "--testing", "--host", address, "--port", "8702", "--state", state),
        *("--site", site.name, "--octet", str(site.octet)),
    ]


@pytest.mark.root
@pytest.mark.process
def test_a_double_whose_namespace_has_no_name_here_is_ended_all_the_same(tmp_path):
    with subprocess.Popen(["sleep", "infinity"]) as double:
        try:
            Process.find(double.pid).record(tmp_path / "google.pid")
            cloud.stop(Site(f"jadat{double.pid}", 253, tmp_path))
            assert Process.find(double.pid) is None
        finally:
            double.kill()
