"""Run the dashboard: `python -m dashboard --settings FILE --state DIR`; the token in $CREDENTIALS_DIRECTORY."""

import argparse
import asyncio
import os
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from dashboard import app
from dashboard.record import Lost
from dashboard.settings import Settings, load
from dashboard.stores.lock import AlreadyUsed, held
from dashboard.stores.sqlite import SqliteStore
from wire import log
from wire.secret import Secret
from wire.terminal import printable
from wire.values import Invalid

LOST = 78
"""The exit code (EX_CONFIG of sysexits.h) after which systemd does not start us again: a user must act first."""


class Server(uvicorn.Server):
    """uvicorn that tells systemd when it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say READY=1 where $NOTIFY_SOCKET asks for it (sd_notify(3))."""
        await super().startup(sockets)
        notify(os.environ.get("NOTIFY_SOCKET", ""))


def notify(address: str) -> None:
    """Send READY=1 to systemd's socket, if there is one; a leading @ means an abstract one."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; return the exit code."""
    args = _arguments(argv)
    log.start("%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        settings, token = load(args.settings), _token()
        listener = listen(settings)
        with held(args.state):
            return _run(args.state, settings, token, listener)
    except Lost as error:
        cure = "restore a backup by `fab queue.restore`; only if its tasks may be lost, delete queue.db.id"
        sys.stderr.write(printable(f"dashboard: {error}\n{cure}") + "\n")
        return LOST
    except (Invalid, AlreadyUsed, OSError) as error:
        sys.stderr.write(printable(f"dashboard: {error}") + "\n")
        return 1


def _run(state: Path, settings: Settings, token: Secret, listener: socket.socket) -> int:
    store = _store(state, settings)
    with listener:
        _serve(app.create(store, token, settings, backups=state / "backups"), listener)
    store.close()
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="The queue and the page.")
    parser.add_argument("--settings", type=Path, required=True, help="jada.toml; the [dashboard] section is read")
    parser.add_argument("--state", type=Path, required=True, help="folder of queue.db, this user's own")
    return parser.parse_args(argv)


def _token() -> Secret:
    """Read the token that systemd's LoadCredential= put there; raises OSError, `Invalid`."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise Invalid("CREDENTIALS_DIRECTORY", "is not set: start the dashboard by its unit, which loads its token")
    token = Secret((Path(folder) / "dashboard_token").read_text().strip())
    if len(token.reveal()) < 16:
        raise Invalid("dashboard_token", "is shorter than 16 characters: set it again with `fab secrets`")
    return token


def _store(state: Path, settings: Settings) -> SqliteStore:
    """Open the queue's file; raises `Invalid` that names the folder."""
    try:
        return SqliteStore(state / "queue.db", targets=settings.notify.targets)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise Lost(f"{state / 'queue.db'} is damaged: {error}") from error
        raise Invalid("--state", f"{state} can't hold the queue ({error}): it must be a folder of this user") from error


def listen(settings: Settings) -> socket.socket:
    """Bind the port; raises OSError that names it."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    # The protocol is named, or asyncio leaves TCP_NODELAY off, and each answer waits for a delayed ACK: 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A restart must not wait until the old connections' TIME_WAIT is over.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.address, settings.port))
    except OSError as error:
        listener.close()
        message = f"can't listen on {settings.address} port {settings.port}: {error.strerror}"
        raise OSError(message) from error
    return listener


def _serve(application: Starlette, listener: socket.socket) -> None:
    # uvicorn raises the signal again when it is done, for the handler before its own: a quiet one, so that we end well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    asyncio.run(Server(configuration(application)).serve(sockets=[listener]))


def configuration(application: Starlette) -> uvicorn.Config:
    """Return how uvicorn serves the queue and the page."""
    return uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        access_log=False,
        # uvicorn's own configuration would give its lines another form than ours.
        log_config=None,
        server_header=False,
        # A request that hangs must not hold up a restart.
        timeout_graceful_shutdown=8,
        # Longer than any pause between two looks of the notifier: at uvicorn's own 5 s, which are also that pause, a
        # request meets the closing of its connection about once a minute, and is lost with a warning.
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
