"""`python -m agent.journal show|cost|verify FILE`: read a session's journal, as an operator does on the host.

`show` prints a line for each record, `cost` tokens and dollars turn by turn, `verify` says whether all of the file can
be read and what is unfinished; it exits 1 when something is damaged. Text of model and tools is shown escaped.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.record.journal import read, unread
from agent.record.limits import spent
from wire.terminal import printable
from wire.types import Event, EventKind

_WIDTH = 160
"""Characters of a record's line: its beginning says what it is, `--json` has all of it."""
_TOKENS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


def shown(events: Sequence[Event]) -> Iterator[str]:
    """Yield a line for each record: number, time, kind, and how it begins."""
    for event in events:
        if event.kind is not EventKind.STREAM:
            text = json.dumps(event.data, ensure_ascii=False)
            yield printable(f"{event.n:5}  {event.at}  {event.kind.value:12}  {text}"[:_WIDTH])


def costs(events: Sequence[Event]) -> Iterator[str]:
    """Yield a line for each request that has an end, and the sum with those that have none counted at their worst."""
    yield f"{'turn':>5}  {'input':>8}  {'read':>8}  {'written':>8}  {'output':>8}  {'dollars':>9}"
    for event in events:
        if event.kind in (EventKind.SETTLE, EventKind.CUT):
            yield _cost(event)
    used = spent(events)
    yield f"{used.turns} turns, ${used.usd_micros / 1e6:.4f}; requests without a known end count at their worst"


def _cost(event: Event) -> str:
    usage = event.data.get("usage") or {}
    tokens = "  ".join(f"{usage.get(name) or 0:8}" for name in _TOKENS)
    known = event.data.get("usd_micros")
    price = "  at worst" if known is None else f"{known / 1e6:9.4f}"
    return f"{event.data.get('turn', '?'):>5}  {tokens}  {price}{'  cut' if event.kind is EventKind.CUT else ''}"


def findings(events: Sequence[Event], left: bytes) -> Iterator[str]:
    """Yield what is damaged: bytes that are no record, and records whose beginning is missing."""
    if left.strip():
        yield f"{len(left)} bytes behind record {len(events)} can't be read: a torn record, or a damaged file"
    if events and events[0].kind is not EventKind.HEADER:
        yield f"it begins with a {events[0].kind.value}, not with its header"
    reserved = {event.data.get("turn") for event in events if event.kind is EventKind.RESERVE}
    for event in events:
        if event.kind is EventKind.SETTLE and event.data.get("turn") not in reserved:
            yield f"record {event.n} settles turn {event.data.get('turn')}, which was never reserved"


def unfinished(events: Sequence[Event]) -> Iterator[str]:
    """Yield what a session would go on with: no damage."""
    ended = {event.data.get("tool_use_id") for event in events if event.kind is EventKind.TOOL_RESULT}
    for event in events:
        if event.kind is EventKind.TOOL_STARTED and event.data.get("tool_use_id") not in ended:
            yield f"the call {event.data.get('tool_use_id')} ({event.data.get('name')}) began and has no result"
    if not events or events[-1].kind not in (EventKind.END, EventKind.SUSPEND):
        yield "the session has no last word: it runs, or crashed"


def main(arguments: list[str]) -> int:
    """Do one of the three; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m agent.journal", description=__doc__.split("\n\n")[1])
    parser.add_argument("command", choices=("show", "cost", "verify"))
    parser.add_argument("file", type=Path, help="a session's journal.jsonl")
    parser.add_argument("--json", action="store_true", help="show: each record as it is, one a line")
    asked = parser.parse_args(arguments)
    try:
        events, left = read(asked.file), unread(asked.file)
    except OSError as error:
        return _say([printable(f"{asked.file}: {error.strerror}")], 2)
    if asked.command == "show":
        return _say(map(_whole, events) if asked.json else shown(events))
    if asked.command == "cost":
        return _say(costs(events))
    damage = [*findings(events, left)]
    _say(map(printable, (*damage, *unfinished(events))))
    return _say([f"{len(events)} records, {'DAMAGED' if damage else 'all readable, in order'}"], 1 if damage else 0)


def _whole(event: Event) -> str:
    record: dict[str, Any] = {"n": event.n, "at": event.at, "kind": event.kind.value, "data": event.data}
    return json.dumps(record)


def _say(lines: Iterable[str], code: int = 0) -> int:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
