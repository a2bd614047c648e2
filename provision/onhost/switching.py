"""Making a release current, and going back from one that is not proven to the last one that is."""

import os
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

from provision.onhost import durable, readiness, units, whole
from provision.onhost.errors import Unhealthy
from provision.onhost.events import Events
from provision.onhost.health import BLIND, Look, Times, require_healthy
from provision.onhost.pauses import Pauses
from provision.onhost.runs import Record


def activate(record: Record, events: Events, release: str, restart: Iterable[str], what: str) -> set[str]:
    """Make a release current and restart units; return those that were started. Raises `Unhealthy`."""
    with events.step(what):
        # Units are links through `current`: systemd reads them again before one of them is restarted.
        point_current(record, release)
        units.reload()
    known, fresh = known_units(record, release), set()
    for unit in restart:
        # A release that is gone back to may be older than a unit.
        if unit not in known:
            units.stop(unit)
            continue
        with events.step(f"restart {unit}"):
            units.restart(unit)
        fresh.add(unit)
    return fresh


def point_current(record: Record, release: str) -> None:
    """Let `current`, and with it all links, lead to a release."""
    durable.link(record.home / "current", f"releases/{release}")
    # Cron reads a file again when its folder's time changes; the link itself does not.
    os.utime(record.cron)


def known_units(record: Record, release: str) -> set[str]:
    """Return the names of the units that a release has."""
    return {path.name for path in (record.home / "releases" / release / "units").glob("*")}


def looker(record: Record, pending: dict[str, Any]) -> Callable[[], Look]:
    """Return what looks at a release: its units, its queue, and whether its worker's poll was answered."""
    release, url = pending["release"], pending["health"]["url"]
    known = known_units(record, release)
    manifest = whole.manifest(record.home / "releases" / release) or {}
    port = _port_of(record, release)

    def look() -> Look:
        current = record.current()
        wrong = f"`current` leads to {current}" if current != release else readiness.queue_problem(url, port)
        # At each look: a user may pause a unit meanwhile, and resume it.
        paused = Pauses(record.home / "paused").all()
        watched = [unit for unit in pending["healthy"] if unit in known and unit not in paused]
        asks_worker = wrong is None and bool(manifest.get("polls"))
        runs, word = units.runs(watched, worker=asks_worker)
        if asks_worker:
            wrong = units.poll_problem(release, word)
        return BLIND if runs is None else Look(runs, wrong)

    return look


def _port_of(record: Record, release: str) -> str | None:
    """Return where a release answers that has no socket; None for one whose settings have one."""
    try:
        text = (record.home / "releases" / release / "etc/jada.toml").read_text(encoding="utf-8")
        page = tomllib.loads(text).get("dashboard", {})
    except (OSError, ValueError):
        return None
    return None if page.get("socket") else f"http://{page.get('address', '127.0.0.1')}:{page.get('port', 8765)}"


def proven_before(record: Record, release: str) -> str | None:
    """Return the whole release that was proven last, other than this one."""
    others = (each for each in record.proven() if each != release)
    return next((each for each in others if whole.is_whole(record.home / "releases" / each)), None)


def undo(record: Record, events: Events, pending: dict[str, Any], times: Times, *, leave: bool) -> str:
    """Go back from a pending release to the last proven one; say how that ended.

    Where there is none, what was restarted is stopped, unless it is to be left: then nothing says that it is unhealthy.
    """
    to = proven_before(record, pending["release"])
    if to is None:
        # It stays pending: its worker takes no task, and the next deploy proves it or another.
        if leave:
            return "There is no proven release before it to go back to: it stays, and its worker takes no task."
        for unit in pending["restart"]:
            units.stop(unit)
        return "There is no proven release before it to go back to; what was restarted is stopped."
    health = pending["health"]
    before = {**pending, "release": to}
    try:
        paused = Pauses(record.home / "paused").all()
        healthy = [unit for unit in pending["healthy"] if unit not in paused]
        stale = [unit for unit in healthy if units.is_stale(unit, to, record.home)]
        fresh = activate(record, events, to, stale, f"go back to release {to}")
        # Before the proof: a power cut from here on must boot what is current now.
        record.end()
        with events.step(f"wait until it has been healthy for {health['steady_s']} s"):
            require_healthy(looker(record, before), fresh, health["steady_s"], health["seconds"], times)
    except Unhealthy as error:
        record.end()
        return f"Going back to release {to}, the last proven one, failed as well: {units.explained(error)}"
    return f"The last proven release, {to}, is back and healthy."
