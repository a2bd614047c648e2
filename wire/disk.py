"""What is on disk for good, and whole at any moment: written beside, synced, renamed, and the folder synced."""

import contextlib
import os
import shutil
from collections.abc import Iterator
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


def below(folder: Path, deepest: int | None = None) -> Iterator[Path]:
    """Yield all that is below a folder that programs of others wrote in, nothing followed, folders before what is in
    them. What is in a folder that is closed to us, more than `deepest` levels down, or so far down that its path is
    too long, is passed over. Without recursion, which a thousand folders in each other would break.
    """
    waiting = [(folder, 1)]
    while waiting:
        place, level = waiting.pop()
        try:
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in found:
            path = Path(entry.path)
            yield path
            # Not by stat: a folder may be open to be listed and closed to be entered.
            if entry.is_dir(follow_symlinks=False) and (deepest is None or level < deepest):
                waiting.append((path, level + 1))


def remove_tree(folder: Path) -> None:
    """Remove a folder that programs of others wrote in, all below it, nothing followed; what can't be removed stays.

    They may have left folders that not even their owner can write in, as Go's module cache is, and thousands of folders
    in each other, which are too much for Python.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir() and not folder.is_symlink():
        import subprocess  # noqa: PLC0415 - a run of the sync imports this module, and starts nothing

        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], check=False, capture_output=True)
