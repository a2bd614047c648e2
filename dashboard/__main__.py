"""Run the dashboard: `python -m dashboard --settings FILE --state DIR`."""

import dashboard.imports  # noqa: F401 - first: it holds back what those below would bring along

# isort: split
import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from dashboard import callers, server
from dashboard.application import create, utc_now
from dashboard.beside import NIGHTLY, PAUSES, Beside
from dashboard.opening import opened
from dashboard.record import Busy, Full, Lost, Unready
from dashboard.settings import Settings, WorkLimits, endpoint, off_box, read, work_limits
from dashboard.stores.lock import AlreadyUsed, held
from dashboard.templating import compiled_apart
from dashboard.tokens import Tokens
from wire import called, log
from wire.settings_file import load
from wire.terminal import printable
from wire.values import Invalid

LOST = 78
"""The exit code (EX_CONFIG of sysexits.h) after which systemd does not start us again: a user must act first."""


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; return the exit code."""
    args = _arguments(argv)
    log.start("%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    try:
        settings, limits = load(args.settings, "dashboard", read), load(args.settings, "agent", work_limits)
        beside = Beside(
            PAUSES, NIGHTLY, load(args.settings, "backup", off_box), socket.gethostname(), args.state, called.FILE
        )
        with held(args.state), contextlib.ExitStack() as listening:
            listeners = [listening.enter_context(each) for each in _listeners(settings)]
            return _run(args.state, settings, limits, listeners, beside)
    except Lost as error:
        sys.stderr.write(printable(f"dashboard: {error}\n{error.cure}") + "\n")
        return LOST
    except (Invalid, AlreadyUsed, Busy, Full, Unready, OSError) as error:
        sys.stderr.write(printable(f"dashboard: {error}") + "\n")
        return 1


def _listeners(settings: Settings) -> Iterator[socket.socket]:
    """Bind the queue's socket, the page's beside it, and the port for other hosts where the settings have one."""
    queue = Path(settings.socket)
    yield server.listen_locally(queue)
    yield server.listen_locally(queue.with_name(callers.PAGE_SOCKET))
    if settings.listen:
        yield server.listen(*endpoint(settings.listen))


def _run(state: Path, settings: Settings, limits: WorkLimits, listeners: list[socket.socket], beside: Beside) -> int:
    # Before the store, whose threads and open files a child should not have.
    templates = compiled_apart()
    store = opened(state, settings)
    tokens = Tokens(state / "tokens.json", utc_now)
    application = create(
        store,
        tokens,
        settings,
        backups=state / "backups",
        callers=callers.known(),
        access=state,
        limits=limits,
        beside=beside,
        templates=templates,
    )

    def before_end() -> None:
        application.state.live.close()
        application.state.copies.stop()

    server.serve(application, listeners, before_end)
    store.close()
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="The queue and the page.")
    parser.add_argument("--settings", type=Path, required=True, help="jada.toml; the [dashboard] section is read")
    parser.add_argument("--state", type=Path, required=True, help="folder of queue.db, this user's own")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
