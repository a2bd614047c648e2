"""One booking, and the two shapes it has outside: an object of JSON and a line of CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import asdict

from doubles.reading import Invalid
from doubles.reading import read as read_fields

STATUSES = ("confirmed", "cancelled", "no_show", "checked_out")
# msgspec looks for a pattern anywhere in a text, and `$` would let a line end follow: \Z does not.
_Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
_Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}\Z")]
_Name = Annotated[str, Meta(max_length=200)]
_Code = Annotated[str, Meta(max_length=50)]
_Count = Annotated[int, Meta(ge=0)]


class Booking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stay from `arrival` to `departure` (ISO dates; the last night is the one before); `rate` is a night's price as
    decimal text. Zero nights are a day room.
    """

    id: _Id
    hotel: _Name
    room_type: _Name
    guest: Annotated[str, Meta(max_length=500)]
    arrival: _Date
    departure: _Date
    nights: _Count
    adults: _Count
    children: _Count
    meal: _Code
    country: _Code
    channel: _Name
    status: Annotated[str, Meta(pattern=rf"^({'|'.join(STATUSES)})\Z")]
    rate: Annotated[str, Meta(pattern=r"^-?\d{1,9}(\.\d{1,4})?\Z")]


COLUMNS: tuple[str, ...] = Booking.__struct_fields__
"""The fields' order in JSON and CSV."""
_NUMBERS = ("nights", "adults", "children")


def read(data: object) -> Booking:
    """Make a booking from JSON's object. Raises `Invalid` with the field's name."""
    booking = read_fields(Booking, data)
    stay = (_day("departure", booking.departure) - _day("arrival", booking.arrival)).days
    if stay < 0:
        raise Invalid("departure", f"{booking.departure} is before the arrival, {booking.arrival}")
    if stay != booking.nights:
        raise Invalid("nights", f"must be {stay}, the days from arrival to departure, not {booking.nights}")
    return booking


def read_row(row: Mapping[str, str]) -> Booking:
    """Make a booking from a line of CSV with our header. Raises `Invalid` with the column's name."""
    data: dict[str, Any] = {name: row[name] for name in COLUMNS}
    return read({**data, **{name: whole(name, row[name]) for name in _NUMBERS}})


def whole(name: str, text: str) -> int:
    """Read a whole number. Raises `Invalid` with the column's name."""
    try:
        return int(text)
    except ValueError:
        raise Invalid(name, f"must be a whole number, not {text!r}") from None


def as_csv(bookings: Iterable[Booking]) -> str:
    """Write bookings as CSV with our header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(booking) for booking in bookings)
    return text.getvalue()


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(name, f"is no day of the calendar: {text}") from None
