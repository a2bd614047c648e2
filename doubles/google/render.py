"""How a cell is shown: its value, its formula, or its text after the number format."""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from doubles.google.book import Cell, Formula, Value
from doubles.google.entry import EPOCH, plain
from doubles.google.errors import not_built

LOADING = "Loading..."
"""What a formula shows before it is calculated: in this double, always."""
_DEFAULTS = {
    "TEXT": "@",
    "NUMBER": "#,##0.00",
    "PERCENT": "0.00%",
    "CURRENCY": "$#,##0.00",
    "DATE": "m/d/yyyy",
    "TIME": "h:mm:ss",
    "DATE_TIME": "m/d/yyyy h:mm:ss",
}
_DATES = ("DATE", "TIME", "DATE_TIME")
_AMOUNT = re.compile(r'("[^"]*"|[$€£ ])?(#,##)?0(\.0+)?(%)?("[^"]*"|[$€£ ]+)?')
_CLOCK = re.compile(r"yyyy|yy|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|ss|s|[^a-z]+")
_WORDS = {"yyyy": "%Y", "yy": "%y", "mmmm": "%B", "mmm": "%b", "dddd": "%A", "ddd": "%a"}


def show(cell: Cell, option: str, dates: str) -> Value:
    """Return what `values` answers for a cell: by ValueRenderOption and DateTimeRenderOption; None when empty."""
    value = cell.value
    if isinstance(value, Formula):
        return str(value) if option == "FORMULA" else LOADING
    if option == "FORMATTED_VALUE" or (dates == "FORMATTED_STRING" and _kind(cell) in _DATES):
        return formatted(cell)
    return value


def formatted(cell: Cell) -> str | None:
    """Return the text a user sees; None when the cell is empty."""
    value = cell.value
    if isinstance(value, Formula):
        return LOADING
    if isinstance(value, bool):
        return str(value).upper()
    if value is None or isinstance(value, str):
        return value
    pattern = _pattern(cell)
    if pattern is None or pattern == "@":
        return _general(value)
    return _moment(value, pattern) if _kind(cell) in _DATES else _number(value, pattern)


def check_format(number_format: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a NumberFormat with its pattern filled in. Raises `GoogleError` for one that this double cannot show."""
    kind = number_format.get("type", "")
    pattern = number_format.get("pattern") or _DEFAULTS.get(kind)
    if pattern is None:
        raise not_built(f"number format type {kind or 'without a name'}")
    readable = pattern == "@" or _AMOUNT.fullmatch(pattern)
    if kind in _DATES:
        readable = "".join(_CLOCK.findall(pattern.lower())) == pattern.lower()
    if not readable:
        raise not_built(f"number format pattern {pattern}")
    return {"type": kind, "pattern": pattern}


def _number_format(cell: Cell) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (cell.format or {}).get("numberFormat", {})
    return found


def _kind(cell: Cell) -> str | None:
    return None if isinstance(cell.value, bool | str) else _number_format(cell).get("type")


def _pattern(cell: Cell) -> str | None:
    return _number_format(cell).get("pattern")


def _general(value: float) -> str:
    """Show a number as Sheets does by itself: all of a whole number, else ten significant digits."""
    # Sheets shows whole numbers of up to 15 digits in full, longer ones with an exponent.
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    return f"{value:.10g}".upper()


def _number(value: float, pattern: str) -> str:
    match = _AMOUNT.fullmatch(pattern)
    if not match:
        raise not_built(f"number format pattern {pattern}")
    before, thousands, decimals, percent, after = match.groups()
    scaled = value * 100 if percent else value
    digits = len(decimals) - 1 if decimals else 0
    text = f"{abs(scaled):{',' if thousands else ''}.{digits}f}"
    # A negative number that is rounded to zero has no sign.
    sign = "-" if scaled < 0 and text.strip("0.,") else ""
    return sign + (before or "").strip('"') + text + (percent or "") + (after or "").strip('"')


def _moment(value: float, pattern: str) -> str:
    moment = datetime.combine(EPOCH, time()) + timedelta(seconds=round(value * 86400))
    text, after_hour = "", False
    tokens = _CLOCK.findall(pattern.lower())
    for place, token in enumerate(tokens):
        rest = [t for t in tokens[place + 1 :] if t[0].isalpha()]
        # `m` is a month, except after an hour or before a second, where it is a minute.
        minute = token in ("m", "mm") and (after_hour or (rest and rest[0][0] == "s"))
        text += _piece(moment, token, minute=bool(minute))
        after_hour = token[0] == "h" or (after_hour and not token[0].isalpha())
    return text


def _piece(moment: datetime, token: str, *, minute: bool) -> str:
    if token in _WORDS:
        return moment.strftime(_WORDS[token])
    if not token[0].isalpha():
        return token.replace('"', "")
    number = (
        moment.minute
        if minute
        else {"m": moment.month, "d": moment.day, "h": moment.hour, "s": moment.second}[token[0]]
    )
    return f"{number:02}" if len(token) == 2 else str(number)


def effective(value: Value) -> Mapping[str, Any]:
    """Return a value as the API's ExtendedValue after calculation."""
    if isinstance(value, Formula):
        return {"errorValue": {"type": "LOADING", "message": "This double keeps formulas, it does not calculate them."}}
    return entered(value)


def entered(value: Value) -> Mapping[str, Any]:
    """Return a value as the API's ExtendedValue as it was entered."""
    if isinstance(value, Formula):
        return {"formulaValue": str(value)}
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"stringValue": value} if isinstance(value, str) else {"numberValue": plain(value or 0)}
