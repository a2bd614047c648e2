"""Where the files of a measurement lie: a disk that a durable write has to wait for."""

from pathlib import Path

IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class OnMemory(Exception):
    """The folder is kept in memory: nothing there is durable, so no figure taken there says anything."""


def require_disk(folder: Path, mounts: str) -> None:
    """Raise `OnMemory` when the folder is on one of the file systems in memory; `mounts` is /proc/self/mounts."""
    kind, _ = max(_kinds(folder, mounts), key=lambda found: len(found[1]))
    if kind in IN_MEMORY:
        raise OnMemory(f"{folder} is on {kind}, where nothing is durable: give a folder on a disk by --folder")


def _kinds(folder: Path, mounts: str) -> list[tuple[str, str]]:
    """Each file system that the folder lies below, as kind and mount point."""
    lines = (line.split() for line in mounts.splitlines())
    return [(kind, point) for _, point, kind, *_ in lines if folder.is_relative_to(point)]
