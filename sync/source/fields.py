"""One record turned into the cells of a row, field by field: pure, so that a wrong one is named and set aside."""

import functools
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from sync.plan import Cell, Cells
from sync.source_settings import ROW, Field

_CELL_LIMIT = 50_000
"""Characters a cell of a Google sheet can hold."""
_EXACT = 2**53
"""A cell's number is an IEEE double: a larger whole number would lose digits, so it becomes text."""
_YES, _NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ABSENT = object()
_KEPT = 1024
"""Values of a column whose cells are kept: days and states come again and again, names of guests do not."""
_IDS = (str, int)
"""Types of an id: a number with a fraction has more than one spelling."""
_EQUAL = frozenset((bool, int, float))
"""Types of which values are equal that make other cells: True, 1 and 1.0."""


class BadField(ValueError):
    """A field that does not fit its type: `column` names it, `why` says what it holds and what was expected."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(f"{column}: {why}")
        self.column, self.why = column, why


class Columns:
    """The columns of a table of fields: turns records into cells."""

    def __init__(self, key: str, table: Mapping[str, Field], missing: Sequence[str] = ()) -> None:
        self._key, self._missing, self._prefix = key, missing, table[key].prefix
        self._table = table
        self._readers = tuple(self._reader(name, field) for name, field in table.items())
        self._place = tuple(table).index(key)
        plain = [_plain_path(field) for field in table.values()]
        self._paths = plain if None not in plain else None
        # All values of a record at once; of a single path itemgetter would return the value itself.
        self._values = operator.itemgetter(*plain) if self._paths and len(plain) > 1 else None

    def key(self, record: object, place: int) -> str:
        """Return the id of a record. Raises `BadField`: without an id nothing can be said of the booking at all."""
        column, field = self._key, self._table[self._key]
        if not isinstance(record, dict):
            raise BadField(column, f"record {place} is no object, but {_shown(record)}")
        try:
            text = self._id(_found(record, place, field))
        except ValueError:
            raise BadField(column, f"record {place} has no {column} at {_paths(field)}") from None
        _require_text(column, text)
        return text

    def cells(self, record: Mapping[str, Any], place: int, key: str) -> Cells:
        """Return the cells of the record of this id, in the table's order. Raises `BadField`."""
        try:
            found = self._values(record) if self._values else [_found(record, place, f) for f in self._table.values()]
            cells = [*map(operator.call, self._readers, found)]
        except (KeyError, TypeError):
            # A field that is absent, or a list, which is no key of what is kept.
            fields = self._table.items()
            cells = [self._cell(name, _found(record, place, field), field) for name, field in fields]
        cells[self._place] = key
        return tuple(cells)

    def at_once(self, records: Sequence[Any], header: Sequence[str] = ()) -> Mapping[str, Cells] | None:
        """Return the cells of records by their ids, read column by column; None where each is to be read by itself:
        one does not fit, an id is there twice, or a field is not to be found in the record itself.

        With a `header` a record is its values.
        """
        try:
            found = self._found_columns(records, header)
            keys = [*map(self._id, found[self._place])]
            _require_text(self._key, "".join(keys))
            columns = [*map(_column, self._readers, found)]
        except (LookupError, TypeError, ValueError):  # BadField is a ValueError, too
            return None
        columns[self._place] = keys
        cells = dict(zip(keys, zip(*columns, strict=True), strict=True))
        return cells if len(cells) == len(records) else None

    def _found_columns(self, records: Sequence[Any], header: Sequence[str]) -> Sequence[Sequence[object]]:
        """Return the values of each field. Raises `LookupError`, `TypeError`, `ValueError`."""
        if header and self._paths:
            named = dict(zip(header, zip(*records, strict=True), strict=True))
            return [named[str(path)] for path in self._paths]
        if not self._values:
            raise LookupError
        return [*zip(*map(self._values, records), strict=True)]

    def _id(self, value: object) -> str:
        """Return the id that a value is. Raises `ValueError`."""
        if isinstance(value, _IDS) and not isinstance(value, bool):
            word = str(value).strip()
            text = self._prefix + word
            if word and text not in self._missing and len(text) <= _CELL_LIMIT:
                return text
        raise ValueError

    def _reader(self, name: str, field: Field) -> Callable[[object], Cell]:
        if name == self._key:
            return lambda _value: ""  # it was read before, by `key`; each is another, so that none is kept

        # By type, too: True and 1.0 are equal to 1.
        @functools.lru_cache(_KEPT, typed=True)
        def kept(value: object) -> Cell:
            cell = self._cell(name, value, field)
            # Shared by all rows that hold it.
            return sys.intern(cell) if isinstance(cell, str) else cell

        return kept

    def _cell(self, name: str, value: object, field: Field) -> Cell:
        # The id is none of these: it was read before, by `key`.
        return "" if name == self._key else _cell(name, value, field, self._missing)


