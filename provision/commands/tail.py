"""`fab task.tail`: what a task's session does, as it happens."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from provision.commands.options import ANY_HOST, task, whole
from provision.commands.queue import shared_queue
from provision.commands.tail_lines import lines
from provision.commands.task_lines import row
from provision.progress import Progress
from wire.client import Client, Unreachable
from wire.types import Event, Session, State, Task, Unreadable
from wire.values import encode

PAUSE_S = 1.0
"""Between two looks: the worker delivers a record within a second or two."""
MOST_MISSED = 30
"""Looks in a row that may go unanswered: a deploy restarts the dashboard."""
LAST = (0, 1_000_000)
INTERRUPTED = 130
"""128 and SIGINT's number: the exit code that shells know for it."""
_GOES_ON = frozenset({State.QUEUED, State.RUNNING})


@task(
    positional=["task_id"],
    help={
        **ANY_HOST,
        "task-id": "the task's id, as `fab task.list` prints it",
        "json": "print each record of the journal as a line of JSON, and at last the task",
        "last": "how many records of what is there already to begin with",
    },
    example="fab task.tail 01M7ZQGWJRQ9MW3ETQ7MW30V00",
)
def tail(
    _context: Context, task_id: str, last: str = "20", *, json: bool = False, stack: str | None = None,
    host: str | None = None,
) -> None:  # fmt: skip
    """Watch a task's sessions until it is over or waits for you; Ctrl-C stops watching, and the task goes on."""
    count, progress = whole("--last", last, LAST), Progress()
    try:
        with shared_queue(stack, host) as client:
            items = watched(client, task_id, count, time.sleep)
            Progress(aside=True).note(f"watching {task_id}; Ctrl-C stops watching, and the task goes on")
            for item in items:
                if json:
                    _print_line(item)
                else:
                    for line in _lines(item):
                        progress.say(line)
    except KeyboardInterrupt:
        Progress(aside=True).note(f"no longer watched; `fab task.show {task_id}` says how it stands")
        raise Exit(code=INTERRUPTED) from None


def watched(
    client: Client, task_id: str, last: int, sleep: Callable[[float], None]
) -> Iterator[Session | Event | Unreadable | Task]:
    """Return each session that works on a task, its journal's records as they arrive, and at last the task.

    Of what is there already, the latest session's last records. A task that is not there is refused at once.
    """
    _, begun = client.task(task_id), client.sessions(task_id)
    return _followed(client, task_id, last, sleep, begun)


def _followed(
    client: Client, task_id: str, last: int, sleep: Callable[[float], None], begun: Sequence[Session]
) -> Iterator[Session | Event | Unreadable | Task]:
    heard = {session.id: -1 for session in begun[:-1]}  # their journals are read no more
    first, missed = True, 0
    while True:
        try:
            # The task first: what its session did before it ended is delivered before that.
            item, sessions = client.task(task_id), client.sessions(task_id)
            for session in [each for each in sessions if heard.get(each.id) != -1]:
                if session.id not in heard:
                    yield session
                records = _new(client, session.id, heard.get(session.id, 0))
                heard[session.id] = max([heard.get(session.id, 0), *(_end(record) for record in records)])
                yield from records[max(0, len(records) - last) :] if first else records
            first, missed = False, 0
        except Unreachable:
            missed += 1
            if missed >= MOST_MISSED:
                raise
        else:
            if item.state not in _GOES_ON:
                yield item
                return
        sleep(PAUSE_S)


def _new(client: Client, session_id: str, after: int) -> list[Event | Unreadable]:
    found = client.journal(session_id, after)
    return sorted((*found.events, *found.unreadable), key=lambda record: record.n)


def _end(record: Event | Unreadable) -> int:
    return record.n if isinstance(record, Event) else record.last


def _lines(item: Session | Event | Unreadable | Task) -> Iterator[str]:
    match item:
        case Session():
            yield f"session {item.id}, begun {item.started_at}"
        case Task():
            yield row(item)
            if item.waiting:
                yield f"waits for you: `fab task.show {item.id}`"
        case _:
            yield from lines(item)


def _print_line(item: Session | Event | Unreadable | Task) -> None:
    """Print a value as a line of JSON, in ASCII, and at once: its reader waits for it."""
    kind = type(item).__name__.lower()
    sys.stdout.write(json.dumps({kind: encode(item)}) + "\n")
    sys.stdout.flush()
