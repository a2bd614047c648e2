"""A plan as a reader sees it and as a program does: every booking, every cell, with what stands there now."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.batch import Target, plain
from sync.plan import DUPLICATE, LIVE, REMOVED, STATE, Cell, Plan, Row

# Short enough to be typed; 48 bits tell any two plans of a sheet apart.
_ID_LENGTH = 12


def plan_id(plan: Plan) -> str:
    """Return the name of what a plan writes: the same writes have the same, wherever their rows stand meanwhile."""
    changes = sorted((change.key, sorted(change.cells.items())) for change in plan.changes)
    text = json.dumps([sorted(plan.added.items()), changes])
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def beyond(plan: Plan, printed: Plan) -> str:
    """Say what a plan would write that a printed one would not; "" when nothing."""
    cells = {(change.key, place): cell for change in printed.changes for place, cell in change.cells.items()}
    cells |= {(key, place): cell for key, row in printed.added.items() for place, cell in enumerate(row)}
    for key, row in plan.added.items():
        if printed.added.get(key) != row:
            return f"a new row of booking {key}"
    for change in plan.changes:
        if any(cells.get((change.key, place)) != cell for place, cell in change.cells.items()):
            return f"a change of booking {change.key}"
    return ""


def as_data(plan: Plan, rows: Sequence[Row], columns: Sequence[str]) -> dict[str, Any]:
    """Return a plan for a program: what is added and changed, cell by cell, with what the sheet has now."""
    seen = {row.number: row.cells for row in rows}
    return {
        "plan": plan_id(plan),
        "added": [
            {"booking": key, "cells": dict(zip(columns, cells, strict=True))} for key, cells in plan.added.items()
        ],
        "changed": [
            {
                "booking": change.key,
                "row": change.number,
                "what": _what(change.cells, len(columns)),
                "cells": {
                    columns[place]: {"now": seen[change.number][place], "then": cell}
                    for place, cell in sorted(change.cells.items())
                },
            }
            for change in plan.changes
        ],
        "put_back": list(plan.put_back),
        "edited_by_users": list(plan.edited),
        "conflicts": [
            {
                "booking": each.key,
                "column": columns[each.column],
                "source": each.source,
                "sheet": each.sheet,
                "wins": "source" if each.written else "sheet",
            }
            for each in plan.conflicts
        ],
    }


def lines(plan: Plan, rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    """Yield a plan for a reader: nothing is left out."""
    data = as_data(plan, rows, columns)
    for each in data["added"]:
        back = " (a user had deleted its row)" if each["booking"] in plan.put_back else ""
        yield f"+ {each['booking']}: new row{back}"
        yield from (f"      {name}: {_shown(cell)}" for name, cell in each["cells"].items() if cell != "")
    for each in data["changed"]:
        yield f"~ {each['booking']}, row {each['row']}: {each['what']}"
        for name, cell in each["cells"].items():
            yield f"      {name}: {_shown(cell['now'])} -> {_shown(cell['then'])}"
    for each in data["conflicts"]:
        yield (
            f"! {each['booking']}, {each['column']}: both sides changed: source {_shown(each['source'])}, "
            f"sheet {_shown(each['sheet'])}; the {each['wins']} wins"
        )
    for key in plan.edited:
        yield f"= {key}: a user's edit stays" if not _restored(plan, key) else f"= {key}: a user's edit is undone"
    yield f"plan {data['plan']}" if plan.writes else "nothing to write"


def restored(targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Return for a program what is put right before a plan: cells that earlier writes put into wrong places."""
    return [
        {"row": t.row + 1, "column": t.header, "booking": t.key, "now": t.old, "then": plain(t.new)} for t in targets
    ]


def restore_lines(targets: Sequence[Target]) -> Iterator[str]:
    """Yield the same for a reader."""
    for each in restored(targets):
        yield (
            f"^ row {each['row']}, {each['column']}: {_shown(each['now'])} -> {_shown(each['then'])} "
            "(a write of an earlier run came there)"
        )


def _restored(plan: Plan, key: str) -> bool:
    return any(change.key == key for change in plan.changes)


def _what(cells: Mapping[int, Cell], width: int) -> str:
    marks = {REMOVED: "is gone from the booking system", DUPLICATE: "is a further row of a booking", LIVE: "is back"}
    state = cells.get(width + STATE, "")
    return marks.get(str(state), "changed") if len(cells) == 1 or state else "changed"


def _shown(cell: object) -> str:
    return f'"{cell}"' if isinstance(cell, str) else str(cell)