def _column(read: Callable[[object], Cell], values: Sequence[object]) -> Sequence[Cell]:
    """Read a column: each value of it once."""
    different = set(values)
    if len(_EQUAL.intersection(map(type, different))) > 1:
        return [*map(read, values)]
    cells = {value: read(value) for value in different}
    return [*map(cells.__getitem__, values)]


def _plain_path(field: Field) -> str | None:
    """The path of a value that may stand in the record itself; what has another is looked for by `_found`."""
    plain = isinstance(field.path, str) and field.path not in ("", ROW) and "." not in field.path
    return str(field.path) if plain else None


def named(header: Sequence[str], row: Sequence[object]) -> object:
    """Return a row as a record. One that is too short or too long is cut, or another file's: it stays what it is, and
    is set aside, being no object.
    """
    return dict(zip(header, row, strict=True)) if len(row) == len(header) else row


def value_at(record: object, path: str) -> object:
    """Return what stands at a path, or None: also where something on the way is missing."""
    found = _at(record, path)
    return None if found is _ABSENT else found


def _found(record: Mapping[str, Any], place: int, field: Field) -> object:
    if field.path == ROW:
        return place
    if isinstance(field.path, str):
        return _at(record, field.path)
    parts = [_at(record, path) for path in field.path]
    if any(part is _ABSENT for part in parts):
        return _ABSENT
    return " ".join(str(part).strip() for part in parts if part is not None)


def _at(record: object, path: str) -> object:
    if not path:
        return record
    if isinstance(record, dict):
        if path in record:
            return record[path]
        # A key may have dots itself, so the longest key that is there is taken.
        for end in range(path.count("."), 0, -1):
            head = ".".join(path.split(".")[:end])
            if head in record:
                return _at(record[head], path[len(head) + 1 :])
    if isinstance(record, list):
        head, _, rest = path.partition(".")
        if head.isascii() and head.isdecimal() and int(head) < len(record):
            return _at(record[int(head)], rest)
    # null on the way: the guest that a booking has not got has no name either.
    return None if record is None else _ABSENT


def _cell(name: str, value: object, field: Field, missing: Sequence[str]) -> Cell:
    if value is _ABSENT:
        if not field.optional:
            raise BadField(name, f"there is nothing at {_paths(field)}")
        value = None
    if value is None or (isinstance(value, str) and value.strip() in ("", *missing)):
        return ""
    try:
        cell = _TYPES[field.type](name, value, field)
    except ArithmeticError:  # a day before the first that is counted or after the last, in some zone; a huge exponent
        raise BadField(name, f"is out of range: {_shown(value)}") from None
    cell = field.prefix + str(cell) if field.prefix else cell
    if isinstance(cell, str) and len(cell) > _CELL_LIMIT:
        raise BadField(name, f"a cell holds {_CELL_LIMIT} characters, and this are {len(cell)}")
    return cell


