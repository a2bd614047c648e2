"""What the operator sets for the sync: the section [sync] of jada.<stack>.toml."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sync.source_settings import KINDS, ROW, Field, File, Http, Paging, Source, Window
from wire.addresses import QUEUE, QueueUrl, Url
from wire.values import Invalid, Value, decode

KEY = "id"
"""The column that names a booking."""
STATE = "sync_state"
"""The header of the column in which the sync marks the rows it keeps: ours, but no field of the source."""
GOOGLE_SHEETS = "https://sheets.googleapis.com/v4/spreadsheets"
GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret

_Day = Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\d)?\Z", description="a day like 2026-05-13, or empty")]
_FIELDS = (
    *(KEY, "hotel", "room_type", "guest", "arrival", "departure", "nights"),
    *("adults", "children", "meal", "country", "channel", "status", "rate"),
)
_SHORT = ("columns", "dates", "amounts")
"""What says the fields in short, where each column is named like its field: not beside a table [sync.fields]."""


class Settings(Value, frozen=True, kw_only=True, dict=True):
    """The section [sync]. `window_from` and `window_to` are ISO days of arrival, both inclusive; empty is open."""

    enabled: bool = True
    spreadsheet_id: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]{0,100}\Z", description="the id in the sheet's address")
    ] = ""
    worksheet: Annotated[str, Meta(max_length=100, pattern=r"^.+\Z", description="a tab's name")] = "Bookings"
    bookings_url: Url | None = None
    source: Source | None = None
    fields: dict[str, Field] = msgspec.field(default_factory=dict)
    dashboard_url: QueueUrl = QUEUE
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
    report_again_s: Annotated[int, Meta(ge=0, le=300)] = 30

    @cached_property
    def table(self) -> Mapping[str, Field]:
        """The columns with their fields: [sync.fields], or each column from the field of its name."""
        if self.fields:
            return self.fields
        kinds: dict[str, Any] = dict.fromkeys(self.dates, "date") | dict.fromkeys(self.amounts, "money")
        return {name: Field(path=name, type=kinds.get(name, "plain")) for name in self.columns}

    @cached_property
    def origin(self) -> Source:
        """The booking system: [sync.source], or the API that `bookings_url` alone stands for."""
        if self.source:
            return self.source
        return Http(
            url=f"{(self.bookings_url or '').rstrip('/')}/v1/bookings",
            records="bookings",
            paging=Paging(kind="cursor", param="cursor", next="next", total="total", size_param="limit", size=1000),
            window=Window(from_param="from", to_param="to"),
        )


def read(section: Any) -> Settings:
    """Make the settings of a section's plain data; raises `Invalid`, which names the key."""
    tables = isinstance(section, dict) and section.keys() & {"source", "fields"}
    plain = {key: value for key, value in section.items() if key not in tables} if tables else section
    settings = decode(Settings, plain, "sync")
    if "fields" in section:
        if short := [name for name in _SHORT if name in section]:
            raise Invalid(f"sync.{short[0]}", "can't be beside [sync.fields], which says it all: take it out")
        settings = _with_fields(settings, section["fields"])
    if "source" in section:
        if settings.bookings_url:
            raise Invalid("sync.bookings_url", "can't be beside [sync.source]: its url says it, take this one out")
        settings = replace(settings, source=_source(section["source"]))
    _require_complete(settings)
    _require_valid_columns(settings)
    _require_valid_window(settings)
    if settings.conflicts == "sheet" and settings.edits == "restore":
        # A cell that won a conflict is an edit from then on: restoring it would undo the decision half an hour later.
        raise Invalid("sync.conflicts", 'can be "sheet" only where edits = "keep"')
    return settings


def _with_fields(settings: Settings, table: Any) -> Settings:
    if not isinstance(table, dict) or not table:
        raise Invalid("sync.fields", 'must be a table of columns, as in id = "number"')
    fields = {name: _field(name, each) for name, each in table.items()}
    return replace(
        settings,
        fields=fields,
        columns=tuple(fields),
        dates=tuple(name for name, field in fields.items() if field.type == "date"),
        amounts=tuple(name for name, field in fields.items() if field.type == "money"),
    )


