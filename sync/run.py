"""One run of the sync, as its steps: source, plan, apply, verify, and what is kept for the next run."""

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sync import credentials, plan
from sync.failure import SyncFailed
from sync.history import History
from sync.plan import Base, Plan
from sync.settings import STATE, Settings
from sync.sheet import Sheet, Table
from sync.source import read as source
from sync.source.bookings import Aside, Bookings, require_plausible_size
from wire.secret import Secret

_ROUNDS = 4
"""Readings of the sheet in one run: the last of them must find nothing left to write."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What a run has of the outside: settings, secrets' folder, its memory and folder, the time, and how to wait."""

    settings: Settings
    secrets: Path
    history: History
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    state: Path = Path()


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, or would do: the plan it began with, how many bookings the source has, and what was set aside."""

    plan: Plan
    bookings: int
    aside: tuple[Aside, ...] = ()


def sync(context: Context) -> Done:
    """Bring the sheet in step and prove it. Raises `SyncFailed`; the next run goes on from what was written."""
    bookings, sheet, token = _sides(context)
    # At once: a later failure of this run says nothing against the token.
    context.history.token_worked(token.fingerprint, context.now())
    base = context.history.base()
    first, settled = _converge(context, bookings, sheet, base)
    # Only what a reading verified: with a base ahead of the sheet, lost writes would pass for users' edits.
    context.history.settle(base, settled, context.now())
    return Done(first, len(bookings), bookings.aside)


def preview(context: Context) -> Done:
    """Return what `sync` would do first, and write nothing anywhere. Raises `SyncFailed`."""
    bookings, sheet, _ = _sides(context)
    found = _compare(context.settings, bookings, sheet.read(), context.history.base())
    return Done(found, len(bookings), bookings.aside)


def secret(folder: Path, name: str) -> Secret:
    """Read one secret. Raises `SyncFailed`."""
    try:
        return Secret((folder / name).read_text(encoding="utf-8").rstrip("\n"))
    except (OSError, ValueError) as error:
        cure = f"put it in place with `fab secrets`; the unit hands it over by LoadCredential={name}"
        raise SyncFailed(
            "credential_missing", f"the secret {name} can't be read ({type(error).__name__})", cure
        ) from None


def _sides(context: Context) -> tuple[Bookings, Sheet, credentials.Token]:
    settings = context.settings
    token = credentials.read(context.secrets / credentials.TOKEN_FILE, settings.token_url)
    bookings = source.read(settings, source.Outside(partial(secret, context.secrets), context.state))
    access = credentials.refresh(token, context.history.token_last_ok(token.fingerprint), context.now())
    return bookings, Sheet(settings, access), token


def _converge(context: Context, bookings: Bookings, sheet: Sheet, base: Base) -> tuple[Plan, Base]:
    """Read, compare, write, until a reading finds nothing left to write: that one verifies.

    After an error it is unknown what was written, so the next round begins by reading, too.
    """
    plans: list[Plan] = []
    tables: list[Table] = []
    for turn in range(_ROUNDS):
        try:
            tables.append(sheet.read())
            found = _compare(context.settings, bookings, tables[-1], base)
            plans.append(_repaired(found, plans, tables))
            if not plans[-1].writes:
                return plans[0], plans[-1].settled
            sheet.write(tables[-1], plans[-1].added.values(), plans[-1].changes)
        except SyncFailed as failed:
            if not failed.wait_s or turn == _ROUNDS - 1:
                raise
            _log.warning("%s; trying again", failed)
            context.pause(failed.wait_s * 2**turn)
    raise _not_verified(plans[-1], tables[-1], context.settings)


def _compare(settings: Settings, bookings: Bookings, table: Table, base: Base) -> Plan:
    # A record without an id may be any booking: then none is gone, as if no day were in the window.
    window = (settings.window_from, settings.window_to) if bookings.is_whole else ("9999-12-31", "0001-01-01")
    live = bookings.standing_in(table.rows, base)
    policy = plan.Policy(
        arrival=settings.columns.index(settings.arrival),
        restore_edits=settings.edits == "restore",
        sheet_wins=settings.conflicts == "sheet",
        window=window,
    )
    found = plan.diff(live, table.rows, base, policy)
    # The system said of the cancelled ones itself that they are gone.
    told = {**live, **dict.fromkeys(bookings.cancelled, ())}
    require_plausible_size(len(live), plan.lost(told, found, base, policy), settings.shrink_percent)
    return found


def _repaired(found: Plan, plans: list[Plan], tables: list[Table]) -> Plan:
    """Add what undoes the last round's writes that hit rows which people had moved meanwhile."""
    if not plans:
        return found
    if tables[-2].places not in ((), tables[-1].places):
        keys = ", ".join(change.key for change in plans[-1].changes[:20])
        cause = f"a user moved columns of the sheet while the sync wrote to the rows of {keys}"
        raise SyncFailed(
            "sheet_moved", cause, "compare these rows with File > Version history, and put right what is wrong"
        )
    repairs = plan.misplaced(plans[-1], tables[-2].rows, tables[-1].rows)
    return dataclasses.replace(found, changes=(*repairs, *found.changes))


def _not_verified(wanted: Plan, table: Table, settings: Settings) -> SyncFailed:
    columns = (*settings.columns, STATE)
    if wanted.changes:
        change = wanted.changes[0]
        place, cell = next(iter(change.cells.items()))
        seen = {row.number: row.cells for row in table.rows}[change.number][place]
        what = f"booking {change.key}, {columns[place]}: wrote {cell!r}, reads {seen!r}"
    else:
        what = f"booking {next(iter(wanted.added))} is not there"
    cause = f"the sheet does not keep what is written to it, or a user edits it all the time ({what})"
    return SyncFailed("sheet_not_verified", cause, "look at that cell: a script or a formula of the sheet may own it")
