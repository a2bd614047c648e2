"""Making a backup: the queue's own checked copy first, then what the others keep, so that no journal is behind it."""

import os
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyrage

from backup.sources import DASHBOARD, GOOGLE, QUEUE, SECRETS, TOKENS, Places, Skipped, walk
from wire.archive import FORMAT, About, Writer
from wire.client import Client, RequestRefused, Unreachable
from wire.piped import piped

COPY_S = 900
"""For a copy of a large queue, on a small plan."""


class BackupFailed(Exception):
    """There is no backup; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose backup it is: the host's name, its current release, when, whether nothing works there any more, how
    operators call the host, and the table that its queue is in, if in one.
    """

    host: str
    release: str
    made_at: str
    paused: bool
    called: str = ""
    table: str = ""


def make(places: Places, origin: Origin, queue: Path, recipients: tuple[str, ...], out: IO[bytes]) -> tuple[str, ...]:
    """Write a backup with a copy of the queue to a stream, encrypted to public keys as it is made; return what was left
    out of it. Raises `BackupFailed`, OSError.
    """
    keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
    left_out: list[str] = []
    with piped(lambda into: left_out.extend(_write(places, origin, queue, into))) as plain:
        pyrage.encrypt_io(plain.stream, out, keys)
    if plain.failure:
        raise BackupFailed(f"the backup could not be made whole: {plain.failure}") from plain.failure
    out.flush()
    return tuple(left_out)


def _write(places: Places, origin: Origin, queue: Path, out: IO[bytes]) -> list[str]:
    about = About(
        format=FORMAT, made_at=origin.made_at, host=origin.host, release=origin.release, schema=schema_of(queue),
        paused=origin.paused, called=origin.called, table=origin.table,
    )  # fmt: skip
    writer, left_out = Writer(out, about), []
    _add_file(writer, f"{DASHBOARD}/{QUEUE}", queue)
    with suppress(FileNotFoundError):
        _add_file(writer, f"{DASHBOARD}/{TOKENS}", places.queue / TOKENS)
    with suppress(FileNotFoundError):
        _add_file(writer, f"{SECRETS}/{GOOGLE}", places.secrets / GOOGLE)
    for tree in places.trees:
        for name in tree.databases:
            with _copied(tree.folder / name, places.own) as copy:
                if copy is not None:
                    _add_file(writer, f"{tree.part}/{name}", copy)
        for entry in walk(tree):
            if isinstance(entry, Skipped):
                left_out.append(entry.name)
            else:
                writer.add(*entry)
    writer.close()
    return left_out


def _add_file(writer: Writer, name: str, path: Path) -> None:
    with path.open("rb") as content:
        info = tarfile.TarInfo(name)
        info.mode, info.size = 0o600, os.fstat(content.fileno()).st_size
        writer.add(info, content)


@contextmanager
def _copied(database: Path, room: Path) -> Iterator[Path | None]:
    """A whole copy, in a folder `room`, of a database that its program may be writing; None where there is none."""
    if not database.exists():
        yield None
        return
    with tempfile.TemporaryDirectory(dir=room) as folder:
        copy = Path(folder) / database.name
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=60)) as db:
            db.execute("VACUUM INTO ?", (str(copy),))
        yield copy


@contextmanager
def queue_copy(places: Places, url: str, app: Path) -> Iterator[Path]:
    """Have the queue make a checked copy of itself, by its dashboard, or by the dashboard's program where that does not
    run; the copy is removed after. Raises `BackupFailed`.
    """
    try:
        name = Client(url, operator="backup", timeout_s=COPY_S, retries=0).back_up().name
    except RequestRefused as error:
        raise BackupFailed(
            f"the queue made no copy of itself: {error.problem.detail or error.problem.title}"
        ) from error
    except Unreachable:
        name = _copy_at_rest(places, app)
    path = places.queue / "backups" / name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _copy_at_rest(places: Places, app: Path) -> str:
    program = [str(app.parent / "venv/bin/python"), "-m", "dashboard.copy", "--state", str(places.queue)]
    command = ["runuser", "--user", "jada-dashboard", "--", "env", f"--chdir={app}", *program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COPY_S)
    if done.returncode:
        raise BackupFailed(f"the dashboard does not answer, and its queue can't be copied: {done.stderr.strip()}")
    return done.stdout.strip()


def schema_of(queue: Path) -> int:
    """Return how many steps of the schema a queue has."""
    with closing(sqlite3.connect(f"{queue.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
