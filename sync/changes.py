"""The history of changes: what each run settled, met or set aside, booking by booking; JSON lines, the oldest go.

A run's changes are first in the memory's own tables, then here, durably, and only then forgotten there.
"""

import codecs
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sync.judge import Finding
from sync.plan import REMOVED, STATE, Cells, Conflict, Plan
from sync.settings import KEY
from sync.source.bookings import Aside

FILE = "changes.jsonl"
_SIZE = 10 * 2**20
_FILES = 5
"""Of so many bytes each at most are kept; with 15,000 bookings and 1 % a day changed, years."""

_ENCODER = msgspec.json.Encoder()
_ESCAPED = "json-escaped"


@functools.lru_cache(1024)
def _escaped(letters: str) -> str:
    return json.dumps(letters)[1:-1]


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escaped(error.object[error.start : error.end]), error.end


# Many times faster than json.dumps, which would have to make the whole text.
codecs.register_error(_ESCAPED, _escape)

Entry = dict[str, Any]
Settled = tuple[str, str | None, str | None]
"""A booking's settled cells before and after, each as the JSON that the memory keeps; None: it was not there."""


def entries(settled: Iterable[Settled], columns: Sequence[str], at: datetime) -> Iterator[Entry]:
    """Yield an entry for each booking whose settled cells changed."""
    when, names = _text(at), msgspec.Raw(msgspec.json.encode(columns))
    for key, old, new in settled:
        if old is None and new is not None:
            # As it is kept: a first load is thousands of these.
            yield {"at": when, "booking": key, "what": "added", "columns": names, "row": msgspec.Raw(new.encode())}
        elif (before := _cells(old)) != (after := _cells(new)):
            yield {"at": when, "booking": key, **_change(before, after, columns)}


def met(plan: Plan, aside: Sequence[Aside], columns: Sequence[str], at: datetime) -> Iterator[Entry]:
    """Yield an entry for each conflict and each record that was set aside: for these nothing was settled."""
    for conflict in plan.conflicts:
        yield {"at": _text(at), "booking": conflict.key, **_lost(conflict, columns)}
    for each in aside:
        yield {"at": _text(at), "booking": each.key, "what": "set aside", "why": each.why}


def of_finding(finding: Finding, at: datetime) -> Entry:
    """Return the entry of a value of a user that a write met, or of a cell that went astray."""
    return {"at": _text(at), "booking": finding.booking, "what": "beside users", "why": str(finding)}


def append(folder: Path, lines: Iterable[Entry]) -> None:
    """Write entries, on disk when this returns. Raises `OSError`."""
    data = _json(lines)
    if not data:
        return
    path = folder / FILE
    if path.exists() and path.stat().st_size + len(data) > _SIZE:
        _rotate(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        # A line that a power cut tore would swallow the next one.
        if path.stat().st_size and not _ends_well(path):
            file.write(b"\n")
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def story(folder: Path, booking: str) -> Iterator[Entry]:
    """Yield what is known of a booking, the oldest first; lines that can't be read are passed over."""
    for number in range(_FILES - 1, -1, -1):
        path = _numbered(folder / FILE, number)
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            # A text search first: of thousands of lines few are this booking's. Older ones were written by json.dumps.
            quoted = (_json([booking]).decode().strip(), json.dumps(booking))
            for line in lines:
                if any(each in line for each in quoted) and (entry := _read(line)) and entry.get("booking") == booking:
                    yield entry


def said(entry: Mapping[str, Any]) -> str:
    """Say an entry to a reader."""
    line = f"{entry.get('at', '?')}  {entry.get('what', '?')}"
    added = {column: (None, cell) for column, cell in zip(entry.get("columns", ()), entry.get("row", ()), strict=False)}
    for column, (old, new) in entry.get("cells", _without_id(added)).items():
        line += f"\n    {column}: {_shown(new)}" if old is None else f"\n    {column}: {_shown(old)} -> {_shown(new)}"
    return line + (f": {entry['why']}" if "why" in entry else "")


def _change(old: Cells | None, new: Cells | None, columns: Sequence[str]) -> Entry:
    if new is None:
        return {"what": "forgotten: out of the window, or never ours", "cells": {}}
    before = old if old and len(old) == len(columns) else (None,) * len(columns)
    pairs = {name: [was, now] for name, was, now in zip(columns, before, new, strict=False) if was != now}
    what = "marked as removed" if new[STATE] == REMOVED and columns[STATE] in pairs else "changed"
    return {"what": what, "cells": _without_id(pairs)}


def _without_id(pairs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: pair for name, pair in pairs.items() if name != KEY}


def _cells(text: str | None) -> Cells | None:
    return tuple(msgspec.json.decode(text)) if text is not None else None


def _lost(conflict: Conflict, columns: Sequence[str]) -> Entry:
    column = columns[conflict.column]
    if conflict.written:
        return {
            "what": "a user's value was overwritten: the source wins",
            "cells": {column: [conflict.sheet, conflict.source]},
        }
    return {"what": "a user's value was kept: the sheet wins", "cells": {column: [conflict.source, conflict.sheet]}}


def _rotate(path: Path) -> None:
    for number in range(_FILES - 1, 0, -1):
        before = _numbered(path, number - 1)
        if before.exists():
            before.replace(_numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _json(lines: Iterable[object]) -> bytes:
    """Only ASCII: whoever looks at the file by `cat` gets no letter that a terminal obeys."""
    return _ENCODER.encode_lines(lines).decode().encode("ascii", _ESCAPED)


def _read(line: str) -> Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _shown(cell: object) -> str:
    return f'"{cell}"' if isinstance(cell, str) else str(cell)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
