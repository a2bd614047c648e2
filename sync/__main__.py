"""`python -m sync`: one run; its outcome goes to the journal, to the disk, to the dashboard and into the exit code."""

import argparse
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from sync import away, changes, credentials, diff, report, sample, walls
from sync.failure import Exit, SyncFailed, memory_failure
from sync.held import Elsewhere, catch_up, holding
from sync.history import Busy, History, opened, require_memory
from sync.lease import Shared, holder
from sync.run import Context, Done, NotPrinted, Preview, preview, prove_writable, secret, sync
from sync.settings import STATE, Settings, read
from sync.source import read as source
from wire import called, log
from wire.addresses import needs_token
from wire.client import Client
from wire.settings_file import sections
from wire.terminal import printable
from wire.types import SyncRun
from wire.values import Invalid, dump


def utc_now() -> datetime:
    """Return the time of this host."""
    return datetime.now(UTC)


Found = TypeVar("Found")
_log = logging.getLogger("sync")


def main(arguments: Sequence[str] | None = None, now: Callable[[], datetime] = utc_now) -> int:
    """Run once. Returns 0 only when the sheet was proven to be in step, or another host has the sync; or, with
    --dry-run, when the plan was printed.

    Anything else prints one line with its cause and its cure to stderr; `Exit` says what each code means.
    """
    options = _options(arguments)
    options.now = now
    if user := walls.needed(options.state, os.environ, os.geteuid()):
        program = [sys.executable, "-m", "sync", *(sys.argv[1:] if arguments is None else arguments)]
        walls.enter(program, Path(__file__).resolve().parents[1], options.state, user)
    log.start("[port-sheet] %(message)s", sys.stderr if options.json else sys.stdout, through=(SyncFailed,))
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each retry is a line of its own, and none says what failed
    # systemd sets it for LoadCredential=; by hand it is a folder with the same files.
    secrets = Path(os.environ.get("CREDENTIALS_DIRECTORY", "."))
    try:
        settings, options.is_shared = _settings(options.settings)
    except (Invalid, tomllib.TOMLDecodeError) as error:
        wrong = SyncFailed("settings_wrong", str(error), "correct it in jada.<stack>.toml, and deploy")
        return _print_failure(wrong, options)
    if options.explain or options.looked:
        return _explain(options.explain, options) if options.explain else _close_strays(settings, secrets, options)
    if options.first or options.writable:
        return (_show_first if options.first else _prove_writable)(settings, secrets, options)
    if not settings.enabled:
        _log.info("the sync is not set up yet: sync.enabled = false")
        _report_off(settings, secrets, options.now())
        return 0
    signal.signal(signal.SIGTERM, _stop)
    if options.dry_run:
        return _show_plan(_attempt(preview, settings, secrets, options), settings, options)
    return _run(settings, secrets, options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sync", description="Bring the booking sheet in step.")
    parser.add_argument(
        "--settings",
        type=Path,
        default=walls.SETTINGS,
        help="jada.<stack>.toml, its section [sync] is read; - is standard input (default: %(default)s)",
    )
    parser.add_argument(
        "--state", type=Path, default=walls.STATE, help="the folder of the sync's memory (default: %(default)s)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="print all that would be written, and write nothing")
    what.add_argument("--plan", default="", metavar="ID", help="write only what a dry run printed under this name")
    what.add_argument("--explain", metavar="BOOKING", help="tell what happened to a booking, and when")
    what.add_argument("--looked", action="store_true", help="close what a failure sheet_stray told: someone has looked")
    what.add_argument("--first", type=int, metavar="N", help="show the source's first records as they would land")
    what.add_argument("--writable", action="store_true", help="prove that the sheet can be written, and change nothing")
    parser.add_argument("--json", action="store_true", help="print JSON for a program instead of lines for a reader")
    return parser.parse_args(arguments)


def _settings(path: Path) -> tuple[Settings, bool]:
    """Return the sync's settings, and whether other hosts may have the sync: where the queue is in a table."""
    found = tomllib.load(sys.stdin.buffer) if str(path) == "-" else sections(path)
    queue = found.get("dashboard", {})
    return read(found.get("sync", {})), bool(isinstance(queue, dict) and queue.get("table"))


def _run(settings: Settings, secrets: Path, options: argparse.Namespace) -> int:
    started = options.now()
    outcome = _attempt(sync, settings, secrets, options)
    if isinstance(outcome, Busy):  # no outcome of its own: the other run reports
        return _print_failure(outcome, options)
    if isinstance(outcome, NotPrinted):  # a mistyped name would raise an alarm, as if the sheet were out of step
        return _print_failure(outcome, options)
    if isinstance(outcome, Elsewhere) and options.plan:
        return _print_failure(outcome, options)  # it was asked to write, and wrote nothing
    if isinstance(outcome, Elsewhere):
        _log.info("%s; %s", outcome.cause, outcome.cure)
        _keep_report(report.elsewhere(started, options.now(), outcome), options)
        return Exit.IN_STEP
    code = outcome.exit if isinstance(outcome, SyncFailed) else Exit.IN_STEP
    outage = away.Away(options.state / "dashboard-away", away.run_command)
    try:
        _print_failure(outcome) if isinstance(outcome, SyncFailed) else _print_done(outcome, settings)
        reported = _report(outcome, settings, secrets, (started, options, outage))
    except SyncFailed:
        # The sheet is as it was proven to be: what was stopped only told of it.
        _log.error("stopped before this run was reported to the dashboard")
        reported = False
    return code if reported or code == Exit.IN_STEP else Exit.UNTOLD


def _attempt(
    what: Callable[[Context], Found], settings: Settings, secrets: Path, options: argparse.Namespace
) -> Found | SyncFailed:
    state = options.state
    try:
        with opened(state, (*settings.columns, STATE)) as history:
            context = Context(settings, secrets, history, options.now, time.sleep, state, options.plan)
            try:
                return _with_the_role(what, context, options)
            except Elsewhere as elsewhere:
                return elsewhere
            except SyncFailed as failed:
                _log.info("the sheet was last proven to be in step at %s", history.last_success() or "no time we know")
                return failed
    except SyncFailed as failed:  # Busy; or stopped at its end, between two of the above
        return failed
    except (sqlite3.Error, OSError) as error:
        return memory_failure(error, str(state))
    except Exception as error:  # noqa: BLE001 - no run fails silently: what was not foreseen is reported like the rest
        _log.exception("unforeseen")
        cause = f"the sync itself is at fault: {type(error).__name__}: {error}"
        return SyncFailed("sync_fault", cause, "report it with the lines above this one")


def _with_the_role(what: Callable[[Context], Found], context: Context, options: argparse.Namespace) -> Found:
    """Do it, with several hosts as the one that has the sync. What was settled is kept for readers in any case."""
    history = context.history

    def keep() -> None:
        _keep_changes(history, context.settings, context.state, options.now())

    with contextlib.ExitStack() as stack:
        if not options.is_shared and not history.was_shared:
            stack.callback(keep)
            return what(context)
        # Before another host's memory takes the place of this one: what a killed run left is nowhere else.
        keep()
        store = _shared(context.settings, context.secrets, context.state)
        if options.dry_run or not options.is_shared:
            # The latter: of several hosts this one remained, and the last run may have been another's.
            catch_up(store, history)
            stack.callback(keep)
            return what(context)
        held = stack.enter_context(holding(store, history, _boottime))
        stack.callback(keep)
        return what(replace(context, ready=held.ready))


def _shared(settings: Settings, secrets: Path, state: Path) -> Shared:
    # Few tries: a lease does not wait.
    return Shared(_dashboard(settings, secrets, retries=1), holder(state))


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _keep_changes(history: History, settings: Settings, state: Path, at: datetime) -> None:
    """Move what was settled into the history of changes, also after a failure: some of it may have been written."""
    found = history.settled_changes()
    if _keep(lambda: changes.append(state, changes.entries(found, (*settings.columns, STATE), at))):
        history.forget_changes()
    findings = history.findings()
    if _keep(lambda: changes.append(state, (changes.of_finding(each, at) for at, each in findings))):
        history.forget_findings()


def _stop(_number: int, _frame: object) -> None:
    """End the run as a failure that is reported: systemd's time limit comes as SIGTERM, a while before SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cause = "the run was stopped from outside: by an operator, a shutdown, or the time limit of its unit"
    raise SyncFailed("stopped", cause, "see what it waited for in the lines above; the next run goes on from there")


def _show_plan(found: Preview | SyncFailed, settings: Settings, options: argparse.Namespace) -> int:
    if isinstance(found, SyncFailed):
        return _print_failure(found, options)
    columns = (*settings.columns, STATE)
    if options.json:
        data = diff.as_data(found.plan, found.rows, columns)
        data |= {"restores": diff.restored(found.restores), "set_aside": [str(each) for each in found.aside]}
        _print([json.dumps(data, indent=2)])
        return 0
    _print(map(printable, diff.restore_lines(found.restores)))
    _print(map(printable, diff.lines(found.plan, found.rows, columns)))
    _print(map(printable, report.aside_lines(found.aside)))
    _log.info("%d bookings; nothing was written%s", found.bookings, _how_to_apply(found))
    return 0


def _how_to_apply(found: Preview) -> str:
    if found.restores:
        return "; a run without --plan puts right what is in a wrong place, and writes the rest"
    if not found.plan.writes:
        return ""
    return f"; to write exactly this, put --plan {diff.plan_id(found.plan)} in place of --dry-run"


def _show_first(settings: Settings, secrets: Path, options: argparse.Namespace) -> int:
    outside = source.Outside(partial(secret, secrets), options.state)
    try:
        found = source.first(settings, outside, options.first)
    except SyncFailed as failed:
        return _print_failure(failed, options)
    samples = [sample.Sample(each, source.landed(settings, each, place)) for place, each in enumerate(found, start=1)]
    _print([json.dumps(sample.as_data(samples), indent=2)] if options.json else map(printable, sample.lines(samples)))
    return 0 if all(each.fits for each in samples) else 1


def _prove_writable(settings: Settings, secrets: Path, options: argparse.Namespace) -> int:
    try:
        prove_writable(settings, secrets, options.now(), time.sleep)
    except SyncFailed as failed:
        return _print_failure(failed, options)
    if options.json:
        _print([json.dumps({"writable": settings.worksheet})])
        return 0
    _print([printable(f"the tab {settings.worksheet} was copied and the copy deleted in one call: it can be written")])
    return 0


def _close_strays(settings: Settings, secrets: Path, options: argparse.Namespace) -> int:
    state: Path = options.state
    try:
        # Opening makes what is not there, and of a memory that is new nothing would be open.
        require_memory(state)
        with contextlib.ExitStack() as stack:
            history = stack.enter_context(opened(state, (*settings.columns, STATE)))
            if options.is_shared:
                stack.enter_context(holding(_shared(settings, secrets, state), history, _boottime))
            strays = history.strays()
            history.close_strays(strays, [], utc_now())
    except SyncFailed as failed:
        return _print_failure(failed, options)
    except (sqlite3.Error, OSError) as error:
        return _print_failure(memory_failure(error, str(state)), options)
    if options.json:
        _print([json.dumps({"closed": [str(stray) for stray in strays.values()]}, indent=2)])
        return 0
    _print(printable(f"closed: {stray}") for stray in strays.values())
    cells = "1 cell" if len(strays) == 1 else f"{len(strays)} cells"
    _log.info("%s", f"{cells} closed; the next run looks for them no more" if strays else "nothing was open")
    return 0


def _explain(booking: str, options: argparse.Namespace) -> int:
    if options.json:
        entries = list(changes.story(options.state, booking))
        _print([json.dumps(entries, indent=2)])
        return 0 if entries else 1
    reported = False
    for entry in changes.story(options.state, booking):
        reported = True
        _print(printable(line) for line in changes.said(entry).split("\n"))
    if not reported:
        _print([printable(f"nothing is known of booking {booking}: it never changed while changes were kept")])
    return 0 if reported else 1


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


def _print_failure(failed: SyncFailed, options: argparse.Namespace | None = None) -> int:
    """Print a failure; for a program too, where its report does not go there by itself."""
    sys.stderr.write(printable(f"[port-sheet] {failed}") + "\n")
    if options and options.json:
        _print([json.dumps({"error": failed.kind, "cause": failed.cause, "cure": failed.cure})])
    return failed.exit


def _keep_report(run: SyncRun, options: argparse.Namespace) -> None:
    if options.json:
        _print([dump(run).decode()])
    _keep(lambda: report.write(options.state, run))


def _print_done(done: Done, settings: Settings) -> None:
    for line in report.report_lines(done.plan, (*settings.columns, STATE)):
        _log.info("%s", printable(line))
    for line in report.aside_lines(done.aside):
        _log.warning("%s", printable(line))
    _log.info("%d bookings; the sheet is in step, verified", done.bookings)


def _report(
    outcome: Done | SyncFailed, settings: Settings, secrets: Path, where: tuple[datetime, argparse.Namespace, away.Away]
) -> bool:
    """Report to the disk and to the dashboard, or past it; return whether anybody was told."""
    started, options, outage = where
    state, now = options.state, options.now
    run = report.sync_run(outcome, (started, now()), _dies_at(settings, secrets))
    if options.is_shared and run.cause:
        run = replace(run, cause=f"on {called.called() or socket.gethostname()}: {run.cause}")
    if isinstance(outcome, Done):
        met = changes.met(outcome.plan, outcome.aside, (*settings.columns, STATE), now())
        _keep(lambda: changes.append(state, met))
    _keep_report(run, options)
    try:
        client = _dashboard(settings, secrets)
    except SyncFailed as failed:
        _log.error("this run was not reported to the dashboard: %s", failed)
        return False
    if report.send(client, run):
        outage.back()
        return True
    # One that was stopped has no time left, and a host that shuts down stops the dashboard too.
    if run.error == "stopped" or not away.has_targets(secrets):
        return False
    time.sleep(settings.report_again_s)
    if report.send(client, run):
        outage.back()
        return True
    return outage.tell(run, now())


def _dashboard(settings: Settings, secrets: Path, *, retries: int = 3) -> Client:
    url = settings.dashboard_url
    return Client(url, secret(secrets, "dashboard_token") if needs_token(url) else None, retries=retries)


def _report_off(settings: Settings, secrets: Path, at: datetime) -> None:
    try:
        report.send(_dashboard(settings, secrets), report.off(at))
    except SyncFailed as failed:
        _log.error("this run was not reported to the dashboard: %s", failed)


def _keep(write: Callable[[], None]) -> bool:
    """Write what is kept for readers; return whether it is. A full disk is no reason to tell the dashboard nothing."""
    try:
        write()
    except OSError as error:
        _log.error("the report can't be kept on disk: %s", error)
        return False
    return True


def _dies_at(settings: Settings, secrets: Path) -> datetime | None:
    try:
        return credentials.read(secrets / credentials.TOKEN_FILE, settings.token_url).dies_at
    except SyncFailed:
        # The report goes out without the date; why the token can't be read is in the outcome.
        return None


if __name__ == "__main__":
    # A run ends soon and leaves no rings: a fifth of its time went into looking for them among its cells.
    gc.disable()
    code = main()
    gc.freeze()  # the interpreter's end looks for them all the same
    sys.exit(code)
