"""`fab status`: how a host is: its units, its release, the queue and the last sync."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invoke.context import Context

from provision.commands.options import JSON, ONE_HOST, task
from provision.commands.queue import queue_client
from provision.progress import Progress, print_json
from provision.release import plan
from provision.release.plan import Probed
from provision.system.units import SERVICES
from provision.target import load_target
from wire.client import Client, RequestRefused
from wire.types import HostDayUse, HostList, HostStanding, Notifications, State, SyncRun, Task

_COUNTED = re.compile(r'^jada_tasks\{state="(\w+)"\} (\S+)$', re.MULTILINE)


@task(help={**ONE_HOST, **JSON}, example="fab status")
def status(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Show a host's units and release, its queue, and its last sync."""
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        name, probed = box.name, plan.read_probe(box.program("probe", plan.probe_request()))
    if not json:
        for line in (f"host       {name}", *host_lines(probed)):
            progress.say(line)
    if probed.current is None:
        if json:
            print_json(as_data(name, probed, None))
        return
    with queue_client(stack, host) as client:
        seen, notifications, fleet = look(client), client.notifications(), _fleet(client)
    if json:
        print_json({**as_data(name, probed, seen), "hosts": fleet})
        return
    names = {each.calls_itself: each.name for each in target.inventory.hosts}
    for line in (*queue_lines(seen), *fleet_lines(fleet, names)):
        progress.say(line)
    progress.say(notification_line(notifications))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a queue holds: how many tasks in each state, those that wait for a user, the latest sync runs."""

    counts: Mapping[str, int]
    waiting: Sequence[Task]
    runs: Sequence[SyncRun]


def look(client: Client) -> Seen:
    """Ask a queue for that. Its tasks are counted by itself: there may be a million."""
    counted = ((state, int(float(count))) for state, count in _COUNTED.findall(client.metrics()))
    return Seen(
        counts={state: count for state, count in counted if count},
        waiting=tuple(task for task in client.tasks(State.NEEDS_YOU) if task.waiting),
        runs=client.sync_runs(),
    )


def as_data(name: str, probed: Probed, seen: Seen | None) -> dict[str, Any]:
    """Return all that for a program; `seen` is None where there is no queue yet."""
    return {
        "host": name,
        "release": probed.current,
        "paused": probed.paused,
        "units": {unit: {**state, "NRestarts": _restarts(state)} for unit, state in probed.units.items()},
        "tasks": None if seen is None else seen.counts,
        "waiting": seen.waiting if seen else [],
        "last_sync": seen.runs[0] if seen and seen.runs else None,
    }


def host_lines(probed: Probed) -> Iterator[str]:
    """Say what the probe saw."""
    yield f"release    {probed.current or 'none yet: `fab deploy` brings one'}"
    yield from (f"paused     {line}" for line in plan.pause_lines(probed.paused))
    for unit, state in probed.units.items():
        running = f", release {state['release']}" if state.get("release") else ""
        times = _restarts(state)
        restarts = f", restarted {times} time{'' if times == 1 else 's'}" if times else ""
        result = f", last run: {state.get('Result')}" if unit not in SERVICES else ""
        yield f"{unit:<24} {state.get('ActiveState')} ({state.get('SubState')}){running}{restarts}{result}"


def queue_lines(seen: Seen) -> Iterator[str]:
    """Say what the queue holds and how the last sync went; a failed one with cause and cure."""
    yield "tasks      " + (", ".join(f"{count} {state}" for state, count in seen.counts.items()) or "none yet")
    yield from (f"waiting    {task.id}  {task.title}: {task.waiting.text}" for task in seen.waiting if task.waiting)
    if not seen.runs:
        yield "last sync  none yet"
        return
    last = seen.runs[0]
    figures = f"{last.rows_read} read, {last.added} added, {last.changed} changed, {last.removed} removed"
    yield f"last sync  {last.finished_at}  {last.outcome.value}: {figures}"
    if last.cause:
        yield f"           {last.cause}; {last.cure}"


def _fleet(client: Client) -> HostList:
    """Ask for the queue's hosts; a dashboard of an earlier release does not know."""
    try:
        return client.hosts()
    except RequestRefused:
        return HostList()


def fleet_lines(fleet: HostList, names: Mapping[str, str]) -> Iterator[str]:
    """Say how each host of the queue stands, where there are several, and what today took in all; `names` are those of
    --host by those that hosts have themselves, as the page does.
    """
    if len(fleet.hosts) < 2:
        return
    for each in fleet.hosts:
        called = f"{names[each.host]} ({each.host})" if each.host in names else each.host
        yield f"on         {called}: {'; '.join(_host_words(each))}"
        yield from (f"           runs {run.task}  {run.title}" for run in each.running)
        yield from (f"           wrong: {said}" for said in each.wrong)
    yield f"today      {_day(fleet.today)} on all hosts{_caps(fleet)}"


def _host_words(one: HostStanding) -> Iterator[str]:
    if one.silent:
        yield f"SILENT since {one.heard_at}"
    elif one.heard_at:
        yield f"heard of at {one.heard_at}"
    if one.load is not None:
        yield f"load {one.load:.2f} of {one.cpus}"
    if one.free_mb is not None:
        yield f"{one.free_mb} MB free"
    if one.roles:
        yield f"does for all {', '.join(one.roles)}"
    yield f"{_day(one.today)} today"


def _day(used: HostDayUse) -> str:
    return f"{used.sessions} session{'' if used.sessions == 1 else 's'}, ${used.usd_micros / 1_000_000:.2f}"


def _caps(fleet: HostList) -> str:
    if fleet.taken is None:
        return ""
    sessions = f" of {fleet.sessions_per_day} sessions" if fleet.sessions_per_day else " sessions"
    usd = f" of ${fleet.usd_micros_per_day / 1_000_000:.2f}" if fleet.usd_micros_per_day else ""
    return (
        f"; taken of the caps for all: {fleet.taken.sessions}{sessions}, ${fleet.taken.usd_micros / 1_000_000:.2f}{usd}"
    )


def _restarts(state: dict[str, Any]) -> int:
    return int(state.get("NRestarts") or 0)


def notification_line(standing: Notifications) -> str:
    """Say who is notified, and what has not reached them."""
    if not standing.targets:
        return "notified   none is set up: what waits is only on the page; see [dashboard.notify] in the settings file"
    named = f"notified   {', '.join(standing.targets)}"
    if not standing.unsent:
        return f"{named}; nothing unsent"
    return f"{named}; {standing.unsent} unsent, the oldest since {standing.oldest}  {standing.answer}".rstrip()
