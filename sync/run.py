"""One run of the sync, as its steps: source, plan, apply, verify, and what is kept for the next run."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sync import credentials, plan
from sync.api import Api
from sync.converge import Converge, Outside
from sync.failure import SyncFailed
from sync.history import History
from sync.plan import Base, Cells, Plan
from sync.settings import Settings
from sync.sheet import Sheet
from sync.source import Source, require_plausible_size
from wire.secret import Secret


def _random_id() -> int:
    """An id of a tab that none has: Google's are of 31 bits, too."""
    return secrets.randbelow(2**31 - 1) + 1


@dataclass(frozen=True, slots=True)
class Context:
    """What a run has of the outside: settings, the folder of secrets, its memory, the time, and how to wait."""

    settings: Settings
    secrets: Path
    history: History
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    new_id: Callable[[], int] = _random_id


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, or would do: the plan it began with, and how many bookings the source has."""

    plan: Plan
    bookings: int


def sync(context: Context) -> Done:
    """Bring the sheet in step and prove it. Raises `SyncFailed`; the next run goes on from what was written."""
    source, sheet, token = _sides(context)
    # At once: a later failure of this run says nothing against the token.
    context.history.token_worked(token.fingerprint, context.now())
    work = _converge(context, sheet)

    def check(found: Plan, base: Base) -> None:
        _require_plausible(context.settings, source, found, base)

    return Done(work.run(source, check), len(source))


def preview(context: Context) -> Done:
    """Return what `sync` would do first, and write nothing anywhere. Raises `SyncFailed`."""
    source, sheet, _ = _sides(context)
    base, policy = context.history.base(), _policy(context.settings)
    found = plan.diff(source, _converge(context, sheet).read().rows, base, policy)
    _require_plausible(context.settings, source, found, base)
    return Done(found, len(source))


def secret(folder: Path, name: str) -> Secret:
    """Read one secret. Raises `SyncFailed`."""
    try:
        return Secret((folder / name).read_text(encoding="utf-8").rstrip("\n"))
    except (OSError, ValueError) as error:
        cure = f"put it in place with `fab secrets`; the unit hands it over by LoadCredential={name}"
        raise SyncFailed(
            "credential_missing", f"the secret {name} can't be read ({type(error).__name__})", cure
        ) from None


def _sides(context: Context) -> tuple[Mapping[str, Cells], Sheet, credentials.Token]:
    settings = context.settings
    token = credentials.read(context.secrets / credentials.TOKEN_FILE, settings.token_url)
    source = Source(settings, secret(context.secrets, "bookings_token")).read()
    access = credentials.refresh(token, context.history.token_last_ok(token.fingerprint), context.now())
    return source, Sheet(Api(settings, access), settings), token


def _converge(context: Context, sheet: Sheet) -> Converge:
    outside = Outside(context.now, context.pause, context.new_id)
    return Converge(sheet, context.history, _policy(context.settings), context.settings, outside)


def _policy(settings: Settings) -> plan.Policy:
    return plan.Policy(
        arrival=settings.columns.index(settings.arrival),
        restore_edits=settings.edits == "restore",
        sheet_wins=settings.conflicts == "sheet",
        window=(settings.window_from, settings.window_to),
    )


def _require_plausible(settings: Settings, source: Mapping[str, Cells], found: Plan, base: Base) -> None:
    lost = plan.lost(source, found, base, _policy(settings))
    require_plausible_size(len(source), lost, settings.shrink_percent)
