"""A host that was observed whole, and is well: what a test takes away, or makes worse, is its point."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from provision.audit.observed import Observed, Point, Rest, Seen
from provision.reach.firewall import Opening
from provision.system.units import UNITS
from wire.types import Counted, Notifications, SessionRates, SessionsOfDay, SyncOutcome, SyncRun, SyncRunList, Wellness

NOW = datetime(2026, 5, 13, 18, 0, tzinfo=UTC)


def stamp(at):
    return at.isoformat().replace("+00:00", "Z")


def points(value, count=24, minutes=5, maximum=None):
    begin = NOW - timedelta(minutes=minutes * (count + 1))
    top = value if maximum is None else maximum
    return [Point(begin + timedelta(minutes=minutes * i), value, top) for i in range(count)]


def counted(hours, begun=10, hits=1, failed=0, ended=None):
    done = begun if ended is None else ended
    figures = {"finished": done - hits, "hits": hits, "early": 0, "failed": failed, "sureness": "of few"}
    return Counted(hours=hours, begun=begun, ended=done, **figures)


def rates(**of_the_day):
    day = SessionsOfDay(day="2026-05-13", finished=9, hits=1, others=0)
    return SessionRates(turns=30, periods=(counted(24, **of_the_day), counted(168)), days=(day,))


def run(minutes_ago, outcome=SyncOutcome.UNCHANGED, **fields):
    at = stamp(NOW - timedelta(minutes=minutes_ago))
    return SyncRun(started_at=at, finished_at=at, outcome=outcome, rows_read=600, **fields)


def runs(*found):
    return SyncRunList(sync_runs=found)


def unit(**changes):
    return {"ActiveState": "active", "LoadState": "loaded", "Result": "success", "NRestarts": "0", **changes}


PARTS = {
    "host": {"now": 0.0, "uptime_s": 3 * 86400.0, "load": [0.0, 0.01, 0.0], "cpus": 2, "reboot_required": False},
    "memory": {"total": 914 << 20, "available": 770 << 20},
    "disk": {"total": 39 << 30, "free": 32 << 30, "inodes": 1000, "inodes_free": 900},
    "units": {name: unit() for name in UNITS},
    "failed": [],
    "journal": {"patterns": [], "lines": 400, "since": NOW.timestamp() - 86000, "beyond": 0},
    "secrets": {"/home/jada/secrets": ["0700", "root"], "/home/jada/secrets/anthropic_api_key": ["0600", "root"]},
    "token": {"kind": "authorized_user", "since": NOW.timestamp() - 86400},
    "updates": {"pending": [], "security": [], "fetched": NOW.timestamp() - 3600},
    "ready": "ready",
    "tasks": [],
    "sync_runs": runs(run(10)),
    "rates": rates(),
    "wellness": Wellness(well=True),
    "notifications": Notifications(targets=("ops",)),
}
METRICS = {
    "CPUUtilization": points(0.65),
    "BurstCapacityPercentage": points(98.0),
    "NetworkIn": points(120_000.0),
    "NetworkOut": points(80_000.0),
    "StatusCheckFailed": points(0.0, 110, 1),
    "StatusCheckFailed_Instance": points(0.0, 110, 1),
    "StatusCheckFailed_System": points(0.0, 110, 1),
}
WELL = Observed(
    host="box",
    stack="prod",
    at=NOW,
    hours=24,
    instance=Seen("running"),
    metrics={name: Seen(found) for name, found in METRICS.items()},
    doors=Seen([Opening("tcp", 22, 22, ("203.0.113.7/32",))]),
    cidrs=Seen(("203.0.113.0/24",)),
    parts={name: Seen(found) for name, found in PARTS.items()},
    drift=Seen([]),
    rest=Seen(Rest()),
)


@pytest.fixture
def well():
    return WELL


def with_part(name, value):
    return replace(WELL, parts={**WELL.parts, name: Seen(value)})


def without_part(name, why="it was not looked at"):
    return replace(WELL, parts={**WELL.parts, name: Seen(unknown=why)})


def with_metric(name, found):
    return replace(WELL, metrics={**WELL.metrics, name: Seen(found)})
