"""A new file on the operator's machine: whole or not there, and never in the place of another."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from provision.errors import CommandError
from wire.disk import sync_folder


@contextmanager
def new_file(path: Path, cure: str, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """Yield a file that has its name only at the block's end, and on disk; what fails or is ended leaves none. What is
    whole and can't have its name stays beside it, and is said.

    Raises `CommandError` where the name is taken, or the folder takes no file, with the `cure`.
    """
    if os.path.lexists(path):
        raise CommandError(f"{path} is there already", cure)
    # A name of its own, for two that make the same file at once: neither may write into the other's.
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}.half")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", cure) from error
    stays = False
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        try:
            _name(half, path)
        except OSError as error:
            stays = True
            raise CommandError(
                f"{path}: {error.strerror}; all of it is in {half}", "move that to a free name"
            ) from error
    finally:
        if not stays:
            half.unlink(missing_ok=True)
    sync_folder(path.absolute().parent)


def _name(half: Path, path: Path) -> None:
    """Give a file its name; raises `OSError` where that is taken: another file, made meanwhile, is not replaced."""
    try:
        path.hardlink_to(half)
    except OSError:
        # Taken, or a disk without links, as a stick is: there an empty file of ours has the name first.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            half.replace(path)
        finally:
            if half.exists():
                path.unlink()
