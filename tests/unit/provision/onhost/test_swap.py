"""Swap: where a host has it, and the file. That the kernel swaps to it no container can show."""

import pytest

from provision.onhost import swap
from provision.onhost.errors import SystemStepFailed

HEAD = "Filename\tType\tSize\tUsed\tPriority\n"
SMALL = swap.Facts(memory=914 << 20, container=False, swaps=HEAD, kind="ext4", free=30 << 30)


def judged(**changed):
    return swap.judged(SMALL._replace(**changed), "/swapfile")


def test_a_small_host_has_swap():
    assert judged() == "914 MB of memory, and no swap"
    assert judged(swaps=f"{HEAD}/swapfile file 1048572 0 -2\n") == swap.IN_USE


@pytest.mark.parametrize(
    "changed",
    [
        {"container": True},
        {"swaps": None},
        {"kind": "overlay"},
        {"memory": 4 << 30},
        {"free": swap.SIZE},
        {"swaps": f"{HEAD}/dev/vdb partition 2097148 0 -2\n"},
    ],
)
def test_where_it_cannot_be_or_is_not_wanted_nothing_is_asked_for(changed):
    assert judged(**changed) is None


@pytest.mark.process
def test_the_file_is_whole_for_root_only_and_made_again_after_a_cut(tmp_path):
    path = tmp_path / "swapfile"
    path.write_bytes(b"half")
    path.chmod(0o644)
    for _ in range(2):
        swap.prepare(str(path), 1 << 20)
        seen = path.stat()
        assert (seen.st_mode & 0o777, seen.st_size, seen.st_blocks * 512 >= seen.st_size) == (0o600, 1 << 20, True)
        assert path.read_bytes()[4086:4096] == b"SWAPSPACE2"


def test_a_file_that_cannot_be_made_is_told_with_its_path():
    with pytest.raises(SystemStepFailed, match="no swap file /proc/swapfile of 1 MB"):
        swap.prepare("/proc/swapfile", 1 << 20)
