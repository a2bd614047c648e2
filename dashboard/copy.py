"""Copy a queue at rest: `python -m dashboard.copy --state DIR` makes a checked copy in its backups/, and prints its
name.

For a dashboard that does not run; one that runs makes copies itself.
"""

import argparse
import os
import sqlite3
import sys
from pathlib import Path

from dashboard.application import utc_now
from dashboard.backup import Backups
from dashboard.opening import TABLE
from dashboard.record import Busy, Full, Lost, Unready
from dashboard.settings import Settings
from dashboard.stores.files import require_present
from dashboard.stores.lock import AlreadyUsed, held
from dashboard.stores.sqlite import SqliteStore
from wire.terminal import printable


def copy(state: Path) -> str:
    """Make a copy and return its name; nothing older is deleted. Raises `AlreadyUsed`, `Lost`, `Unready`, OSError."""
    queue = state / "queue.db"
    if (state / TABLE).exists():
        there = (state / TABLE).read_text(encoding="utf-8").split()[0]
        raise Lost(
            f"the queue is in the table {there}, which only its dashboard can copy: `fab resume` starts one that is "
            "paused; one that is at work may take longer than is waited for, and can be asked again"
        )
    if not queue.exists():
        require_present(queue)
        raise Lost(f"{queue} is missing: no queue was here yet")
    with held(state):
        store = SqliteStore(queue)
        try:
            return Backups(store, state / "backups", Settings(backup_days=0), utc_now).make().name
        finally:
            store.close()


def main(argv: list[str]) -> int:
    """Copy, and print the copy's name; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.copy", description="Copy a queue whose dashboard rests.")
    parser.add_argument("--state", type=Path, required=True, help="folder of queue.db")
    os.umask(0o077)
    try:
        name = copy(parser.parse_args(argv).state)
    except (AlreadyUsed, Busy, Full, Lost, Unready, OSError, sqlite3.Error) as error:
        sys.stderr.write(printable(f"not copied: {error}") + "\n")
        return 1
    sys.stdout.write(name + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
