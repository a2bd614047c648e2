"""Room on the queue's disk that only the queue may use: ext4's reserved blocks, kept for a group besides root.

What fills the disk, a tool of the worker's for instance, is told that it is full, while the queue goes on writing.
"""

import grp
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from provision.onhost.errors import SystemStepFailed

FOLDER = "/var/lib/jada-dashboard"
"""What it is kept for."""
GROUP = "jada-reserve"
LEAST = 256 << 20
"""Bytes that are kept at least; a disk that keeps more, as mke2fs makes it, goes on doing so."""
KEPT = f"kept for {GROUP}"
"""What is seen when all is well."""


class Mount(NamedTuple):
    """Where a path is mounted: the mount's folder, the file system's kind, its device, its options."""

    folder: str
    kind: str
    device: str
    options: tuple[str, ...]


def see(path: str, name: str = GROUP, least: int = LEAST) -> str | None:
    """Say what of the disk's reserve for the group `name` differs, or `KEPT`; None where the file system keeps none for
    a group.
    """
    mount = mount_of(Path(path))
    if mount is None or mount.kind != "ext4" or not Path(mount.device).exists():
        return None
    try:
        group = str(grp.getgrnam(name).gr_gid)
    except KeyError:
        return f"there is no group {name}"
    try:
        facts = _facts(mount.device)
    except SystemStepFailed:
        return None  # nothing that could change it is here either
    if f"resgid={group}" not in mount.options:
        return "kept for root only"
    size = int(facts["Reserved block count"]) * int(facts["Block size"])
    return KEPT if size >= least else f"{size >> 20} MB only"


def keep(path: str, name: str = GROUP, least: int = LEAST) -> None:
    """Keep the reserve, while the file system is in use; after a boot it is to be done again."""
    mount = mount_of(Path(path))
    if mount is None:
        raise SystemStepFailed(f"no file system is known that holds {path}")
    facts, group = _facts(mount.device), str(grp.getgrnam(name).gr_gid)
    block = int(facts["Block size"])
    blocks = max(int(facts["Reserved block count"]), -(-least // block))
    _run(["tune2fs", "-r", str(blocks), mount.device])
    _run(["mount", "-o", f"remount,resgid={group}", mount.folder])


def main() -> int:
    """Keep it after a boot, where that is possible and not so yet."""
    # Without a group there is no release yet, and nothing to keep.
    if any(group.gr_name == GROUP for group in grp.getgrall()) and see(FOLDER) not in (None, KEPT):
        keep(FOLDER)
    return 0


def mount_of(path: Path) -> Mount | None:
    """Return the mount that holds a path, or the nearest folder above it that is there."""
    there = next(each for each in (path, *path.parents) if each.exists())
    number = there.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    found = [mount for mount in _mounts(device) if there.resolve().is_relative_to(mount.folder)]
    return max(found, key=lambda mount: len(mount.folder), default=None)


def _mounts(device: str) -> list[Mount]:
    """The mounts of a device, as proc(5) has them."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    rows = [(line.split(" - ", 1)[0].split(), line.split(" - ", 1)[1].split()) for line in lines]
    node = Path(f"/dev/block/{device}")  # also where the kernel calls it /dev/root
    return [
        Mount(row[4], rest[0], str(node.resolve()) if node.exists() else rest[1], tuple(rest[2].split(",")))
        for row, rest in rows
        if row[2] == device
    ]


def _facts(device: str) -> dict[str, str]:
    said = _run(["tune2fs", "-l", device])
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise SystemStepFailed(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise SystemStepFailed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
