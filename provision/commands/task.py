"""`fab task.*`: the queue as an operator works with it, through a tunnel, with the token that the host holds."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context

from provision.commands.options import ONE_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.keyfiles import materialised
from provision.reach.tunnel import opened
from provision.target import load_target
from wire import types
from wire.client import Client, RequestRefused, Unreachable
from wire.values import Invalid, decode


@contextmanager
def queue_client(stack: str | None, host: str | None) -> Iterator[Client]:
    """Yield the client of a host's queue; its refusals become ours, with a cure."""
    progress = Progress(aside=True)
    target = load_target(stack)
    access = target.access(host, progress)
    try:
        with materialised(access) as keys, opened(keys, target.source.queue) as tunnel:
            yield Client(tunnel.url, tunnel.token())
    except Unreachable as error:
        raise CommandError(
            f"{access.name}: {error}", "see `fab status` and `fab logs --unit jada-dashboard`"
        ) from error
    except RequestRefused as error:
        at = f" (field {error.problem.field})" if error.problem.field else ""
        raise CommandError(f"the queue refused: {error}{at}", "`fab task.show ID` tells how the task stands") from error


@task(
    positional=[],
    iterable=["context"],
    help={
        **ONE_HOST,
        "title": "what the task is called",
        "description": "what is to be done, up to 8 KB; @FILE reads it from a file",
        "context": "a file that the session gets in its workspace; may be given several times",
        "priority": "0 to 9, the larger first",
        "sessions": "how many sessions it may use",
        "dollars": "how much it may cost in all",
    },
)
def add(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    _context: Context, title: str, context: list[str], description: str = "", priority: int = 5,
    sessions: int = 5, dollars: float = 5.0, stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """Put a task into the queue and print its id."""
    new = new_task(title, description, [Path(name) for name in context], priority, sessions, dollars)
    with queue_client(stack, host) as client:
        say(client.add_task(new, key=str(uuid.uuid4())).id)


@task(name="list", help={**ONE_HOST, "state": "queued, running, needs_you, done, failed or cancelled"})
def list_(_context: Context, state: str | None = None, stack: str | None = None, host: str | None = None) -> None:
    """List the tasks, newest first: id, state, sessions used, dollars spent, title."""
    wanted = _state(state) if state else None
    with queue_client(stack, host) as client:
        for item in client.tasks(wanted):
            say(row(item))


@task(positional=["task_id"], help={**ONE_HOST, "task-id": "the task's id"})
def show(_context: Context, task_id: str, stack: str | None = None, host: str | None = None) -> None:
    """Show a task: how it stands, what it waits for, its sessions, its result and files."""
    with queue_client(stack, host) as client:
        for line in details(client.task(task_id), client.sessions(task_id)):
            say(line)


@task(
    positional=["task_id"],
    help={
        **ONE_HOST,
        "task-id": "the task's id",
        "text": "the answer to its question, or instructions",
        "sessions": "sessions to grant on top",
        "dollars": "dollars to grant on top",
    },
)
def answer(
    _context: Context, task_id: str, text: str | None = None, sessions: int = 0, dollars: float = 0.0,
    stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """Answer what a task waits for: a text, or more sessions or dollars."""
    if not (text or sessions or dollars):
        raise CommandError("no answer given", "say --text, --sessions or --dollars")
    reply = types.Reply(text=text, sessions=sessions, usd_micros=micros(dollars))
    with queue_client(stack, host) as client:
        say(row(client.reply(task_id, reply, version=client.task(task_id).version)))


@task(positional=["task_id"], help={**ONE_HOST, "task-id": "the task's id", "to": "the folder to put the files in"})
def get(_context: Context, task_id: str, to: str = ".", stack: str | None = None, host: str | None = None) -> None:
    """Download a task's result files."""
    folder = Path(to)
    with queue_client(stack, host) as client:
        files = client.task(task_id).files
        if not files:
            raise CommandError(f"task {task_id} has no result files", "`fab task.show` tells how it stands")
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            (folder / file.name).write_bytes(client.result_file(task_id, file.name))
            say(f"{folder / file.name}  {file.size} bytes")


def new_task(
    title: str, description: str, context: Sequence[Path], priority: int, sessions: int, dollars: float
) -> types.NewTask:
    """Make a task of what was typed; raises `CommandError` that names the wrong option."""
    try:
        text = Path(description[1:]).read_text(encoding="utf-8") if description.startswith("@") else description
        files = [{"name": path.name, "content": path.read_bytes()} for path in context]
    except OSError as error:
        raise CommandError(f"{error.filename} can't be read: {error.strerror}", "give the path of a file") from error
    budget = {"sessions": sessions, "usd_micros": micros(dollars)}
    data: dict[str, Any] = {"title": title, "description": text, "context": files, "priority": priority}
    try:
        return decode(types.NewTask, {**data, "budget": budget})
    except Invalid as error:
        raise CommandError(
            f"the task is not one: {error}", "`fab --help task.add` says what each option takes"
        ) from error


def row(item: types.Task) -> str:
    """Say a task in a line."""
    spent = item.usd_micros_spent / 1e6
    return f"{item.id}  {item.state.value:<9}  {item.sessions_used} sessions  ${spent:.4f}  {item.title}"


def details(item: types.Task, sessions: Sequence[types.Session]) -> Iterator[str]:
    """Say all about a task, line by line."""
    yield row(item)
    yield f"priority {item.priority}, budget {item.budget.sessions} sessions and ${item.budget.usd_micros / 1e6:.2f}"
    if item.not_before:
        yield f"not before {item.not_before}"
    if item.parent:
        yield f"made by task {item.parent}"
    if item.description:
        yield from _block(item.description)
    for file in item.context:
        yield f"came with {file.name}, {file.size} bytes"
    if item.waiting:
        first, *more = item.waiting.text.split("\n")
        yield f"waits ({item.waiting.kind.value}) since {item.waiting.since}: {first}"
        yield from (f"    {line}" for line in more)
    if item.reason:
        yield f"reason: {item.reason}"
    for one in sessions:
        ended = "runs" if one.exit is None else f"exit {one.exit.value}{', suspended' if one.suspended else ''}"
        yield f"session {one.id} on {one.host}: {ended}, {one.turns} turns, ${one.usd_micros / 1e6:.4f} {one.reason}"
    if item.result:
        yield from _block(item.result)
    for file in item.files:
        yield f"file {file.name}, {file.size} bytes (fab task.get {item.id})"


def _block(text: str) -> Iterator[str]:
    """Lines of others between empty ones: each is printed by itself, so that only these newlines are kept."""
    yield from ("", *text.split("\n"), "")


def micros(dollars: float) -> int:
    """Dollars as whole micro-dollars."""
    return round(dollars * 1_000_000)


def say(text: str) -> None:
    """Print one line of an answer."""
    Progress().say(text)


def _state(name: str) -> types.State:
    state = types.State(name)
    if not state.is_known:
        raise CommandError(f"no state {name!r}", f"one of {', '.join(state.value for state in types.State)}")
    return state


namespace = Collection("task", add, list_, show, answer, get)
