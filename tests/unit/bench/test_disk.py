"""A folder in memory would make every commit free: it is refused."""

from pathlib import Path

import pytest

from bench.disk import OnMemory, require_disk

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/disk ext4 rw 0 0
tmpfs /tmp/disk-2 tmpfs rw 0 0
"""


@pytest.mark.parametrize("folder", ["/var/tmp", "/", "/tmp/disk", "/tmp/disk/below", "/tmpx"])
def test_a_disk_is_accepted(folder):
    require_disk(Path(folder), MOUNTS)


@pytest.mark.parametrize("folder", ["/tmp", "/tmp/below", "/tmp/disk-2"])
def test_memory_is_refused_with_what_to_do(folder):
    with pytest.raises(OnMemory, match=f"{folder} is on tmpfs.*--folder"):
        require_disk(Path(folder), MOUNTS)
