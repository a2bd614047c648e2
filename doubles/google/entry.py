"""How a value gets into a cell: as it is (RAW), or as if a user typed it (USER_ENTERED)."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from doubles.google.book import Cell, Formula, Value
from doubles.google.errors import invalid

EPOCH = date(1899, 12, 30)
"""Day 0 of a spreadsheet's serial numbers."""
_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?")
_MONEY = re.compile(r"([+-])?\$(\d[\d,]*(?:\.\d*)?)")
_CLOCK_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(?: ?([AaPp][Mm]))?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def enter(cell: Cell, value: Any, option: str) -> Cell:
    """Return the cell after a value was put in: `""` clears it, a format stays. Raises `GoogleError`."""
    if isinstance(value, dict | list):
        kind = "struct_value" if isinstance(value, dict) else "list_value"
        raise invalid(f"Invalid values: a cell can't hold a {kind}")
    if value == "":
        return replace(cell, value=None)
    if isinstance(value, str) and option == "USER_ENTERED":
        return _typed(cell, value)
    return replace(cell, value=plain(value))


def plain(value: Value) -> Value:
    """Return a number as a cell holds it, an IEEE double, and as answers show it: whole ones without a point."""
    if value is None or isinstance(value, bool | str):
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid("Invalid values: a number is beyond the range of a double")
    return int(number) if number.is_integer() else number


def serial(day: date) -> int:
    """Return a day as the number a cell holds."""
    return (day - EPOCH).days


def _typed(cell: Cell, text: str) -> Cell:
    """Read what a user types, in the locale en_US; a cell formatted as plain text takes it as it is."""
    if (cell.format or {}).get("numberFormat", {}).get("type") == "TEXT":
        return replace(cell, value=text)
    # The quote with which a user marks a text is not part of it.
    if text.startswith("'"):
        return replace(cell, value=text[1:])
    # A guest's name acts as a formula from this line on: a caller that writes USER_ENTERED must see that in its tests.
    if text.startswith("=") and text != "=":
        return replace(cell, value=Formula(text))
    if text.strip().upper() in ("TRUE", "FALSE"):
        return replace(cell, value=text.strip().upper() == "TRUE")
    moment = _moment(text.strip())
    if moment:
        value, look = moment
        return replace(_looking(cell, look), value=plain(value))
    return _amount(cell, text)


def _amount(cell: Cell, text: str) -> Cell:
    bare = text.strip()
    percent = bare.endswith("%")
    money = _MONEY.fullmatch(bare)
    digits = (money[1] or "") + money[2] if money else bare.removesuffix("%")
    if not (_NUMBER.fullmatch(digits) and re.search(r"\d", digits)):
        return replace(cell, value=text)
    # A comma separates thousands in en_US, the locale of every spreadsheet of this double.
    value = float(digits.replace(",", ""))
    if percent:
        pattern = "0.00%" if "." in digits else "0%"
        return replace(_looking(cell, {"type": "PERCENT", "pattern": pattern}), value=plain(value / 100))
    if money:
        pattern = "$#,##0.00" if "." in digits else "$#,##0"
        return replace(_looking(cell, {"type": "CURRENCY", "pattern": pattern}), value=plain(value))
    return replace(cell, value=plain(value))


def _looking(cell: Cell, number_format: Mapping[str, str]) -> Cell:
    """Give a cell the format its content asks for, unless a user chose one."""
    if cell.format and "numberFormat" in cell.format:
        return cell
    return replace(cell, format={**(cell.format or {}), "numberFormat": number_format})


def _moment(text: str) -> tuple[float, Mapping[str, str]] | None:
    """Read a day, a time of day, or both: days count whole, hours as parts of one."""
    first, _, rest = text.partition(" ")
    day, clock = _day(first), _CLOCK_TIME.fullmatch(rest if _day(first) else text)
    date_pattern = "yyyy-mm-dd" if "-" in first else "m/d/yyyy"
    if day and not rest:
        return serial(day), {"type": "DATE", "pattern": date_pattern}
    if clock is None:
        return None
    hour, minute, second = (int(part or 0) for part in clock.group(1, 2, 3))
    if minute > 59 or second > 59 or hour > (12 if clock[4] else 23):
        return None
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0)
    part = (hour * 3600 + minute * 60 + second) / 86400
    pattern = "h:mm:ss" if clock[3] else "h:mm"
    if day:
        return serial(day) + part, {"type": "DATE_TIME", "pattern": f"{date_pattern} {pattern}"}
    return part, {"type": "TIME", "pattern": pattern}


def _day(text: str) -> date | None:
    iso, american = _ISO.fullmatch(text), _AMERICAN.fullmatch(text)
    try:
        if iso:
            return date(*map(int, iso.groups()))
        if american:
            month, day, year = map(int, american.groups())
            return date(year, month, day)
    except ValueError:
        return None
    return None
