"""Files and links that are there whole or as before, whenever the power goes: on disk first, then renamed."""

import os
from pathlib import Path


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file, making its folder."""
    new = _beside(path)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(out.fileno(), mode)  # whatever the umask took
        out.write(content)
        out.flush()
        # Before the rename: otherwise a power cut may leave the new name without its content.
        os.fsync(out.fileno())
    _rename(new, path)


def link(path: Path, target: str) -> None:
    """Replace whatever link or file is there by a symbolic link, making its folder."""
    new = _beside(path)
    new.symlink_to(target)
    _rename(new, path)


def _beside(path: Path) -> Path:
    """A free name in the same folder: a rename across file systems would be a copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    return new


def _rename(new: Path, path: Path) -> None:
    new.replace(path)
    # The new name is the folder's content: without this a power cut brings the old one back.
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
