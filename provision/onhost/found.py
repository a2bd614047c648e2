"""What was found on this host when it was deployed first, or accepted since: its surroundings are compared with that.

`/opt/jada-agent/found.json` has it, row by row; it never leaves the host.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from provision.onhost import durable, runs
from provision.onhost.surroundings import SURROUNDINGS, Seen

FOUND = runs.HOME / "found.json"
# Whole, and with what follows: one fingerprint in three hundred has no letter, and must not be shown as a mode.
_RIGHTS = re.compile(r"[0-7]{4} \S+:\S+(?= )")


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Take {"rows": [[look, name]]} as they are now for how they should be; `ours` has what has rows of its own.

    Answers with {"accepted": {row: {what: how it differed}}}.
    """
    rows = [(look, name) for look, name in asked["rows"]]
    before = {f"{look} {name}": compared(look, name, asked["ours"]) for look, name in rows}
    keep(rows, asked["ours"])
    return {"accepted": {row: differed for row, differed in before.items() if differed != {}}}


def see(
    asked: Mapping[str, Iterable[str]], ours: Collection[str], unseen: Collection[str]
) -> dict[str, dict[str, dict[str, str] | None]]:
    """Compare {look: names} with what was found; {} where nothing differs, None where it was never recorded.

    Looks that are `unseen` take seconds: of those it is only said whether there is a record.
    """
    recorded = read()
    return {
        look: {
            name: ({} if f"{look} {name}" in recorded else None) if look in unseen else compared(look, name, ours)
            for name in names
        }
        for look, names in asked.items()
    }


def compared(look: str, name: str, ours: Collection[str], path: Path = FOUND) -> dict[str, str] | None:
    """Return how a look differs from what was found: what → how."""
    recorded = read(path).get(f"{look} {name}")
    return None if recorded is None else differing(recorded, SURROUNDINGS[look](name, ours))


def differing(before: Seen, now: Seen) -> dict[str, str]:
    """Say what came, went and changed between two looks; what is in a folder counts, not that there is one."""
    return {
        what: _how(before.get(what), now.get(what))
        for what in sorted({*before, *now})
        if before.get(what) != now.get(what) and not _is_folder(before.get(what) or "", now.get(what) or "")
    }


def _is_folder(before: str, now: str) -> bool:
    """Whether a folder came or went."""
    return (before or now).endswith(" folder") and not (before and now)


def _how(before: str | None, now: str | None) -> str:
    if before is None:
        return "is new"
    if now is None:
        return "is gone"
    was, rights = _RIGHTS.match(before), _RIGHTS.match(now)
    return f"was {was[0]}, is {rights[0]}" if was and rights and was[0] != rights[0] else "was changed"


def keep(rows: Iterable[tuple[str, str]], ours: Collection[str], path: Path = FOUND) -> None:
    """Record rows as they are now."""
    record(path, {f"{look} {name}": SURROUNDINGS[look](name, ours) for look, name in rows})


def record(path: Path, rows: Mapping[str, Seen]) -> None:
    """Write rows into the record, beside the others."""
    # A deploy and `fab secrets` may both record at one moment, each its own rows.
    with durable.locked(path.with_name("deploys")):
        durable.write(path, json.dumps({**read(path), **rows}).encode(), 0o600)


def read(path: Path = FOUND) -> dict[str, Seen]:
    """Return the record: row → what was found."""
    try:
        seen = path.stat()
    except OSError:
        return {}
    return _read(path, (seen.st_ino, seen.st_mtime_ns, seen.st_size))


@lru_cache(maxsize=1)
def _read(path: Path, _written: tuple[int, int, int]) -> dict[str, Seen]:
    """Read it once for all rows of a look: whoever records writes another file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def followed(before: Mapping[str, Seen], after: Mapping[str, Seen], recorded: Mapping[str, Seen]) -> dict[str, Seen]:
    """Carry into the record what a step of our own changed between two looks, and nothing that a hand did before.

    Only rows that it changed: of others another program may have recorded something new meanwhile.
    """
    return {
        row: _carried(recorded[row], before[row], after[row])
        for row in recorded
        if row in before and row in after and before[row] != after[row]
    }


def _carried(recorded: Seen, before: Seen, after: Seen) -> Seen:
    changed = {what for what in {*before, *after} if before.get(what) != after.get(what)}
    kept = {what: how for what, how in recorded.items() if what not in changed}
    return {**kept, **{what: after[what] for what in changed if what in after}}
