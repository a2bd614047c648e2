"""Bookings of a file on the host: CSV, JSON, or JSON lines, read whole or not at all."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

from sync.failure import SyncFailed
from sync.source.bookings import odd
from sync.source.fields import named, value_at
from sync.source_settings import File

_TRIES = 3
"""Readings, when each time somebody writes the file meanwhile."""
_JSON_BYTES = 16 * 2**20
"""Of a JSON file, which is parsed as one: in memory it is several times as large."""
Collected = TypeVar("Collected")
LINE_BYTES = 2**20
"""Of one record in a line."""
_WRITE = "have it written under another name and renamed: then one reader sees the old file, the next the new one"


def collected(source: File, now: float, collect: Callable[[Sequence[str], Iterator[Any]], Collected]) -> Collected:
    """Return what `collect` makes of the records of a file that was not written to meanwhile, else it is called once
    more; `now` in seconds since 1970. Raises `SyncFailed`.

    The records of CSV are rows of values, and the header names these; others are whole: no header. They come one by
    one: those of a large file would not fit into the unit's memory.
    """
    path = Path(source.path)
    try:
        for _ in range(_TRIES):
            before = _seen(path)
            _require_fresh(source, now - before[0])
            with _opened(source) as text:
                found = collect(*(_rows(text, source.delimiter) if source.format == "csv" else _whole(source, text)))
            if _seen(path) == before:
                return found
    except OSError as error:
        cause = f"the bookings' file {path} can't be read: {error.strerror}"
        raise SyncFailed(
            "bookings_file", cause, "see that it is there and that the user jada-sync may read it"
        ) from error
    except UnicodeDecodeError as error:
        cause = f"{path} is not {source.encoding} at byte {error.start}"
        raise odd(cause, "set sync.source.encoding to what the file is written in") from None
    raise SyncFailed("bookings_file", f"the bookings' file {path} is written to all the time", _WRITE)


def first(source: File, count: int) -> list[Any]:
    """Return the first records as they are."""
    path = Path(source.path)
    try:
        with _opened(source) as text:
            header, records = _rows(text, source.delimiter) if source.format == "csv" else _whole(source, text)
            return [named(header, each) if header else each for each in islice(records, count)]
    except (OSError, UnicodeDecodeError) as error:
        raise odd(f"{path} can't be read ({error})", "correct sync.source.path or sync.source.encoding") from error


def _opened(source: File) -> TextIO:
    try:
        return Path(source.path).open(encoding=source.encoding, newline="")
    except LookupError:
        raise odd(f"there is no encoding {source.encoding}", "correct sync.source.encoding") from None


def _seen(path: Path) -> tuple[float, int, int]:
    stat = path.stat()
    return stat.st_mtime, stat.st_size, stat.st_ino


def _require_fresh(source: File, age_s: float) -> None:
    if source.max_age_hours and age_s > source.max_age_hours * 3600:
        cause = f"the bookings' file {source.path} was last written {age_s / 3600:.0f} hours ago"
        cure = f"see why it is not written any more; sync.source.max_age_hours = {source.max_age_hours} is the limit"
        raise SyncFailed("bookings_file_old", cause, cure)


def _whole(source: File, text: TextIO) -> tuple[Sequence[str], Iterator[Any]]:
    if source.format == "jsonl":
        return (), _lines(text)
    if _seen(Path(source.path))[1] > _JSON_BYTES:
        raise odd(f"{source.path} is larger than {_JSON_BYTES // 2**20} MB", 'write it as format = "jsonl"')
    try:
        found = value_at(json.load(text), source.records)
    except UnicodeDecodeError:  # it is a ValueError, too
        raise
    except (ValueError, RecursionError) as error:
        cure = "see who writes it, and whether it was written whole"
        raise odd(f"{source.path} is no JSON ({error})", cure) from None
    if not isinstance(found, list):
        raise odd(f"there is no list at {source.records or 'the top of the file'}", "correct sync.source.records")
    return (), iter(found)


def _rows(text: TextIO, delimiter: str) -> tuple[Sequence[str], Iterator[Any]]:
    """Return header and rows."""
    # Strict: a quote too many or too few would otherwise take the records behind it into its own.
    lines = csv.reader(text, delimiter=delimiter, strict=True)
    with _naming(lines):
        header = next(lines, None)
    if not header:
        raise odd("the file is empty: its first line must name the columns", _WRITE)

    def rows() -> Iterator[Any]:
        with _naming(lines):
            yield from filter(None, lines)

    return header, rows()


@contextmanager
def _naming(lines: Any) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise odd(f"line {lines.line_num} is no CSV ({error})", "correct sync.source.delimiter, or the file") from None


def _lines(text: TextIO) -> Iterator[Any]:
    while line := text.readline(LINE_BYTES):
        if line.strip():
            yield parsed(line)


def parsed(line: str) -> Any:
    """Return a record of a line; one that is no JSON comes back as its text, which is set aside."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line
