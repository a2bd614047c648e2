"""Read what deploys left on this host: who began which, when, by which plan, and how each ended."""

import json
from typing import Any

from provision.onhost.events import LAST, Events
from provision.onhost.runs import Record, is_active


def main(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer with the {"last"} so many deploys, the latest first."""
    record = Record()
    return [_deploy(record, run) for run in record.runs()[: asked["last"]]]


def _deploy(record: Record, run: str) -> dict[str, Any]:
    events = Events(record.run(run) / "events")
    read = events.read()
    orders = _orders(record, run)
    return {
        "run": run,
        "who": orders.get("who") or None,
        "release": orders.get("id"),
        "before": orders.get("seen"),
        "plan": orders.get("digest"),
        "began": read[0].get("at") if read else None,
        "ended": read[-1].get("at") if events.last() else None,
        "outcome": _outcome(read),
        "at_work": events.last() is None and is_active() and run == next(iter(record.runs()), None),
    }


def _outcome(read: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The last word, or that it was deployed, without the time."""
    said = [event for event in read if any(kind in event for kind in (*LAST, "deployed"))]
    return {key: value for key, value in said[-1].items() if key != "at"} if said else None


def _orders(record: Record, run: str) -> dict[str, Any]:
    try:
        read = json.loads((record.run(run) / "orders.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
