"""Bookings from a file: our own CSV, or the hotel data set of Antonio, Almeida and Nunes (Data in Brief 22, 2019)."""

import csv
import io
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from doubles.bookings.booking import COLUMNS, Booking, read, read_row, whole
from doubles.reading import Invalid

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_STATUSES = {"Check-Out": "checked_out", "Canceled": "cancelled", "No-Show": "no_show"}
_ARRIVAL = ("arrival_date_year", "arrival_date_month", "arrival_date_day_of_month")
_STAY = ("stays_in_weekend_nights", "stays_in_week_nights")
PUBLISHED = (
    *("hotel", *_ARRIVAL, *_STAY, "adults", "children", "babies", "meal", "country"),
    *("distribution_channel", "reserved_room_type", "reservation_status", "adr"),
)
"""The published data set's columns that a booking is made of."""
_MISSING = ("NULL", "NA", "")


class UnreadableFile(ValueError):
    """A file that can't be read as bookings: says which line and column, or which columns are missing."""


def load(path: Path, today: date) -> list[Booking]:
    """Read all bookings of a file. Raises `UnreadableFile`; `OSError` when there is no such file."""
    try:
        # Spreadsheet programs begin UTF-8 files with a BOM, which would become part of the first column's name.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is not UTF-8 text (byte {error.start}): save it as CSV in UTF-8") from None
    lines = csv.DictReader(io.StringIO(text, newline=""))
    make = _reader(lines.fieldnames or (), path, today)
    bookings: dict[str, Booking] = {}
    for number, row in enumerate(lines, start=1):
        try:
            booking = make(number, row)
        except Invalid as error:
            raise UnreadableFile(f"{path}, line {lines.line_num}: {error}") from None
        if booking.id in bookings:
            raise UnreadableFile(f"{path}, line {lines.line_num}: id: {booking.id} is there twice")
        bookings[booking.id] = booking
    return list(bookings.values())


def published(number: int, row: Mapping[str, str], today: date) -> Booking:
    """Make a booking of one row of the published data set; `number` is its place, from 1, and gives the id.

    The set is anonymous, so the guest is empty; babies count as children. Raises `Invalid`.
    """
    arrival = _arrival(row)
    nights = sum(whole(name, row[name]) for name in _STAY)
    departure = arrival + timedelta(days=nights)
    return read(
        {
            "id": f"B{number:05}",
            "hotel": row["hotel"],
            "room_type": row["reserved_room_type"],
            "guest": "",
            "arrival": arrival.isoformat(),
            "departure": departure.isoformat(),
            "nights": nights,
            "adults": _people(row, "adults"),
            "children": _people(row, "children") + _people(row, "babies"),
            "meal": row["meal"].strip(),
            "country": "" if row["country"] in _MISSING else row["country"],
            "channel": row["distribution_channel"],
            "status": _status(row["reservation_status"], departure, today),
            "rate": _rate(row["adr"]),
        }
    )


def _reader(header: object, path: Path, today: date) -> Callable[[int, Mapping[str | None, str | None]], Booking]:
    """Choose the mapping that the header asks for; a file with neither lacks columns of the nearer one."""
    present = set(header) if isinstance(header, list | tuple) else set()
    missing = {known: [name for name in known if name not in present] for known in (COLUMNS, PUBLISHED)}
    if not missing[COLUMNS]:
        return lambda _number, row: read_row(_whole_row(row))
    if not missing[PUBLISHED]:
        return lambda number, row: published(number, _whole_row(row), today)
    nearer = min(missing.values(), key=len)
    raise UnreadableFile(f"{path} is no file of bookings: its first line lacks {', '.join(nearer)}")


def _whole_row(row: Mapping[str | None, str | None]) -> Mapping[str, str]:
    """Refuse a line shorter or longer than the header: `csv` fills up with None, and files the rest under None."""
    if None in row:
        raise Invalid("the line", "has more fields than the first line of the file")
    short = [name for name, value in row.items() if value is None]
    if short:
        raise Invalid(str(short[0]), "missing: the line is too short")
    return {str(name): str(value) for name, value in row.items()}


def _arrival(row: Mapping[str, str]) -> date:
    year, month, day = (row[name] for name in _ARRIVAL)
    if month not in _MONTHS:
        raise Invalid(_ARRIVAL[1], f"must be a month's English name, not {month!r}")
    try:
        return date(whole(_ARRIVAL[0], year), _MONTHS.index(month) + 1, whole(_ARRIVAL[2], day))
    except ValueError as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(_ARRIVAL[2], f"there is no {day} {month} {year}") from None


def _people(row: Mapping[str, str], name: str) -> int:
    return 0 if row[name] in _MISSING else whole(name, row[name])


def _status(text: str, departure: date, today: date) -> str:
    if text not in _STATUSES:
        raise Invalid("reservation_status", f"must be one of {', '.join(_STATUSES)}, not {text!r}")
    status = _STATUSES[text]
    return "confirmed" if status == "checked_out" and departure > today else status


def _rate(text: str) -> str:
    try:
        return f"{Decimal(text):.2f}"
    except InvalidOperation:
        raise Invalid("adr", f"must be an amount, not {text!r}") from None
