"""The history of changes: what each run settled, met or set aside, booking by booking; JSON lines, the oldest go.

A run's changes are first in the memory's own tables, then here, durably, and only then forgotten there.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.judge import Told
from sync.plan import Cells, Conflict, Plan
from sync.source.bookings import Aside

FILE = "changes.jsonl"
_SIZE = 10 * 2**20
_FILES = 5
"""Of so many bytes each at most are kept; with 15,000 bookings and 1 % a day changed, years."""

Entry = dict[str, Any]
Settled = tuple[str, Cells | None, Cells | None]


def entries(settled: Iterable[Settled], columns: Sequence[str], at: datetime) -> Iterator[Entry]:
    """Yield an entry for each booking whose settled cells changed."""
    for key, old, new in settled:
        yield {"at": _text(at), "booking": key, **_change(old, new, columns)}


def met(plan: Plan, aside: Sequence[Aside], columns: Sequence[str], at: datetime) -> Iterator[Entry]:
    """Yield an entry for each conflict and each record that was set aside: for these nothing was settled."""
    for conflict in plan.conflicts:
        yield {"at": _text(at), "booking": conflict.key, **_lost(conflict, columns)}
    for each in aside:
        yield {"at": _text(at), "booking": each.key, "what": "set aside", "why": each.why}


def told(told: Told, at: datetime) -> Entry:
    """Return the entry of a value of a user that a write met, or of a cell that went astray."""
    return {"at": _text(at), "booking": told.booking, "what": "beside users", "why": str(told)}


def append(folder: Path, lines: Iterable[Entry]) -> None:
    """Write entries, on disk when this returns. Raises `OSError`."""
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    if not text:
        return
    path = folder / FILE
    if path.exists() and path.stat().st_size + len(text) > _SIZE:
        _rotate(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="ascii") as file:
        # A line that a power cut tore would swallow the next one.
        if path.stat().st_size and not _ends_well(path):
            file.write("\n")
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def story(folder: Path, booking: str) -> Iterator[Entry]:
    """Yield what is known of a booking, the oldest first; lines that can't be read are passed over."""
    for number in range(_FILES - 1, -1, -1):
        path = _numbered(folder / FILE, number)
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            # A text search first: of thousands of lines few are this booking's.
            quoted = json.dumps(booking)
            for line in lines:
                if quoted in line and (entry := _read(line)) and entry.get("booking") == booking:
                    yield entry


def said(entry: Mapping[str, Any]) -> str:
    """Say an entry to a reader."""
    line = f"{entry.get('at', '?')}  {entry.get('what', '?')}"
    for column, (old, new) in entry.get("cells", {}).items():
        line += f"\n    {column}: {_shown(new)}" if old is None else f"\n    {column}: {_shown(old)} -> {_shown(new)}"
    return line + (f": {entry['why']}" if "why" in entry else "")


def _change(old: Cells | None, new: Cells | None, columns: Sequence[str]) -> Entry:
    if new is None:
        return {"what": "forgotten: out of the window, or never ours", "cells": {}}
    before = old if old and len(old) == len(columns) else (None,) * len(columns)
    cells = {
        name: [was, now] for name, was, now in zip(columns, before, new, strict=False) if was != now and name != "id"
    }
    state = new[-1]
    if old is None:
        return {"what": "added", "cells": cells}
    return {"what": "marked as removed" if state == "removed" and "sync_state" in cells else "changed", "cells": cells}


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
