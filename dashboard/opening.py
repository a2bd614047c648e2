"""Which store a dashboard opens: the file in its folder, or a table in DynamoDB, and never an empty one in place of
one that was here.
"""

import os
import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path

from dashboard.record import Lost
from dashboard.settings import Settings
from dashboard.stores import Store
from dashboard.stores.sqlite import SqliteStore
from wire.disk import replace_file
from wire.secret import Secret
from wire.values import Invalid

QUEUE, TABLE = "queue.db", "queue.table"
"""The file that is a queue, and the one that says in which table it is."""
NO_FILE = "put its setting `dashboard.table` back, or move the queue by `fab move-queue --to file`"
NO_TABLE = "see that the setting `dashboard.table` is right, and that the table was not made anew"


def opened(state: Path, settings: Settings, environ: Mapping[str, str] = os.environ) -> Store:
    """Open the queue of a folder; raises `Invalid`, `Lost`, `Unready`, `Busy`, `Full`."""
    if settings.table:
        return _table(state, settings, environ)
    if (state / TABLE).exists():
        there = (state / TABLE).read_text(encoding="utf-8").split()[0]
        raise Lost(f"this host's queue is in the table {there}, and the settings name none", NO_FILE)
    return _file(state, settings)


def _file(state: Path, settings: Settings) -> SqliteStore:
    try:
        return SqliteStore(state / QUEUE, targets=settings.notify.targets)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Lost(f"{state / QUEUE} is damaged: {error}") from error
        raise Invalid("--state", f"{state} can't hold the queue ({error}): it must be a folder of this user") from error


def _table(state: Path, settings: Settings, environ: Mapping[str, str]) -> Store:
    # Here, not at the top: boto3 takes 25 MB that a queue in a file needs not.
    from dashboard.stores.dynamodb import connect  # noqa: PLC0415 - see above
    from dashboard.stores.dynamodb.store import DynamoStore  # noqa: PLC0415 - see above
    from dashboard.stores.dynamodb.table import Table  # noqa: PLC0415 - see above

    if (state / QUEUE).exists():
        raise Invalid(
            "dashboard.table",
            f"{state / QUEUE} holds tasks: `fab move-queue --to table` moves them first",
        )
    at = connect.place(settings.table)
    client = connect.client(at, key(environ))
    store = DynamoStore(Table(client, at.name), targets=settings.notify.targets)
    mark(state, settings.table, store.identity(uuid.uuid4().hex))
    return store


def key(environ: Mapping[str, str]) -> Secret:
    """Return the key that systemd hands over; raises `Invalid`."""
    path = Path(environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / "table_key"
    text = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if not text:
        raise Invalid("table_key", "is missing: make the key of the table's user by `fab table-key`")
    return Secret(text)


def mark(state: Path, table: str, identity: str) -> None:
    """Keep which table the queue is in. Raises `Lost` where that is another one than it was, or was made anew."""
    path = state / TABLE
    wanted = f"{table} {identity}"
    held = path.read_text(encoding="utf-8").strip() if path.exists() else wanted
    if held.split()[-1] != identity:
        raise Lost(f"the table {table} is another queue than the one that was here, of {held.split()[0]}", NO_TABLE)
    if not path.exists() or held != wanted:
        replace_file(path, f"{wanted}\n".encode())