def _field(name: str, given: Any) -> Field:
    """Read one line of the table; a text or a list by itself is the path."""
    where = f"sync.fields.{name}"
    field = decode(Field, given if isinstance(given, dict) else {"path": given}, where)
    if field.zone:
        try:
            ZoneInfo(field.zone)
        except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
            raise Invalid(f"{where}.zone", f"is no time zone: {field.zone}; give one like Europe/Lisbon") from None
        except KeyError:
            raise Invalid(f"{where}.zone", f"is no time zone: {field.zone}; give one like Europe/Lisbon") from None
    if field.format != "iso" and field.type not in ("date", "instant"):
        raise Invalid(f"{where}.format", "is for the types date and instant only")
    if field.format not in ("iso", "epoch", "epoch_ms") and "%" not in field.format:
        raise Invalid(f"{where}.format", f'must be iso, epoch, epoch_ms or like "%d/%m/%Y", not {field.format!r}')
    if field.format.startswith("epoch") and field.type == "date" and not field.zone:
        raise Invalid(f"{where}.zone", "is needed: the day of an instant depends on the time zone")
    if field.scale and field.type != "money":
        raise Invalid(f"{where}.scale", "is for the type money only")
    return field


def _source(data: Any) -> Source:
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind not in KINDS:
        raise Invalid("sync.source.kind", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    source: Source = decode(KINDS[kind], data, "sync.source")
    if isinstance(source, Http):
        _require_valid_paging(source.paging)
        _require_valid_body(source)
        if source.header_value and "{secret}" not in source.header_value:
            raise Invalid("sync.source.header_value", 'must have {secret} where the secret goes, or be ""')
    return source


def _require_valid_body(source: Http) -> None:
    """Refuse names of which one is a value and another stands inside it: no JSON can be both."""
    own = (source.paging.param, source.paging.size_param, source.window.from_param, source.window.to_param)
    names = {*source.parameters, *filter(None, own)} if source.in_body else set()
    for name in sorted(names):
        if inside := [other for other in names if other.startswith(f"{name}.")]:
            raise Invalid("sync.source.parameters", f"{name} can't be a value and hold {min(inside)}")


def _require_valid_paging(paging: Paging) -> None:
    needed = {"page": ("param",), "offset": ("param", "size_param"), "cursor": ("param", "next"), "next_url": ("next",)}
    for name in needed.get(paging.kind, ()):
        if not getattr(paging, name):
            raise Invalid(f"sync.source.paging.{name}", f"is needed for the paging {paging.kind}")


def _require_complete(settings: Settings) -> None:
    """Refuse what is lacking, unless the sync is not set up yet."""
    if not settings.enabled:
        return
    if not settings.spreadsheet_id:
        raise Invalid("sync.spreadsheet_id", "missing; or say enabled = false until the sheet is there")
    if not (settings.source or settings.bookings_url):
        raise Invalid("sync.bookings_url", "missing: give it, or a table [sync.source]; or say enabled = false")


def _require_valid_columns(settings: Settings) -> None:
    known = settings.columns
    if KEY not in known or settings.arrival not in known:
        raise Invalid(f"sync.{'fields' if settings.fields else 'columns'}", f"must hold {KEY} and {settings.arrival}")
    if len(set(known)) < len(known):
        raise Invalid("sync.columns", "holds a name twice")
    if STATE in known:
        raise Invalid("sync.columns", f"can't hold {STATE}: the sync writes that column itself")
    for name in ("dates", "amounts"):
        if foreign := [column for column in getattr(settings, name) if column not in known]:
            raise Invalid(f"sync.{name}", f"{foreign[0]} is none of sync.columns")
    if settings.table[settings.arrival].type != "date":
        # As text, 13/05/2026 is before 2026-01-01: the window would let go of bookings that are there.
        where = f"fields.{settings.arrival}.type" if settings.fields else "dates"
        raise Invalid(f"sync.{where}", f"{settings.arrival} must be a date, for the window is about it")
    for name, field in settings.table.items():
        if field.path == ROW and not (isinstance(settings.source, File) and settings.source.format == "csv"):
            raise Invalid(
                f"sync.fields.{name}.path", f"can be {ROW} only for a CSV file: nothing else keeps its places"
            )


def _require_valid_window(settings: Settings) -> None:
    for name in ("window_from", "window_to"):
        if text := getattr(settings, name):
            try:
                date.fromisoformat(text)
            except ValueError:
                raise Invalid(f"sync.{name}", f"is no day of the calendar: {text}") from None
    if settings.window_from and settings.window_to and settings.window_from > settings.window_to:
        raise Invalid("sync.window_to", f"must not be before window_from, {settings.window_from}")
    source = settings.source
    if not isinstance(source, Http):
        return
    if source.window.slice_days:
        if not (settings.window_from and settings.window_to):
            raise Invalid("sync.source.window.slice_days", "needs both ends: set sync.window_from and sync.window_to")
        if not (source.window.from_param and source.window.to_param):
            raise Invalid("sync.source.window.slice_days", "needs from_param and to_param, which carry a slice's ends")
