"""Move a queue out of its file into a table, or back: `python -m dashboard.move --state DIR --table TABLE --to table`.

The dashboard must be stopped. Nothing is deleted: what was left stays where it is, and says that it was left. All is
read back and compared before. Cut off at any point, neither place can be opened until it is run again, in either
direction.
"""

import argparse
import os
import sqlite3
import sys
from datetime import datetime
from pathlib import Path

from dashboard.application import utc_now
from dashboard.opening import QUEUE, TABLE, key, mark
from dashboard.record import Busy, Damaged, Full, Lost, Unready
from dashboard.stores.dynamodb import connect
from dashboard.stores.dynamodb.moving import TableSide
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from dashboard.stores.files import FILES, require_present
from dashboard.stores.lock import AlreadyUsed, held
from dashboard.stores.moving import Counted, FileSide, move, require_same
from wire.disk import sync_folder
from wire.terminal import printable
from wire.values import Invalid

HALF = "queue.db.moving"


def into_table(state: Path, setting: str, table: Table, now: datetime) -> str:
    """Move the file's queue into a table; return what was done. Raises `Lost`, `Unready`, `Busy`."""
    path, side = state / QUEUE, TableSide(table, DynamoStore(table))
    if not path.exists() and not (state / TABLE).exists():
        require_present(path)
        raise Lost(
            f"{path} is missing: no queue was here yet", "set dashboard.table, and deploy: it begins in the table"
        )
    side.require_not_left()
    if not path.exists():
        mark(state, setting, side.identity() or "none")
        return f"the queue is in the table {setting} already"
    file = FileSide(path)
    try:
        # First: from here on a dashboard opens neither.
        mark(state, setting, file.identity)
        if side.identity() == file.identity:
            # It was cut off after all was there.
            counted = require_same(file, side)
        else:
            side.begin(file.identity)
            counted = move(file, side)
            side.finish(file.identity)
    finally:
        file.close()
    kept = f"{QUEUE}.moved-{now:%Y%m%dT%H%M%SZ}"
    # Beside it stays queue.db.id: without a table, the settings would begin anew.
    path.rename(state / kept)
    sync_folder(state)
    return f"{_said(counted)} in the table {setting}; the file is kept as {kept}"


def into_file(state: Path, setting: str, table: Table) -> str:
    """Move a table's queue into the file; return what was done. Raises `Lost`, `Unready`, `Busy`."""
    path, side = state / QUEUE, TableSide(table, DynamoStore(table))
    if path.exists():
        if not (state / TABLE).exists():
            return f"the queue is in the file {QUEUE} already"
        side.leave()
        (state / TABLE).unlink()
        sync_folder(state)
        return f"a move that was cut off is taken back, or was all but done: the queue is in the file {QUEUE}"
    identity = side.identity()
    if identity is None:
        raise Lost(f"the table {setting} holds no queue", "see that it is the right one")
    mark(state, setting, identity)
    for file in state.glob(f"{HALF}*"):
        file.unlink()
    made = FileSide(state / HALF, identity)
    try:
        counted = move(side, made)
    finally:
        made.close()
    _put_in_place(state)
    side.leave()
    (state / TABLE).unlink()
    sync_folder(state)
    return f"{_said(counted)} in the file {QUEUE}; the table {setting} keeps a copy, and no dashboard opens it any more"


def _put_in_place(state: Path) -> None:
    for ending in FILES:
        (state / f"{QUEUE}{ending}").unlink(missing_ok=True)
    (state / HALF).rename(state / QUEUE)
    for file in state.glob(f"{HALF}*"):
        file.unlink()
    sync_folder(state)


def _said(counted: Counted) -> str:
    parts = (
        (counted.tasks, "tasks"),
        (counted.sessions, "sessions"),
        (counted.events, "journal records"),
        (counted.notices, "notices"),
        (counted.blobs, "blobs"),
        (counted.runs, "sync runs"),
    )
    return f"{', '.join(f'{count} {name}' for count, name in parts)} were read back and are equal:"


def main(argv: list[str]) -> int:
    """Move; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.move", description="Move a queue whose dashboard rests.")
    parser.add_argument("--state", type=Path, required=True, help="folder of queue.db")
    parser.add_argument("--table", required=True, help="as the setting dashboard.table has it")
    parser.add_argument("--to", choices=("table", "file"), required=True, help="where the queue is to be")
    args = parser.parse_args(argv)
    os.umask(0o077)
    try:
        at = connect.place(args.table)
        table = Table(connect.client(at, key(os.environ)), at.name)
        with held(args.state):
            if args.to == "table":
                said = into_table(args.state, args.table, table, utc_now())
            else:
                said = into_file(args.state, args.table, table)
    except Lost as error:
        sys.stderr.write(printable(f"not moved: {error}\n{error.cure}") + "\n")
        return 1
    except (AlreadyUsed, Busy, Damaged, Full, Invalid, Unready, OSError, sqlite3.Error) as error:
        sys.stderr.write(printable(f"not moved: {error}") + "\n")
        return 1
    sys.stdout.write(printable(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
