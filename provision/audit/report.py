"""An audit in lines for a reader, and as data for a program."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from provision.audit.judge import Row, Verdict, worst
from provision.audit.observed import NotKnown, Observed

TITLE = "Health check"
SPAN = timedelta(hours=2)
"""How far back Lightsail's metrics are read."""
SHOWN = 10
"""Kinds of errors that are listed on a terminal: the page has them all."""
STYLES = {Verdict.OK: "green", Verdict.LOOK: "yellow", Verdict.BAD: "bold red", Verdict.UNKNOWN: "magenta"}


def lines(seen: Observed, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield each line with its style."""
    yield f"{seen.host}, stack {seen.stack}, {seen.at:%Y-%m-%d %H:%M:%S} UTC", "bold"
    width = max(len(row.name) for row in rows)
    for row in rows:
        yield f"{row.verdict:<9} {row.name:<{width}}  {row.said}", STYLES.get(row.verdict, "")
        if row.cure:
            yield f"{'':<9} {'':<{width}}  → {row.cure}", ""
    yield from ((line, "") for line in _errors(seen))
    yield summary(rows), STYLES.get(worst(rows), "bold")


def summary(rows: Sequence[Row]) -> str:
    """Say how many rows are how, and which are not well."""
    found = {verdict: [row.name for row in rows if row.verdict is verdict] for verdict in reversed(Verdict)}
    well = sum(len(found[verdict]) for verdict in (Verdict.OK, Verdict.NONE))
    others = [f"{verdict}: {', '.join(found[verdict])}" for verdict in (Verdict.BAD, Verdict.UNKNOWN, Verdict.LOOK)
              if found[verdict]]  # fmt: skip
    return "; ".join([*others, f"{well} of {len(rows)} well"])


def _errors(seen: Observed) -> Iterator[str]:
    try:
        patterns = seen.part("journal")["patterns"]
    except (NotKnown, KeyError):
        return
    if patterns:
        yield f"errors in the journal of {seen.hours} hours: how often, first, last, unit"
    for one in patterns[:SHOWN]:
        first, last = (f"{datetime.fromtimestamp(one[end], seen.at.tzinfo):%m-%d %H:%M}" for end in ("first", "last"))
        yield f"  {one['count']:>5} ×  {first}  {last}  {one['unit']}: {one['pattern']}"
    if len(patterns) > SHOWN:
        yield f"  and {len(patterns) - SHOWN} kinds more: --json and --html have them"


def as_data(seen: Observed, rows: Sequence[Row]) -> dict[str, Any]:
    """Return an audit for a program."""
    journal = seen.parts.get("journal")
    return {
        "host": seen.host,
        "stack": seen.stack,
        "at": seen.at.isoformat().replace("+00:00", "Z"),
        "verdict": worst(rows),
        "rows": [{"name": row.name, "verdict": row.verdict, "seen": row.said, "cure": row.cure} for row in rows],
        "errors": journal.value["patterns"] if journal and journal.unknown is None else None,
        "metrics": {
            name: None
            if found.unknown is not None
            else [
                {"at": point.at.isoformat().replace("+00:00", "Z"), "average": point.average, "maximum": point.maximum}
                for point in found.value
            ]
            for name, found in seen.metrics.items()
        },
    }
