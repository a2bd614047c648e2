"""`fab status`: how a host is: its units, its release, the queue and the last sync."""

from collections import Counter
from collections.abc import Iterator, Sequence

from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.commands.task import queue_client
from provision.progress import Progress
from provision.release import plan
from provision.release.bundle import SERVICES
from provision.release.plan import Probed
from provision.target import load_target
from wire.types import Notifications, SyncRun, Task


@task(help=ONE_HOST)
def status(_context: Context, stack: str | None = None, host: str | None = None) -> None:
    """Show a host's units and release, its queue, and its last sync."""
    progress = Progress(aside=True)
    target = load_target(stack)
    with target.connected(host, progress) as box:
        for line in host_lines(plan.read_probe(box.program("probe", plan.probe_request()))):
            progress.say(line)
    with queue_client(stack, host) as client:
        for line in queue_lines(list(client.tasks()), client.sync_runs()):
            progress.say(line)
        progress.say(notification_line(client.notifications()))


def host_lines(probed: Probed) -> Iterator[str]:
    """Say what the probe saw."""
    yield f"release    {probed.current or 'none yet: run `fab deploy`'}"
    for unit, state in probed.units.items():
        running = f", release {state['release']}" if state.get("release") else ""
        restarts = f", restarted {state['NRestarts']} times" if state.get("NRestarts", "0") not in ("", "0") else ""
        result = f", last run: {state.get('Result')}" if unit not in SERVICES else ""
        yield f"{unit:<24} {state.get('ActiveState')} ({state.get('SubState')}){running}{restarts}{result}"


def queue_lines(tasks: Sequence[Task], runs: Sequence[SyncRun]) -> Iterator[str]:
    """Say what the queue holds and how the last sync went; a failed one with cause and cure."""
    counts = Counter(task.state.value for task in tasks)
    yield "tasks      " + (", ".join(f"{count} {state}" for state, count in counts.items()) or "none")
    yield from (f"waiting    {task.id}  {task.title}: {task.waiting.text}" for task in tasks if task.waiting)
    if not runs:
        yield "last sync  none yet"
        return
    last = runs[0]
    figures = f"{last.rows_read} read, {last.added} added, {last.changed} changed, {last.removed} removed"
    yield f"last sync  {last.finished_at}  {last.outcome.value}: {figures}"
    if last.cause:
        yield f"           {last.cause}; {last.cure}"


def notification_line(standing: Notifications) -> str:
    """Say who is notified, and what has not reached them."""
    if not standing.targets:
        return "notified   none is set up: what waits is only on the page; see [dashboard.notify] in the settings file"
    named = f"notified   {', '.join(standing.targets)}"
    if not standing.unsent:
        return f"{named}; nothing unsent"
    return f"{named}; {standing.unsent} unsent, the oldest since {standing.oldest}  {standing.answer}".rstrip()
