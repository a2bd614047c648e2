"""`python -m agent`: the worker's daemon, as jada-agent.service runs it."""

import argparse
import fcntl
import functools
import os
import socket
import sys
import time
from pathlib import Path

from agent.daemon.breaker import Breaker
from agent.daemon.claim_key import ClaimKey
from agent.daemon.day import Day
from agent.daemon.lease import boottime
from agent.daemon.link import Link
from agent.daemon.outbox import Outboxes
from agent.daemon.signals import Signals
from agent.daemon.spawn import Process, Release
from agent.daemon.travel import Workspaces
from agent.daemon.unproven import Unproven
from agent.daemon.worker import Daemon
from agent.settings_file import installed
from wire import log
from wire.addresses import needs_token
from wire.client import Client
from wire.secret import Secret
from wire.systemd import Notify
from wire.terminal import printable
from wire.values import Invalid


def main() -> None:
    """Read what there is to know, once, and work until a signal."""
    parser = argparse.ArgumentParser(prog="python -m agent", description="Works on the tasks of a dashboard's queue.")
    parser.add_argument("--settings", type=Path, default=Path("/etc/jada/jada.toml"), help="(default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/jada-agent"), help="(default: %(default)s)")
    arguments = parser.parse_args()
    log.start("%(levelname)s %(message)s")
    try:
        work(arguments.settings, arguments.state)
    except (Invalid, OSError) as error:
        sys.exit(printable(f"agent: {error}"))


def work(settings_path: Path, state: Path) -> None:
    """Compose the daemon and run it. Raises `Invalid` for wrong settings, OSError for a state folder in use."""
    settings = installed(settings_path)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Before anything is read or sent: two daemons in one folder would count and deliver the same sessions twice.
    lock = _lock(state / "daemon.lock")
    token = Secret(_credential("dashboard_token")) if needs_token(settings.dashboard_url) else None
    # Short tries: a dashboard that hangs must hold up neither heartbeat nor watchdog; the daemon asks again itself.
    link = Link(Client(settings.dashboard_url, token, timeout_s=5, retries=1))
    release = Release.own()
    workspaces = Workspaces(state / "workspaces")
    with Signals() as signals, os.fdopen(lock):
        Daemon(
            settings=settings,
            workspaces=workspaces,
            outboxes=Outboxes(state / "sessions", link, workspaces),
            link=link,
            day=Day(state / "state.json", time.time),
            claim_key=ClaimKey(state / "claim_key.json"),
            breaker=Breaker(functools.partial(release.look, settings_path, state, os.environ), boottime),
            signals=signals,
            notify=Notify(os.environ.get("NOTIFY_SOCKET")),
            spawn=functools.partial(Process, release, environment=dict(os.environ)),
            host=socket.gethostname(),
            unproven=Unproven(Release.own().app),
            # Half of systemd's limit, as sd_watchdog_enabled(3) advises: one late message must not be taken for a hang.
            watchdog_s=int(os.environ.get("WATCHDOG_USEC", "20000000")) / 2_000_000,
        ).run()


def _lock(path: Path) -> int:
    """Lock the state folder for this process, until it ends."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(
            error.errno, "another daemon works with this state folder; stop it first", str(path)
        ) from None
    return fd


def _credential(name: str) -> str:
    """Read one of the unit's credentials (LoadCredential=)."""
    return (_credentials() / name).read_text("utf-8").rstrip("\n")


def _credentials() -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise Invalid("CREDENTIALS_DIRECTORY", "is not set: it names the folder with the credentials; systemd sets it")
    return Path(folder)


if __name__ == "__main__":
    main()
