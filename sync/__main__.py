"""`python -m sync`: one run; its outcome goes to the journal, to the dashboard and into the exit code."""

import argparse
import json
import logging
import os
import signal
import sqlite3
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sync import away, credentials, report, sample
from sync.failure import SyncFailed
from sync.history import Busy, opened
from sync.run import Context, Done, preview, secret, sync
from sync.settings import STATE, Settings, load, read
from sync.source import read as source
from wire import log
from wire.client import Client
from wire.terminal import printable
from wire.values import Invalid

_log = logging.getLogger("sync")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once. Returns 0 only when the sheet was proven to be in step; or, with --dry-run, when the plan was printed.

    Anything else prints one line with its cause and its cure to stderr; 1 says that it was reported too.
    """
    options = _options(arguments)
    log.start("[port-sheet] %(message)s", sys.stdout)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry is a line of its own, and none says what failed
    # systemd sets it for LoadCredential=; by hand it is a folder with the same files.
    secrets = Path(os.environ.get("CREDENTIALS_DIRECTORY", "."))
    try:
        settings = (
            read(tomllib.load(sys.stdin.buffer).get("sync", {})) if _is_stdin(options) else load(options.settings)
        )
    except (Invalid, tomllib.TOMLDecodeError) as error:
        _print_failure(SyncFailed("settings_wrong", str(error), "correct it in jada.<stack>.toml, and deploy"))
        return os.EX_CONFIG
    if options.first:
        return _show_first(settings, secrets, options)
    if not settings.enabled:
        _log.info("the sync is not set up yet: sync.enabled = false")
        return 0
    started = _now()
    signal.signal(signal.SIGTERM, _stop)
    what = preview if options.dry_run else sync
    try:
        outcome = _attempt(what, settings, secrets, options.state)
    except Busy as busy:  # no outcome of its own: the other run reports
        return _print_failure(busy)
    if isinstance(outcome, Done):
        _print_done(outcome, settings, dry=options.dry_run)
    code = _print_failure(outcome) if isinstance(outcome, SyncFailed) else 0
    if not options.dry_run:
        _report(outcome, settings, secrets, started, away.Away(options.state / "dashboard-away", away.run_command))
    return code


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sync", description="Bring the booking sheet in step.")
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        help="jada.<stack>.toml, its section [sync] is read; - is standard input",
    )
    parser.add_argument("--state", type=Path, required=True, help="the folder of the sync's memory")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")
    parser.add_argument("--first", type=int, metavar="N", help="show the source's first records as they would land")
    parser.add_argument("--json", action="store_true", help="print JSON for a program instead of lines for a reader")
    return parser.parse_args(arguments)


def _is_stdin(options: argparse.Namespace) -> bool:
    return str(options.settings) == "-"


def _show_first(settings: Settings, secrets: Path, options: argparse.Namespace) -> int:
    outside = source.Outside(partial(secret, secrets), options.state)
    try:
        found = source.first(settings, outside, options.first)
    except SyncFailed as failed:
        return _print_failure(failed)
    samples = [sample.Sample(each, source.landed(settings, each, place)) for place, each in enumerate(found, start=1)]
    text = [json.dumps(sample.as_data(samples), indent=2)] if options.json else sample.lines(samples)
    for line in text:
        sys.stdout.write((line if options.json else printable(line)) + "\n")
    return 0 if all(each.fits for each in samples) else 1


def _attempt(what: Callable[[Context], Done], settings: Settings, secrets: Path, state: Path) -> Done | SyncFailed:
    try:
        with opened(state, (*settings.columns, STATE)) as history:
            try:
                return what(Context(settings, secrets, history, _now, time.sleep, state))
            except SyncFailed as failed:
                _log.info("the sheet was last proven to be in step at %s", history.last_success() or "no time we know")
                return failed
    # Not into the net below: it is no fault of the sync, and the other run reports.
    except Busy:
        raise
    except (sqlite3.Error, OSError) as error:
        cure = f"see that {state} is writable and not full; a damaged history.sqlite may be moved aside"
        return SyncFailed("memory_unusable", f"the sync's memory in {state} can't be used: {error}", cure)
    except Exception as error:  # noqa: BLE001 - no run fails silently: what was not foreseen is reported like the rest
        _log.exception("unforeseen")
        cause = f"the sync itself is at fault: {type(error).__name__}: {error}"
        return SyncFailed("sync_fault", cause, "report it with the lines above this one")


def _stop(_number: int, _frame: object) -> None:
    """End the run as a failure that is reported: systemd's time limit comes as SIGTERM, a while before SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cause = "the run was stopped from outside: by an operator, a shutdown, or the time limit of its unit"
    raise SyncFailed("stopped", cause, "see what it waited for in the lines above; the next run goes on from there")


def _print_failure(failed: SyncFailed) -> int:
    sys.stderr.write(printable(f"[port-sheet] {failed}") + "\n")
    return 1


def _print_done(done: Done, settings: Settings, *, dry: bool) -> None:
    for line in report.report_lines(done.plan, (*settings.columns, STATE)):
        _log.info("%s%s", "would be: " if dry else "", line)
    for line in report.aside_lines(done.aside):
        _log.warning("%s", printable(line))
    step = "nothing was written" if dry else "the sheet is in step, verified"
    _log.info("%d bookings; %s", done.bookings, step)


def _report(
    outcome: Done | SyncFailed, settings: Settings, secrets: Path, started: datetime, outage: away.Away
) -> None:
    try:
        dies_at = credentials.read(secrets / credentials.TOKEN_FILE, settings.token_url).dies_at
    except SyncFailed:
        # The report goes out without the date; why the token can't be read is in the outcome.
        dies_at = None
    try:
        client = Client(settings.dashboard_url, secret(secrets, "dashboard_token"))
    except SyncFailed as failed:
        _log.error("this run was not reported to the dashboard: %s", failed)
        return
    run = report.sync_run(outcome, (started, _now()), dies_at)
    if report.send(client, run):
        outage.back()
    # One that was stopped has no time left, and a host that shuts down stops the dashboard too.
    elif run.error != "stopped" and away.has_targets(secrets):
        time.sleep(settings.report_again_s)
        outage.back() if report.send(client, run) else outage.tell(run, _now())


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
