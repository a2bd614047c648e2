import subprocess
import sys
from pathlib import Path

import pytest

from local.hosts import obstacles
from local.hosts.sweep import mounts_below

TABLE = """\
overlay /state/hosts/box/merged overlay rw 0 0
tmpfs /state/hosts/box/merged/run\\040time tmpfs rw 0 0
tmpfs /state-of-another tmpfs rw 0 0
"""


def test_mounts_below_a_folder_are_found_the_innermost_first(tmp_path):
    found = mounts_below(tmp_path, TABLE.replace("/state/", f"{tmp_path}/"))
    assert found == [f"{tmp_path}/hosts/box/merged/run time", f"{tmp_path}/hosts/box/merged"]


@pytest.mark.process
def test_obstacles_are_sentences():
    assert all(text.endswith(".") for text in obstacles())


ROOT = Path(__file__).parents[4]
SAY = "from local.hosts import worker_obstacles; print(*worker_obstacles())"
CHROOT = 'mount --rbind / "$0" && exec chroot "$0" env --chdir="$@"'


def said(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.root
@pytest.mark.process
def test_a_chroot_is_said_to_be_no_place_for_workers(tmp_path):
    chroot = ["unshare", "--mount", "--propagation", "private", "sh", "-c", CHROOT, str(tmp_path), str(ROOT)]
    assert said(sys.executable, "-c", SAY) == "\n"
    assert "run this outside of the chroot" in said(*chroot, sys.executable, "-c", SAY)
