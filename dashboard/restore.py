"""Put a backup in the place of the queue: `python -m dashboard.restore --state DIR [--backup NAME]`; `--knows` prints
up to which step of the schema this release can read one.

The dashboard must be stopped. What is there is renamed, never deleted. A restore that was cut off leaves a queue that
the dashboard refuses; run it again.
"""

import argparse
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from dashboard.application import utc_now
from dashboard.backup import chosen
from dashboard.opening import TABLE
from dashboard.record import NotFound, Unready
from dashboard.stores.files import FILES, held_id, mark, marker
from dashboard.stores.lock import AlreadyUsed, held
from dashboard.stores.schema import STEPS
from dashboard.stores.sqlite import quick_check
from wire.disk import sync_folder
from wire.terminal import printable


def restore(state: Path, backup: Path, now: datetime) -> list[str]:
    """Put `backup` in place; return what was renamed to keep it. Raises `Unready` for a broken one, and OSError."""
    store = _require_sound(backup)
    path = state / "queue.db"
    half = path.with_name("queue.db.restored")
    with backup.open("rb") as source, half.open("wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    kept = [*_set_aside(path, now.strftime("%Y%m%dT%H%M%SZ"))]
    half.replace(path)
    # Last: while the marker names another queue, or this one is missing, the dashboard refuses to start.
    if not marker(path).exists() or marker(path).read_text(encoding="ascii").strip() != store:
        marker(path).unlink(missing_ok=True)
        mark(path, store)
    sync_folder(state)
    return kept


def _require_sound(backup: Path) -> str:
    with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as db:
        if wrong := quick_check(db):
            raise Unready(f"the backup {backup.name} is broken: {wrong}; take another")
        store = held_id(db)
        (schema,) = db.execute("PRAGMA user_version").fetchone()
    if schema > len(STEPS):
        raise Unready(
            f"the backup {backup.name} was made by a newer release: its schema has {schema} steps, and this release "
            f"knows {len(STEPS)}; deploy that release first"
        )
    if store is None:
        raise Unready(f"the backup {backup.name} holds no queue; take another")
    return store


def _set_aside(path: Path, suffix: str) -> Iterator[str]:
    # Also the word that the queue is in a table: what is put back is a file.
    for file in (*(path.with_name(path.name + ending) for ending in FILES), path.with_name(TABLE)):
        if file.exists():
            yield file.rename(file.with_name(f"{file.name}.before-{suffix}")).name


def main(argv: list[str]) -> int:
    """Restore, and say what was done; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.restore", description="Put a backup in the queue's place."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--state", type=Path, help="folder of queue.db and of backups/")
    what.add_argument("--knows", action="store_true", help="print how many steps of the schema this release knows")
    parser.add_argument("--backup", help="its name in backups/; the newest without")
    args = parser.parse_args(argv)
    if args.knows:
        sys.stdout.write(f"{len(STEPS)}\n")
        return 0
    os.umask(0o077)
    try:
        with held(args.state):
            backup = chosen(args.state / "backups", args.backup, utc_now())
            kept = restore(args.state, backup, utc_now())
    except (AlreadyUsed, NotFound, Unready, OSError, sqlite3.Error) as error:
        sys.stderr.write(printable(f"not restored: {error}") + "\n")
        return 1
    said = f"{backup.name} is in place; what was there is kept as: {', '.join(kept) or 'nothing was there'}"
    sys.stdout.write(printable(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
