"""What is on disk for good, and whole at any moment: written beside, synced, renamed, and the folder synced."""

import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file. A power cut leaves the old one or the new one."""
    # In the same folder: a rename across file systems is no single step.
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask took, or a cut-off write left
        file.write(content)
        file.flush()
        # Before the rename: otherwise a power cut may leave the new name without its content.
        os.fsync(file.fileno())
    fresh.replace(path)
    # The rename itself is not safe from a power cut until its folder is on disk.
    sync_folder(path.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder that programs of others wrote in, all below it, nothing followed; what can't be removed stays.

    They may have left folders that not even their owner can write in, as Go's module cache is.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir() or folder.is_symlink():
        return
    folder.chmod(0o700)
    for place, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
