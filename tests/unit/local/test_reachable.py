"""Tests by sudo in a home that only its user may enter."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.process]
SCRIPT = Path(__file__).parents[3] / "local" / "reachable"
AS_A_SANDBOX = ["unshare", "--user", "--map-root-user", "cat"]
"""Reads as root that has none of root's rights over what is another user's."""


@pytest.fixture
def checkout(tmp_path):
    """A checkout in somebody's home, with the script in it."""
    checkout = tmp_path / "home" / "work" / "jada"
    (checkout / "local").mkdir(parents=True)
    shutil.copy(SCRIPT, checkout / "local")
    (checkout / "file").write_text("read")
    for folder in (tmp_path / "home", checkout):
        os.chown(folder, 65533, 65533)
        folder.chmod(0o755)  # whatever the umask of whoever runs the tests
    return checkout


def reachable(checkout, *command):
    script = checkout / "local" / "reachable"
    return subprocess.run([script, *command], cwd="/", capture_output=True, text=True, check=False)


def test_what_is_below_a_closed_home_is_read_without_rights_and_the_home_stays_closed(checkout):
    home = checkout.parents[1]
    home.chmod(0o700)
    (home / "private").write_text("closed")
    done = reachable(checkout, *AS_A_SANDBOX, checkout / "file")
    assert (done.stdout, done.stderr) == ("read", "")
    assert reachable(checkout, *AS_A_SANDBOX, home / "private").returncode == 1
    assert reachable(checkout, "sh", "-c", "pwd; echo written >file").stdout == f"{checkout}\n"
    assert (checkout / "file").read_text() == "written\n"
    assert home.stat().st_mode & 0o777 == 0o700
    assert str(home) not in Path("/proc/self/mounts").read_text()
    assert reachable(checkout, "sh", "-c", "exit 7").returncode == 7


def test_where_all_may_enter_nothing_is_mounted(checkout):
    mounts = reachable(checkout, "cat", "/proc/self/mounts").stdout
    assert str(checkout) not in mounts


def test_a_checkout_that_is_closed_itself_is_told_with_its_cure(checkout):
    checkout.chmod(0o700)
    for home in (0o755, 0o700):
        checkout.parents[1].chmod(home)
        done = reachable(checkout, "true")
        assert (done.returncode, f"chmod -R o+rX {checkout}" in done.stderr) == (1, True)