def _plain(name: str, value: object, _field: Field) -> Cell:
    """Take the value as the source has it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, str):
        _require_text(name, value)
        return value.replace("\r\n", "\n")  # a sheet's line ends are these
    raise BadField(name, f"{_shown(value)} does not fit into a cell: name a value inside it by its path")


def _text(name: str, value: object, field: Field) -> Cell:
    return str(_plain(name, value, field))


def _date(name: str, value: object, field: Field) -> Cell:
    """Return the day as ISO text: days compare as text in no other spelling."""
    if field.zone:
        return _moment(name, value, field).astimezone(ZoneInfo(field.zone)).date().isoformat()
    try:
        if field.format == "iso":
            return date.fromisoformat(_iso_day(value)).isoformat()
        return datetime.strptime(_word(value), field.format).date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        more = "; an instant needs a zone" if "T" in str(value) else ""
        raise BadField(name, f"is no date of the format {_named(field)}: {_shown(value)}{more}") from None


def _instant(name: str, value: object, field: Field) -> Cell:
    zone = ZoneInfo(field.zone or "UTC")
    return _moment(name, value, field).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _moment(name: str, value: object, field: Field) -> datetime:
    """Read an instant; one that names no zone itself is taken in the field's."""
    try:
        if field.format in ("epoch", "epoch_ms"):
            return datetime.fromtimestamp(
                float(Decimal(_word(value))) / (1000 if field.format == "epoch_ms" else 1), UTC
            )
        read = datetime.fromisoformat if field.format == "iso" else lambda text: datetime.strptime(text, field.format)  # noqa: DTZ007
        found = read(_word(value))
        return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(field.zone or "UTC"))
    except (ValueError, OverflowError, OSError, InvalidOperation):
        raise BadField(name, f"is no instant of the format {_named(field)}: {_shown(value)}") from None


def _money(name: str, value: object, field: Field) -> Cell:
    """Return an amount as a number, so that people can add it up: a double holds any price exactly to 15 digits."""
    try:
        text = _word(value)
        if field.decimal_mark == "," and isinstance(value, str):
            text = text.replace(".", "").replace(",", ".")
        amount = Decimal(text).scaleb(-field.scale)
    except (InvalidOperation, ValueError):
        raise BadField(name, f"is no amount: {_shown(value)}") from None
    return _number(name, float(amount))


def _integer(name: str, value: object, _field: Field) -> Cell:
    try:
        number = Decimal(_word(value))
        # Huge exponents would become a number of that many digits.
        if number == number.to_integral_value() and abs(number.adjusted()) < 100:
            return _number(name, int(number))
    except (InvalidOperation, ValueError):
        pass
    raise BadField(name, f"is no whole number: {_shown(value)}")


def _yes_no(name: str, value: object, _field: Field) -> Cell:
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise BadField(name, f"is neither yes nor no: {_shown(value)}")
    return "TRUE" if word in _YES else "FALSE"


_TYPES = {
    "plain": _plain,
    "text": _text,
    "date": _date,
    "instant": _instant,
    "money": _money,
    "integer": _integer,
    "yes_no": _yes_no,
}


def _number(name: str, value: float) -> Cell:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadField(name, f"is no number: {value}")
        if not value.is_integer():
            return value
        value = int(value)
    return value if abs(value) <= _EXACT else str(value)


def _word(value: object) -> str:
    """Return the text of a value that can be read as a date or number; `True` would pass for 1."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError  # noqa: TRY004 - as for a text that can't be read
    return str(value).strip()


def _require_text(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no JSON of ours could carry it
        raise BadField(name, f"is no text: {_shown(value)}") from None


def _iso_day(value: object) -> str:
    # date.fromisoformat by itself takes weeks, compact forms and more.
    if not _ISO_DAY.fullmatch(word := _word(value)):
        raise ValueError
    return word


def _named(field: Field) -> str:
    return "2026-05-13" if field.format == "iso" else field.format


def _paths(field: Field) -> str:
    return field.path if isinstance(field.path, str) else " + ".join(field.path)


def _shown(value: object) -> str:
    return ascii(value)[:60]
