"""What the operator sets for the sync: the section [sync] of jada.<stack>.toml."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from wire.values import Invalid, rule, section

KEY = "id"
"""The field that names a booking, in the source and in the sheet."""
STATE = "sync_state"
"""The header of the column in which the sync marks the rows it keeps: ours, but no field of the source."""
GOOGLE_SHEETS = "https://sheets.googleapis.com/v4/spreadsheets"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret

_URL = r"https?://[^\s/]+(/\S*)?"
_DAY = r"(\d{4}-\d\d-\d\d)?"
_FIELDS = (
    *(KEY, "hotel", "room_type", "guest", "arrival", "departure", "nights"),
    *("adults", "children", "meal", "country", "channel", "status", "rate"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The section [sync]. `window_from` and `window_to` are ISO days of arrival, both inclusive; empty is open."""

    bookings_url: str = rule(pattern=_URL)
    spreadsheet_id: str = rule(pattern=r"[A-Za-z0-9_-]{1,100}")
    worksheet: str = rule(default="Bookings", longest=100, pattern=r".+")
    dashboard_url: str = rule(default="http://127.0.0.1:8765", pattern=_URL)
    sheets_url: str = rule(default=GOOGLE_SHEETS, pattern=_URL)
    token_url: str = rule(default=GOOGLE_TOKEN, pattern=_URL)
    columns: tuple[str, ...] = rule(default=_FIELDS, longest=100)
    dates: tuple[str, ...] = ("arrival", "departure")
    amounts: tuple[str, ...] = ("rate",)
    arrival: str = "arrival"
    edits: str = rule(default="keep", choices=("keep", "restore"))
    conflicts: str = rule(default="source", choices=("source", "sheet"))
    window_from: str = rule(default="", pattern=_DAY)
    window_to: str = rule(default="", pattern=_DAY)
    shrink_percent: int = rule(default=30, least=1, most=100)


def load(path: Path) -> Settings:
    """Read the section [sync] of a settings file; raises `Invalid`, which names the key or the file."""
    settings = section(Settings, path, "sync")
    _require_valid_columns(settings)
    _require_valid_window(settings)
    if settings.conflicts == "sheet" and settings.edits == "restore":
        # A cell that won a conflict is an edit from then on: restoring it would undo the decision half an hour later.
        raise Invalid("sync.conflicts", 'can be "sheet" only where edits = "keep"')
    return settings


def _require_valid_columns(settings: Settings) -> None:
    known = settings.columns
    if KEY not in known or settings.arrival not in known:
        raise Invalid("sync.columns", f"must hold {KEY} and {settings.arrival}")
    if len(set(known)) < len(known):
        raise Invalid("sync.columns", "holds a name twice")
    if STATE in known:
        raise Invalid("sync.columns", f"can't hold {STATE}: the sync writes that column itself")
    for name in ("dates", "amounts"):
        if foreign := [column for column in getattr(settings, name) if column not in known]:
            raise Invalid(f"sync.{name}", f"{foreign[0]} is none of sync.columns")


def _require_valid_window(settings: Settings) -> None:
    for name in ("window_from", "window_to"):
        if text := getattr(settings, name):
            try:
                date.fromisoformat(text)
            except ValueError:
                raise Invalid(f"sync.{name}", f"is no day of the calendar: {text}") from None
    if settings.window_from and settings.window_to and settings.window_from > settings.window_to:
        raise Invalid("sync.window_to", f"must not be before window_from, {settings.window_from}")
