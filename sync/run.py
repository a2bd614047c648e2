"""One run of the sync, as its steps: source, plan, apply, verify, and what is kept for the next run."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from sync import credentials, diff, plan
from sync.api import Api
from sync.batch import Target
from sync.converge import Converge, Outside
from sync.failure import SyncFailed
from sync.history import History
from sync.plan import Base, Plan, Row
from sync.settings import Settings
from sync.sheet import Sheet
from sync.source import read as source
from sync.source.bookings import Aside, Bookings, require_plausible_size
from wire.secret import Secret

Compare = Callable[[Sequence[Row], Base], Plan]


def _random_id() -> int:
    """An id of a tab that none has: Google's are of 31 bits, too."""
    return secrets.randbelow(2**31 - 1) + 1


class Context(msgspec.Struct, frozen=True):
    """What a run has of the outside: settings, secrets' folder, its memory and folder, the time, and how to wait."""

    settings: Settings
    secrets: Path
    history: History
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    state: Path = Path()
    expected: str = ""
    """The name of the plan that a dry run printed, if only that may be written."""
    ready: Callable[[str], None] | None = None
    """What must be so before each call of the spreadsheet, by its path: with several hosts, the sync's lease."""
    new_id: Callable[[], int] = _random_id


class Done(msgspec.Struct, frozen=True):
    """What a run did, or would do: the plan it began with, how many bookings the source has, and what was set aside."""

    plan: Plan
    bookings: int
    aside: tuple[Aside, ...] = ()


class Preview(Done, frozen=True):
    """What a run would do, the rows of the sheet that it would do it to, and what it would put right before."""

    rows: tuple[Row, ...] = ()
    restores: tuple[Target, ...] = ()


def sync(context: Context) -> Done:
    """Bring the sheet in step and prove it. Raises `SyncFailed`; the next run goes on from what was written."""
    bookings, sheet, token = _sides(context)
    # At once: a later failure of this run says nothing against the token.
    context.history.token_worked(token.fingerprint, context.now())
    compare: Compare = partial(_compare, context.settings, bookings)
    if context.expected:
        compare = printed_only(context.expected, compare)
    work = _converge(context, sheet)
    done = work.run(compare, bookings.cells.keys(), planned_only=bool(context.expected))
    return Done(done, len(bookings), bookings.aside)


def preview(context: Context) -> Preview:
    """Return what `sync` would do first, and write nothing anywhere. Raises `SyncFailed`."""
    bookings, sheet, _ = _sides(context)
    work = _converge(context, sheet)
    table = work.read()
    found = _compare(context.settings, bookings, table.rows, context.history.base())
    return Preview(found, len(bookings), bookings.aside, table.rows, work.restores(table))


def prove_writable(settings: Settings, secrets_folder: Path, now: datetime, pause: Callable[[float], None]) -> None:
    """Carry out in the sheet what begins each write, and take it back in the same call. Raises `SyncFailed`."""
    token = credentials.read(secrets_folder / credentials.TOKEN_FILE, settings.token_url)
    sheet = Sheet(Api(settings, credentials.refresh(token, None, now, pause)), settings)
    require_writable(sheet, settings.spreadsheet_id, _random_id())


def require_writable(sheet: Sheet, spreadsheet: str, copy: int) -> None:
    """Raise `SyncFailed` for a sheet whose tab is missing, protected, or can't be copied; nothing of the copy stays."""
    shape = sheet.shape()
    tab = shape.require_tab(sheet.worksheet, spreadsheet)
    shape.require_unprotected(tab)
    sheet.touch(tab, copy)


def secret(folder: Path, name: str) -> Secret:
    """Read one secret; an empty one is missing. Raises `SyncFailed`."""
    try:
        text = (folder / name).read_text(encoding="utf-8").strip()
        why = "is empty"
    except (OSError, ValueError) as error:
        text, why = "", f"can't be read ({type(error).__name__})"
    if not text:
        cure = f"put it in place with `fab secrets`; the unit hands it over by LoadCredential={name}"
        raise SyncFailed("credential_missing", f"the secret {name} {why}", cure)
    return Secret(text)


def _sides(context: Context) -> tuple[Bookings, Sheet, credentials.Token]:
    settings = context.settings
    token = credentials.read(context.secrets / credentials.TOKEN_FILE, settings.token_url)
    bookings = source.read(settings, source.Outside(partial(secret, context.secrets), context.state))
    last_ok = context.history.token_last_ok(token.fingerprint)
    access = credentials.refresh(token, last_ok, context.now(), context.pause)
    return bookings, Sheet(Api(settings, access, context.ready), settings), token


def _converge(context: Context, sheet: Sheet) -> Converge:
    outside = Outside(context.now, context.pause, context.new_id, is_shared=context.ready is not None)
    return Converge(sheet, context.history, outside, context.settings)


class NotPrinted(SyncFailed):
    """What a user had printed is not what would be written: nothing was, and it says nothing of the sheet."""


def printed_only(name: str, compare: Compare) -> Compare:
    """Return what plans as `compare` does, and refuses to write anything but the plan that was printed by this name:
    also in later rounds, when users have changed more. Raises `SyncFailed`.
    """
    printed: list[Plan] = []

    def compared(rows: Sequence[Row], base: Base) -> Plan:
        found = compare(rows, base)
        if not printed:
            if (now := diff.plan_id(found)) != name:
                cause = f"what would be written now ({now}) is not what was printed ({name}): nothing was written"
                raise NotPrinted("plan_changed", cause, "have it printed again (`fab sync-plan`), and apply that")
            printed.append(found)
        elif more := diff.beyond(found, printed[0]):
            cause = f"users changed the sheet meanwhile: {more} was not printed, and is not written; what was, may be"
            raise SyncFailed("plan_changed", cause, "look again with --dry-run; the next run by itself writes all")
        return found

    return compared


def _compare(settings: Settings, bookings: Bookings, rows: Sequence[Row], base: Base) -> Plan:
    # A record without an id may be any booking: then none is gone, as if no day were in the window.
    window = (settings.window_from, settings.window_to) if bookings.is_whole else ("9999-12-31", "0001-01-01")
    live = bookings.standing_in(rows, base)
    policy = plan.Policy(
        arrival=settings.columns.index(settings.arrival),
        restore_edits=settings.edits == "restore",
        sheet_wins=settings.conflicts == "sheet",
        window=window,
    )
    found = plan.diff(live, rows, base, policy)
    # The system said of the cancelled ones itself that they are gone.
    accounted_for = {**live, **dict.fromkeys(bookings.cancelled, ())}
    require_plausible_size(len(live), plan.lost(accounted_for, found, base, policy), settings.shrink_percent)
    return found
