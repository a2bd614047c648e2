"""Swap where memory is small and the kernel takes it: a file of its own, in use again after each boot.

Small plans have less memory than the units may take together: what lies idle makes room for what works.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from provision.onhost import reserve
from provision.onhost.errors import SystemStepFailed

FILE = "/swapfile"
SIZE = 1 << 30
SMALL = 2 << 30
"""Bytes of memory up to which a host has swap."""
IN_USE = "in use"
"""What is seen when all is well."""
KINDS = ("ext4", "xfs")
"""The file systems on which the kernel swaps to a file; not to one on a container's overlay."""


class Facts(NamedTuple):
    """What decides: bytes of memory, whether it is a container, /proc/swaps or None, the disk's kind and free bytes."""

    memory: int
    container: bool
    swaps: str | None
    kind: str
    free: int


def judged(facts: Facts, path: str) -> str | None:
    """Say how the swap file is; None where none is wanted: enough memory, swap of another's, no way or no room."""
    if facts.swaps is None or facts.container or facts.kind not in KINDS or facts.memory > SMALL:
        return None
    files = [line.split()[0] for line in facts.swaps.splitlines()[1:]]
    if path in files:
        return IN_USE
    return None if files or facts.free < 2 * SIZE else f"{facts.memory >> 20} MB of memory, and no swap"


def see(path: str) -> str | None:
    """Say how the swap file of this host is."""
    return judged(_facts(path), path)


def make(path: str) -> None:
    """Make the file and swap to it; cut off anywhere, it is simply done again."""
    prepare(path, SIZE)
    _run("swapon", path)


def prepare(path: str, size: int) -> None:
    """Make the file, or make it whole."""
    try:
        with Path(path).open("ab") as file:
            # Whoever reads it reads memory.
            os.fchmod(file.fileno(), 0o600)
            os.posix_fallocate(file.fileno(), 0, size)
            os.fsync(file.fileno())
    except OSError as error:
        raise SystemStepFailed(f"no swap file {path} of {size >> 20} MB: {error.strerror}") from error
    _run("mkswap", path)


def main() -> int:
    """Swap again after a boot, where a deploy has made the file."""
    if Path(FILE).exists() and see(FILE) not in (None, IN_USE):
        make(FILE)
    return 0


def _facts(path: str) -> Facts:
    folder, swaps = Path(path).parent, Path("/proc/swaps")
    mount, disk = reserve.mount_of(folder), os.statvfs(folder)
    found = re.search(r"^MemTotal:\s+(\d+) kB$", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    # What is in the file already is not free, and is no more to be found.
    there = Path(path).stat().st_size if Path(path).is_file() else 0
    return Facts(
        memory=int(found[1]) * 1024 if found else 0,
        container=Path("/run/systemd/container").exists(),
        swaps=swaps.read_text(encoding="utf-8") if swaps.exists() else None,
        kind=mount.kind if mount else "",
        free=disk.f_bavail * disk.f_frsize + there,
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemStepFailed(f"{' '.join(command)}: {done.stderr.strip()}")
