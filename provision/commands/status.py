"""`fab status`: how hosts are: units and release of each, their queue and the last sync."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from invoke.context import Context

from provision.commands import fleet
from provision.commands.options import EACH_HOST, JSON, task
from provision.commands.queue import queue_client
from provision.progress import Progress, print_json
from provision.release import plan
from provision.release.plan import Probed
from provision.system.units import SERVICES
from provision.target import load_target
from wire.types import Notifications, SyncRun, Task


@task(help={**EACH_HOST, **JSON}, example="fab status")
def status(_context: Context, *, json: bool = False, stack: str | None = None, host: str | None = None) -> None:
    """Show units and release of each host, their queue, and the last sync. Of several hosts JSON has a list."""
    progress = Progress(aside=True)
    target = load_target(stack)
    names = [each.name for each in target.hosts(host)]

    def look(name: str) -> Probed:
        with target.connected(name, fleet.progress_of(name, names, progress)) as box:
            return plan.read_probe(box.program("probe", plan.probe_request()))

    outcomes = fleet.on_each(names, look)
    if len(names) == 1:
        fleet.require_all(outcomes)
    if not json:
        for line in hosts_lines(outcomes):
            progress.say(line)
    # They have one queue: any host that has a release knows it all.
    asked = next((each.host for each in outcomes if each.value and each.value.current), None)
    tasks: list[Task] | None = None
    runs: tuple[SyncRun, ...] = ()
    if asked:
        with queue_client(stack, asked) as client:
            tasks, runs, told = list(client.tasks()), client.sync_runs(), client.notifications()
        if not json:
            for line in (*queue_lines(tasks, runs), notification_line(told)):
                progress.say(line)
    if json:
        print_json(all_as_data(outcomes, tasks, runs))
    fleet.require_all(outcomes)


def hosts_lines(outcomes: Sequence[fleet.Outcome]) -> Iterator[str]:
    """Say how each host is; one that can't be looked at, why."""
    for each in outcomes:
        yield f"host       {each.host}"
        if each.value:
            yield from host_lines(each.value)
        else:
            yield f"           {each.error.cause if each.error else fleet.NOT_BEGUN}"


def all_as_data(
    outcomes: Sequence[fleet.Outcome], tasks: Sequence[Task] | None, runs: Sequence[SyncRun]
) -> dict[str, Any]:
    """Return all that for a program: of one host as ever, of several each in a list beside what they share."""
    found = [
        as_data(each.host, each.value, tasks, runs)
        if each.value
        else {"host": each.host, "error": each.error.cause if each.error else fleet.NOT_BEGUN}
        for each in outcomes
    ]
    if len(found) == 1:
        return found[0]
    own = ("host", "release", "paused", "units", "error")
    shared = next((each for each in found if "units" in each), {})
    return {
        "hosts": [{key: each[key] for key in own if key in each} for each in found],
        **{key: value for key, value in shared.items() if key not in own},
    }


def as_data(name: str, probed: Probed, tasks: Sequence[Task] | None, runs: Sequence[SyncRun]) -> dict[str, Any]:
    """Return all that for a program; `tasks` is None where there is no queue yet."""
    return {
        "host": name,
        "release": probed.current,
        "paused": probed.paused,
        "units": {unit: {**state, "NRestarts": _restarts(state)} for unit, state in probed.units.items()},
        "tasks": None if tasks is None else Counter(task.state.value for task in tasks),
        "waiting": [task for task in tasks or () if task.waiting],
        "last_sync": runs[0] if runs else None,
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


def queue_lines(tasks: Sequence[Task], runs: Sequence[SyncRun]) -> Iterator[str]:
    """Say what the queue holds and how the last sync went; a failed one with cause and cure."""
    counts = Counter(task.state.value for task in tasks)
    yield "tasks      " + (", ".join(f"{count} {state}" for state, count in counts.items()) or "none yet")
    yield from (f"waiting    {task.id}  {task.title}: {task.waiting.text}" for task in tasks if task.waiting)
    if not runs:
        yield "last sync  none yet"
        return
    last = runs[0]
    figures = f"{last.rows_read} read, {last.added} added, {last.changed} changed, {last.removed} removed"
    yield f"last sync  {last.finished_at}  {last.outcome.value}: {figures}"
    if last.cause:
        yield f"           {last.cause}; {last.cure}"


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
