"""Check the next batch of bookings.csv, the N-th part of all (`check_bookings.py N`); progress.json says how far it is.

findings.csv has what was found. A batch that was broken off is checked again, and counted once.
"""

import csv
import datetime as dt
import json
import os
import pathlib
import sys

PROGRESS, FINDINGS = pathlib.Path("progress.json"), pathlib.Path("findings.csv")
KNOWN = ("confirmed", "cancelled", "no_show", "checked_out")


def faults(row: dict[str, str]) -> list[str]:
    """Return what is wrong with one booking."""
    try:
        arrival, departure = (dt.date.fromisoformat(row[key]) for key in ("arrival", "departure"))
        nights, adults, rate = int(row["nights"]), int(row["adults"]), float(row["rate"])
    except ValueError as error:
        return [f"unreadable: {error}"]
    found = {
        "departs before it arrives": departure < arrival,
        "nights differ from the dates": nights != (departure - arrival).days,
        "nobody is coming": adults + int(row["children"] or 0) < 1,
        "rate below zero": rate < 0,
        f"unknown status {row['status']}": row["status"] not in KNOWN,
    }
    return [fault for fault, there in found.items() if there]


def load() -> tuple[int, list[list[str]]]:
    """Return how many bookings are checked, and what was found in them."""
    if not PROGRESS.exists():
        return 0, []
    progress = json.loads(PROGRESS.read_text("utf-8"))
    return progress["checked"], progress["findings"]


def save(path: pathlib.Path, text: str) -> None:
    """Replace a file at once, so that a kill leaves the old or the new one."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(path)


def main(parts: int) -> None:
    """Check one batch, keep what it found and how far it came, and tell."""
    with pathlib.Path("bookings.csv").open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    start, findings = load()
    end = min(len(rows), start + max(1, -(-len(rows) // parts)))
    findings += [[row["id"], fault] for row in rows[start:end] for fault in faults(row)]
    save(PROGRESS, json.dumps({"checked": end, "findings": findings}))
    save(FINDINGS, "".join(f"{line}\n" for line in ["id,finding", *(f"{key},{what}" for key, what in findings)]))
    sys.stdout.write(f"checked {start + 1} to {end} of {len(rows)}, findings so far: {len(findings)}\n")
    if end == len(rows):
        sys.stdout.write(f"all {len(rows)} bookings checked\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
