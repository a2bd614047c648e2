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
