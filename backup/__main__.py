"""What runs on a host, as root: `python -m backup look | make | receive | place | nightly`."""

import argparse
import json
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from backup import make, nightly, place, receive, settings
from backup.look import look, table
from backup.make import BackupFailed, Origin
from backup.sources import Places
from wire.addresses import QUEUE as QUEUE_URL
from wire.archive import Damaged, TooNew
from wire.called import called
from wire.settings_file import sections
from wire.terminal import printable
from wire.times import stamp
from wire.values import Invalid

HOME = Path("/opt/jada-agent")
APP = HOME / "current/app"
REPORTED = 10
"""The exit code of a failed night that is kept for the dashboard, which raises an alarm."""
UNITS = ("jada-agent.service", "jada-dashboard.service", "jada-notify.service", "port-sheet-sync.service")


def main(argv: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    args = _arguments(argv)
    os.umask(0o077)
    try:
        return int(args.act(args))
    except (BackupFailed, Damaged, TooNew, Invalid, place.ProgramFailed, OSError, sqlite3.Error) as error:
        sys.stderr.write(printable(f"backup: {error}") + "\n")
        return 1


def _look(_args: argparse.Namespace) -> int:
    sys.stdout.write(json.dumps(look(Places(), APP)) + "\n")
    return 0


def _make(args: argparse.Namespace) -> int:
    recipients = tuple(args.recipient) or settings.read(sections(args.settings).get("backup", {})).recipients
    settings.require_recipients(recipients, "--recipient")
    if not recipients:
        raise Invalid("backup.recipients", "is empty: there is no key to encrypt a backup to")
    with _copy(args.settings) as copy:
        for name in make.make(Places(), _origin(_now()), copy, recipients, sys.stdout.buffer):
            sys.stderr.write(printable(f"left out: {name}") + "\n")
    return 0


def _receive(args: argparse.Namespace) -> int:
    _about, counts = receive.receive(sys.stdin.buffer, _staged(args.name))
    sys.stdout.write(json.dumps(counts) + "\n")
    return 0


def _place(args: argparse.Namespace) -> int:
    if active := place.still_active(UNITS):
        raise BackupFailed(f"{', '.join(active)} must be stopped first")
    kept = place.place(Places(), _staged(args.name), APP, _now(), place.run_program)
    sys.stdout.write(json.dumps({"kept": str(kept)}) + "\n")
    return 0


def _nightly(args: argparse.Namespace) -> int:
    chosen, places = settings.read(sections(args.settings).get("backup", {})), Places()
    if not chosen.target:
        sys.stdout.write("no target is set\n")
        return 0
    if not args.now and not nightly.is_due(nightly.status(places.own), chosen.hour, _now()):
        return 0
    key = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / "backup_key"
    try:
        word = nightly.send(chosen, places.own, key, _night(args.settings, chosen.recipients), _now)
    except (BackupFailed, OSError) as error:
        sys.stderr.write(printable(f"no backup of this night is at the target: {error}") + "\n")
        return REPORTED
    sys.stdout.write(printable(f"{word.name} is at the target, {word.size} bytes") + "\n")
    return 0


@contextmanager
def _night(file: Path, recipients: tuple[str, ...]) -> Iterator[nightly.Night]:
    places, now = Places(), _now()
    with _copy(file) as copy:
        origin = _origin(now)

        def write(out: IO[bytes]) -> None:
            make.make(places, origin, copy, recipients, out)

        held = look(places, APP)["parts"]
        size = sum(part["bytes"] for part in held.values())
        yield nightly.Night(f"jada-{origin.host}-{now:%Y%m%dT%H%M%SZ}.age", size, write)


@contextmanager
def _copy(file: Path) -> Iterator[Path]:
    path = sections(file).get("dashboard", {}).get("socket")
    Places().own.mkdir(mode=0o755, exist_ok=True)
    with make.queue_copy(Places(), f"unix:{path}" if path else QUEUE_URL, APP) as copy:
        yield copy


def _origin(now: datetime) -> Origin:
    paused = (HOME / "paused/jada-agent.service").exists()
    release = APP.parent.resolve().name
    return Origin(socket.gethostname(), release, stamp(now), paused, called(), table(Places()))


def _staged(name: str) -> Path:
    if not name.isalnum():
        raise Invalid("name", "must be letters and digits")
    return Places().restores / name


def _now() -> datetime:
    return datetime.now(UTC)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backup", description="A host's backup, and the way back.")
    parser.add_argument("--settings", type=Path, default=Path("/etc/jada/jada.toml"), help="(default: %(default)s)")
    acts = parser.add_subparsers(required=True, metavar="ACT")
    acts.add_parser("look", help="say what is here").set_defaults(act=_look)
    making = acts.add_parser("make", help="write a backup to standard output, encrypted")
    making.add_argument("--recipient", action="append", default=[], help="a public key, age1…; the settings' without")
    making.set_defaults(act=_make)
    for word, act, meaning in (
        ("receive", _receive, "lay out the archive on standard input"),
        ("place", _place, "put what was laid out in place"),
    ):
        one = acts.add_parser(word, help=meaning)
        one.add_argument("name", help="under which it is laid out")
        one.set_defaults(act=act)
    night = acts.add_parser("nightly", help="send a backup to the target, once after its hour")
    night.add_argument("--now", action="store_true", help="whatever the hour")
    night.set_defaults(act=_nightly)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
