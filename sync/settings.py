"""What the operator sets for the sync: the section [sync] of jada.<stack>.toml."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from wire.settings_file import Url
from wire.values import Invalid, Value

KEY = "id"
"""The field that names a booking, in the source and in the sheet."""
STATE = "sync_state"
"""The header of the column in which the sync marks the rows it keeps: ours, but no field of the source."""
GOOGLE_SHEETS = "https://sheets.googleapis.com/v4/spreadsheets"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret

_Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\d)?\Z", description="a day like 2026-05-13, or empty")]
_FIELDS = (
    *(KEY, "hotel", "room_type", "guest", "arrival", "departure", "nights"),
    *("adults", "children", "meal", "country", "channel", "status", "rate"),
)


class Settings(Value, frozen=True, kw_only=True):
    """The section [sync]. `window_from` and `window_to` are ISO days of arrival, both inclusive; empty is open."""

    bookings_url: Url
    spreadsheet_id: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]{1,100}\Z", description="the id in the sheet's address")
    ]
    worksheet: Annotated[str, Meta(max_length=100, pattern=r"^.+\Z", description="a tab's name")] = "Bookings"
    dashboard_url: Url = "http://127.0.0.1:8765"
    sheets_url: Url = GOOGLE_SHEETS
    token_url: Url = GOOGLE_TOKEN
    columns: Annotated[tuple[str, ...], Meta(max_length=100)] = _FIELDS
    dates: tuple[str, ...] = ("arrival", "departure")
    amounts: tuple[str, ...] = ("rate",)
    arrival: str = "arrival"
    edits: Literal["keep", "restore"] = "keep"
    conflicts: Literal["source", "sheet"] = "source"
    window_from: _Day = ""
    window_to: _Day = ""
    shrink_percent: Annotated[int, Meta(ge=1, le=100)] = 30


def _require_valid_columns(settings: Settings) -> None:
    known = settings.columns
    if KEY not in known or settings.arrival not in known:
        raise Invalid("columns", f"must hold {KEY} and {settings.arrival}")
    if len(set(known)) < len(known):
        raise Invalid("columns", "holds a name twice")
    if STATE in known:
        raise Invalid("columns", f"can't hold {STATE}: the sync writes that column itself")
    for name in ("dates", "amounts"):
        if foreign := [column for column in getattr(settings, name) if column not in known]:
            raise Invalid(name, f"{foreign[0]} is none of columns")


def _require_valid_window(settings: Settings) -> None:
    for name in ("window_from", "window_to"):
        if text := getattr(settings, name):
            try:
                date.fromisoformat(text)
            except ValueError:
                raise Invalid(name, f"is no day of the calendar: {text}") from None
    if settings.window_from and settings.window_to and settings.window_from > settings.window_to:
        raise Invalid("window_to", f"must not be before window_from, {settings.window_from}")
