"""Pause units of this host, or let them work again; a state that boots and deploys leave as it is."""

import subprocess
import time
from pathlib import Path
from typing import Any

from provision.onhost import durable, switching, units
from provision.onhost.errors import Unhealthy
from provision.onhost.health import Times, require_healthy
from provision.onhost.pauses import ALL, DROP_IN, DROP_INS, QUEUE, SENDER, SYNC, WORKER, Pauses
from provision.onhost.runs import Record

SYNC_WAIT_S = 120
"""For a run of the sync to end by itself: it writes to a sheet that people read."""
UNFINISHED = Path("/var/lib/jada-restore/unfinished")
"""A restore that was cut off, as backup/place.py leaves it."""
TIMES = Times(time.monotonic, time.sleep)


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Pause {"pause": units, "word": {"by", "since", "why"}}, or resume {"resume": {"url", "seconds", "limit"}}.

    Answers with {"paused"}, {"active": paused units that did not end}, {"refused"} or {"failed"}, and what it
    "started".
    """
    pauses = Pauses()
    if "pause" in asked:
        _bring_drop_ins()
        pauses.begin(asked["pause"], asked["word"])
        for unit in sorted(asked["pause"], key=_order, reverse=True):
            _stop(unit)
        active = [unit for unit in asked["pause"] if units.is_busy(unit)]
        return {"paused": pauses.all(), "active": active}
    return _resume(pauses, **asked["resume"])


def _order(unit: str) -> int:
    """The queue is started first, and ends last: the worker's last records go there."""
    return (QUEUE, WORKER, SENDER).index(unit) if unit in (QUEUE, WORKER, SENDER) else len(ALL)


def _stop(unit: str) -> None:
    until = time.monotonic() + SYNC_WAIT_S
    while unit == SYNC and units.is_busy(unit) and time.monotonic() < until:
        time.sleep(0.5)
    units.stop(unit)


def _resume(pauses: Pauses, url: str, seconds: float, limit: float) -> dict[str, Any]:
    before = pauses.all()
    if UNFINISHED.exists():
        return {"paused": before, "refused": "a restore was cut off: it holds half of one queue and half of another"}
    record = Record()
    release = record.current()
    if release is None:
        pauses.end(before)
        return {"paused": {}, "started": []}
    known = switching.known_units(record, release)
    services = [unit for unit in (QUEUE, WORKER, SENDER) if unit in known]
    started = [unit for unit in services if unit in before]
    pending = {"release": release, "healthy": services, "health": {"url": url}}
    pauses.end(unit for unit in before if unit not in started)
    try:
        for unit in started:
            # Right before its start: an installer that watches takes what rests and is not paused for what fell.
            pauses.end([unit])
            units.restart(unit)
        require_healthy(switching.looker(record, pending), set(started), seconds, limit, TIMES)
    except Unhealthy as error:
        # Before anything is paused again: the journal's end says why.
        said = units.explained(error)
        for unit, word in before.items():
            pauses.begin([unit], word)
            units.stop(unit)
        return {"paused": pauses.all(), "failed": said}
    return {"paused": {}, "started": started}


def _bring_drop_ins() -> None:
    """On a host whose last deploy knew none."""
    texts = {Path(path): DROP_IN for path in DROP_INS.values()}
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        durable.write(path, DROP_IN.encode(), 0o644)
    if changed:
        subprocess.run(["systemctl", "daemon-reload"], capture_output=True, check=True)
