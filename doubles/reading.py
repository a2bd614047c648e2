"""Read plain data into a type by msgspec; what does not fit is refused with the name of the field."""

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_PATH = re.compile(r"^(?P<reason>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_KEY = re.compile(r"(?:missing required|contains unknown) field `([^`]*)`")


class Invalid(ValueError):
    """A value that cannot be accepted: `field` is its dotted name, `reason` what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def read(kind: type[T], data: Any) -> T:
    """Make a `kind` from plain data. Raises `Invalid`."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def read_json(kind: type[T], text: bytes) -> T:
    """Make a `kind` from JSON. Raises `Invalid`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    # Text that is no JSON at all, no UTF-8, or nested beyond reason: three exceptions of which only one is msgspec's.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("body", f"is not JSON: {error}") from None


def _invalid(error: msgspec.ValidationError) -> Invalid:
    """Name the field: msgspec puts a key that is unknown or missing in its words, not in the path behind them."""
    if isinstance(error.__cause__, Invalid):
        return error.__cause__
    found = _PATH.match(str(error))
    path, reason = (found["path"] or "", found["reason"]) if found else ("", str(error))
    key = _KEY.search(reason)
    parts = [path.removeprefix("."), key[1] if key else ""]
    return Invalid(".".join(part for part in parts if part) or "body", reason)
