"""The errors in a host's journal by pattern: how often, when first, when last. Read as a stream: it may be large."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

ERROR, WARNING = 3, 4
"""The priorities from which on the journal counts a line as an error or a warning; most programs' lines have 6."""
SAID = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?:\w+(?:\.\w+)+: )?")
"""How a line begins whose program says its level: the level, and the name of the logger, which may hold any word."""
OOM = "killed by the OOM killer"
"""What systemd says with less than a warning, and is one."""
WORDS = re.compile(
    r"error|exception|traceback|\bfail(?:ed|ure|s)?\b|fatal|denied|refused|timed?[ -]?out|no space|out of memory"
    r"|oom[-_ ]kill|segfault|killed|unreachable|panic|critical",
    re.IGNORECASE,
)
"""What a line says that tells of an error, whatever its priority."""
HARMLESS = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed)\b", re.IGNORECASE)
MOST, WIDTH = 200, 160
"""Patterns that are told apart, and characters of one."""
# In this order: a time holds numbers, and an id letters.
_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    # As a number: some digests have no letter.
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b"), "N"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"(?<![\w.])(?!(?:[1-5]\d\d)\b)\d+(?:\.\d+)?(?![\w.]*\d)"), "N"),
)
"""What differs from one line of an error to the next; a number of three digits may be a status, and stays."""


@dataclass(slots=True)
class Found:
    """Lines of one pattern: how many, when first and last, by which unit, and the last one as it stands."""

    count: int
    first: float
    last: float
    unit: str
    sample: str


def errors(units: Iterable[str], hours: int) -> dict[str, Any]:
    """Read the journal of units, and of the kernel; answer with patterns, how many lines there were, and since when."""
    command = [
        # All: a line of over 4096 bytes would come without its text.
        *("journalctl", "--no-pager", "--quiet", "--all", "--output=json", f"--since=-{hours}h"),
        "--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_TRANSPORT",
        *(f"_SYSTEMD_UNIT={unit}" for unit in units),
        *(word for unit in units for word in ("+", f"UNIT={unit}")),
        *("+", "_TRANSPORT=kernel"),
        *("+", "SYSLOG_IDENTIFIER=CRON", "+", "SYSLOG_IDENTIFIER=port-sheet"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        counted = summed(process.stdout or ())
        said = (process.stderr.read() if process.stderr else b"").decode(errors="replace").strip()
    # Also after some lines: the oldest come first, and what is missing is the newest.
    if process.returncode:
        raise RuntimeError(f"journalctl ended with {process.returncode}: {said[-200:]}")
    return counted


def summed(lines: Iterable[bytes]) -> dict[str, Any]:
    """Sum up a journal's lines, as JSON each."""
    found: dict[str, Found] = {}
    count, beyond, first = 0, 0, None
    for entry in _entries(lines):
        count += 1
        at = entry["at"]
        first = at if first is None else min(first, at)
        if not is_error(entry["text"], entry["priority"], of_systemd=entry["of_systemd"]):
            continue
        pattern = normal(entry["text"])
        if pattern in found:
            one = found[pattern]
            one.count, one.last, one.sample = one.count + 1, max(at, one.last), entry["text"][:WIDTH]
            one.first = min(at, one.first)
        elif len(found) < MOST:
            found[pattern] = Found(1, at, at, entry["unit"], entry["text"][:WIDTH])
        else:
            beyond += 1
    patterns = [
        {
            "pattern": name,
            "count": one.count,
            "first": one.first,
            "last": one.last,
            "unit": one.unit,
            "sample": one.sample,
        }
        for name, one in sorted(found.items(), key=lambda item: -item[1].count)
    ]
    return {"patterns": patterns, "lines": count, "since": first, "beyond": beyond}


def _entries(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            read = json.loads(line)
            text = read.get("MESSAGE") or ""
            # A line that is no UTF-8 comes as a list of bytes.
            text = bytes(text).decode(errors="replace") if isinstance(text, list) else str(text)
            unit = read.get("UNIT") or read.get("_SYSTEMD_UNIT") or read.get("SYSLOG_IDENTIFIER") or "?"
            yield {
                "at": int(read["__REALTIME_TIMESTAMP"]) / 1e6,
                "text": text,
                "priority": int(read.get("PRIORITY") or 6),
                "of_systemd": read.get("SYSLOG_IDENTIFIER") == "systemd",
                "unit": "kernel" if read.get("_TRANSPORT") == "kernel" else str(unit),
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def is_error(text: str, priority: int, *, of_systemd: bool = False) -> bool:
    """Whether a line tells of an error: by its level where its program says one, otherwise by its words."""
    if of_systemd:
        # It tells of a file that is not there yet, or no longer, in the words of an error.
        return priority <= WARNING or OOM in text
    said = SAID.match(text)
    if priority <= ERROR or (said and said["level"] in ("ERROR", "CRITICAL")):
        return True
    if said and said["level"] != "WARNING":
        return False
    return bool(WORDS.search(HARMLESS.sub("", text[said.end() :] if said else text)))


def normal(text: str) -> str:
    """Return what the lines of one error have in common: its first line, without what differs from one to the next."""
    line = next((part for part in text.splitlines() if part.strip()), "")[: WIDTH * 2]
    for varying, name in _VARIES:
        line = varying.sub(name, line)
    return " ".join(line.split())[:WIDTH]
