"""One booking, and the two shapes it has outside: an object of JSON and a line of CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from wire.values import Invalid, decode, rule

STATUSES = ("confirmed", "cancelled", "no_show", "checked_out")
_DATE = r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True, slots=True)
class Booking:
    """A stay from `arrival` to `departure` (ISO dates; the last night is the one before); `rate` is a night's price as
    decimal text. Zero nights are a day room.
    """

    id: str = rule(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    hotel: str = rule(longest=200)
    room_type: str = rule(longest=200)
    guest: str = rule(longest=500)
    arrival: str = rule(pattern=_DATE)
    departure: str = rule(pattern=_DATE)
    nights: int = rule(least=0)
    adults: int = rule(least=0)
    children: int = rule(least=0)
    meal: str = rule(longest=50)
    country: str = rule(longest=50)
    channel: str = rule(longest=200)
    status: str = rule(choices=STATUSES)
    rate: str = rule(pattern=r"-?\d{1,9}(\.\d{1,4})?")


COLUMNS = tuple(field.name for field in fields(Booking))
"""The fields' order in JSON and CSV."""
_NUMBERS = ("nights", "adults", "children")


def read(data: object) -> Booking:
    """Make a booking from JSON's object. Raises `Invalid` with the field's name."""
    booking = decode(Booking, data)
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
