"""Print a deploy's events from an offset on, as they come, until its last word or until nothing writes any more."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from provision.onhost.events import LAST, parsed
from provision.onhost.runs import Record, is_active

# Only a file is looked at: a step shows as it ends, at no process's price.
LOOK_S = 0.1
ALIVE_S = 5.0
"""A reader that hears nothing for much longer knows that the connection is dead."""


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Follow {"run"} (None: the latest one) from {"offset"} on; `until_deployed` ends at that word.

    Answers with {"run"}, and how it `ended`: "said" (the last word), "silent" (without one) or "unknown" (no such run).
    """
    record = Record()
    run = asked["run"] or next(iter(record.runs()), None)
    if run is None or not (record.run(run) / "orders.json").exists():
        return {"run": run, "ended": "unknown"}
    _say(json.dumps({"following": run}) + "\n")
    last = (*LAST, "deployed") if asked["until_deployed"] else LAST
    return {"run": run, "ended": _follow(record.run(run) / "events", asked["offset"], last)}


def _follow(events: Path, offset: int, last: tuple[str, ...]) -> str:
    spoke = looked = time.monotonic()
    silent = False
    while True:
        lines = _new_lines(events, offset)
        for line in lines:
            offset += len(line)
            _say(line.decode(errors="replace"))
            event = parsed(line.decode(errors="replace"))
            if isinstance(event, dict) and any(kind in event for kind in last):
                return "said"
        now = time.monotonic()
        if silent and not lines:
            return "silent"
        if now - spoke > ALIVE_S:
            _say('{"alive": true}\n')
            spoke = now
        # Each look is a process. Lines that were written between it and the end are read once more.
        if now - looked > 1:
            silent, looked = not is_active(), now
        if not silent:
            time.sleep(LOOK_S)


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def _new_lines(events: Path, offset: int) -> list[bytes]:
    """The whole lines from an offset on."""
    with events.open("rb") as read:
        read.seek(offset)
        new = read.read()
    return new[: new.rfind(b"\n") + 1].splitlines(keepends=True)
