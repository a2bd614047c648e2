"""`fab task.*`: the queue as an operator works with it."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from invoke.collection import Collection
from invoke.context import Context
from msgspec.structs import asdict

from provision.commands.new_file import new_file
from provision.commands.options import ANY_HOST, JSON, TIME, micros, moment, task, whole
from provision.commands.queue import OPTIONS, shared_queue
from provision.commands.tail import tail
from provision.commands.task_lines import details, row
from provision.errors import CommandError
from provision.progress import Progress, print_json
from wire import types
from wire.client import Client, Unreachable
from wire.values import Invalid, Request, decode

Asked = TypeVar("Asked", bound=Request)

ID = {**ANY_HOST, "task-id": "the task's id, as `fab task.list` prints it"}
PRIORITIES, SESSIONS = (0, 9), (0, types.SESSIONS_LIMIT)


@task(
    positional=[],
    iterable=["file", "context", "label"],
    help={
        **ANY_HOST,
        **JSON,
        "title": "what the task is called",
        "template": "a template of [dashboard.templates] to begin with; what is said besides goes before it",
        "description": "what is to be done, up to 8 KB; @FILE reads it from a file",
        "file": "a file that the session gets in its workspace; may be given several times",
        "context": "the same as --file",
        "label": "a word by which it is found again; may be given several times",
        "priority": "0 to 9, the larger first; 5 without it",
        "sessions": "how many sessions it may use; 5 without it",
        "dollars": "how much it may cost in all, as 0.50; 5 without it",
        "not-before": f"when it may begin: {TIME}",
        "key": "a word of yours: the same task with the same word is added only once",
    },
    example="fab task.add --title 'Season occupancy' --description @task.txt --file bookings.csv --not-before +2h",
)
def add(  # noqa: PLR0913 - each argument is an option of the command line
    _context: Context, title: str | None = None, description: str | None = None, template: str | None = None, *,
    file: list[str], context: list[str], label: list[str], priority: str | None = None,
    sessions: str | None = None, dollars: str | None = None, not_before: str | None = None, key: str | None = None,
    json: bool = False, stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """Put a task into the queue and print its id."""
    budget = {
        "sessions": sessions and whole("--sessions", sessions, SESSIONS),
        "usd_micros": dollars and micros("--dollars", dollars),
    }
    given = {
        "title": title,
        "labels": label,
        "priority": priority and whole("--priority", priority, PRIORITIES),
        "not_before": not_before and moment("--not-before", not_before, datetime.now(UTC)),
    }
    files = [Path(name) for name in (*file, *context)]
    if not template:
        if title is None:
            raise CommandError("a task needs a --title", "`fab help task.add` says what each option takes")
        new_task(typed(given, budget), description or "", files)  # what is wrong is said before a connection is made
    with shared_queue(stack, host) as client:
        begun = chosen(client.templates(), template) if template else None
        new = new_task(typed(given, budget, begun), description or (begun.description if begun else ""), files)
        made = added(client, new, key or str(uuid.uuid4()))
        print_json(made) if json else say(made.id)


def typed(given: dict[str, Any], budget: dict[str, Any], begun: types.Template | None = None) -> dict[str, Any]:
    """Return a new task's fields as they were typed, what was not from the template that it begins with."""
    said = {name: value for name, value in given.items() if value not in (None, [])}
    limits = {name: value for name, value in budget.items() if value is not None}
    if begun is None:
        return {"title": None, **said, "budget": limits}
    first = {"title": begun.title, "labels": list(begun.labels), "priority": begun.priority}
    return {**first, **said, "budget": {"sessions": begun.sessions, "usd_micros": begun.usd_micros, **limits}}


def chosen(templates: Sequence[types.Template], name: str) -> types.Template:
    """Return the template of a name; raises `CommandError` that names those that there are."""
    for template in templates:
        if template.name == name:
            return template
    known = ", ".join(template.name for template in templates)
    cure = f"there are: {known}" if known else "none is set up: see [dashboard.templates] in the settings file"
    raise CommandError(f"no template {name!r}", cure)


def added(client: Client, new: types.NewTask, key: str) -> types.Task:
    """Add a task. The client's tries all carry the same key, and the operator's next one can, when none is answered."""
    try:
        return client.add_task(new, key=key)
    except Unreachable as error:
        raise CommandError(
            "the queue did not answer: it is not known whether the task was added",
            f"give the same command once more with --key {key}: that adds it only once",
        ) from error


@task(
    name="list",
    positional=[],
    help={
        **ANY_HOST,
        **JSON,
        "state": "queued, running, needs_you, done, failed or cancelled",
        "words": "whole words that title and description have together",
        "label": "a label that they have",
        "least": "dollars that they have cost at least, as 0.50",
        "most": "dollars that they have cost at most",
        "since": "added at that time or later, as 2026-05-13, 2026-05-13T22:00 here, or with Z in UTC",
        "until": "added before that time",
        "sort": "newest, oldest, or cost: only what cost something, the costliest first",
    },
    example="fab task.list --words 'season occupancy' --state failed",
)
def list_(  # noqa: PLR0913, PLR0917 - each argument is an option of the command line
    _context: Context, state: str | None = None, words: str | None = None, label: str | None = None,
    least: str | None = None, most: str | None = None, since: str | None = None, until: str | None = None,
    sort: str = "newest", *, json: bool = False, stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """List the tasks that fit all that is given, newest first: id, state, sessions used, dollars spent, title."""
    now = datetime.now(UTC)
    times = {"since": since and moment("--since", since, now), "until": until and moment("--until", until, now)}
    typed = {"state": state, "words": words, "label": label, "least": least, "most": most, **times}
    filters = asked_for({name: text for name, text in typed.items() if text}, sort)
    with shared_queue(stack, host) as client:
        found = client.tasks(**filters)
        if json:
            print_json(list(found))
        elif not _say_each(found):
            note = "no task fits that" if any(typed.values()) else "no tasks yet: `fab task.add` makes one"
            only_state = state and not any(text for name, text in typed.items() if name != "state")
            Progress(aside=True).note(f"no task is {state}" if only_state else note)


def asked_for(typed: Mapping[str, str], sort: str) -> dict[str, Any]:
    """Return what is asked of `Client.tasks` from what was typed. Raises `CommandError`."""
    micro = {name: micros(f"--{name}", typed[name]) for name in ("least", "most") if name in typed}
    state = {"state": _state(typed["state"])} if "state" in typed else {}
    try:
        query = decode(types.TasksQuery, {**typed, **micro, **state, "sort": sort})
    except Invalid as error:
        raise CommandError(f"--{error.field}: {error.reason}", "`fab help task.list` says what each takes") from error
    # All that the query has: a filter that were left out here would be taken, and filter nothing.
    return {name: value for name, value in asdict(query).items() if name not in {"cursor", "limit"}}


@task(positional=["task_id"], help={**ID, **JSON}, example="fab task.show 01M7ZQGWJRQ9MW3ETQ7MW30V00")
def show(
    _context: Context, task_id: str, *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Show a task: how it stands, what it waits for, its sessions, its result and files."""
    with shared_queue(stack, host) as client:
        item, sessions = client.task(task_id), client.sessions(task_id)
    if json:
        print_json({"task": item, "sessions": sessions})
        return
    for line in details(item, sessions):
        say(line)


@task(
    positional=["task_id"],
    help={
        **ID,
        **JSON,
        "text": "the answer to its question, or instructions",
        "sessions": "sessions to grant on top",
        "dollars": "dollars to grant on top, as 0.50",
    },
    example="fab task.answer 01M7ZQGWJRQ9MW3ETQ7MW30V00 --text 'Keep them until Friday.'",
)
def answer(  # noqa: PLR0913 - each argument is an option of the command line
    _context: Context, task_id: str, text: str | None = None, sessions: str = "0", dollars: str = "0", *,
    json: bool = False, stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """Answer what a task waits for: a text, or more sessions or dollars."""
    granted, money = whole("--sessions", sessions, SESSIONS), micros("--dollars", dollars)
    if not (text or granted or money):
        raise CommandError("no answer given", "say --text, --sessions or --dollars")
    reply = asked(types.Reply, {"text": text, "sessions": granted, "usd_micros": money}, "task.answer")
    with shared_queue(stack, host) as client:
        _tell(client.reply(task_id, reply, version=client.task(task_id).version), json=json)


@task(
    positional=["task_id"],
    help={
        **ID,
        **JSON,
        "priority": "0 to 9, the larger first",
        "sessions": "how many sessions it may use in all, those that it has used among them",
        "dollars": "how much it may cost in all, what it has cost so far included, as 7.50",
    },
    example="fab task.edit 01M7ZQGWJRQ9MW3ETQ7MW30V00 --priority 9 --dollars 7.50",
)
def edit(  # noqa: PLR0913 - each argument is an option of the command line
    _context: Context, task_id: str, priority: str | None = None, sessions: str | None = None,
    dollars: str | None = None, *, json: bool = False, stack: str | None = None, host: str | None = None,
) -> None:  # fmt: skip
    """Change the priority or the budget of a task that is not over; what is left out stays."""
    given = {
        "priority": priority and whole("--priority", priority, PRIORITIES),
        "sessions": sessions and whole("--sessions", sessions, SESSIONS),
        "usd_micros": dollars and micros("--dollars", dollars),
    }
    wanted = {name: value for name, value in given.items() if value is not None}
    if not wanted:
        raise CommandError("nothing to change", "say --priority, --sessions or --dollars")
    change = asked(types.Edit, wanted, "task.edit")
    with shared_queue(stack, host) as client:
        _tell(client.edit(task_id, change), json=json)


@task(positional=["task_id"], help={**ID, **JSON}, example="fab task.cancel 01M7ZQGWJRQ9MW3ETQ7MW30V00")
def cancel(
    _context: Context, task_id: str, *, json: bool = False, stack: str | None = None, host: str | None = None
) -> None:
    """Cancel a task that is not finished, and its unfinished subtasks; a session that works on it ends in a minute."""
    with shared_queue(stack, host) as client:
        _tell(client.cancel(task_id), json=json)


@task(
    positional=["task_id"],
    help={
        **ID,
        **JSON,
        "afresh": "begin a new session from its checkpoint, instead of going on where the last one stopped",
    },
    example="fab task.retry 01M7ZQGWJRQ9MW3ETQ7MW30V00 --afresh",
)
def retry(
    _context: Context, task_id: str, *, afresh: bool = False, json: bool = False, stack: str | None = None,
    host: str | None = None,
) -> None:  # fmt: skip
    """Queue a failed task again; its session goes on where it stopped, or a new one begins from its checkpoint."""
    with shared_queue(stack, host) as client:
        _tell(client.retry(task_id, afresh=afresh), json=json)


@task(
    positional=["task_id"],
    help={**ID, **JSON, "to": "where to make the folder, which is called like the task's id"},
    example="fab task.get 01M7ZQGWJRQ9MW3ETQ7MW30V00 --to reports",
)
def get(
    _context: Context, task_id: str, to: str = ".", *, json: bool = False, stack: str | None = None,
    host: str | None = None,
) -> None:  # fmt: skip
    """Download a task's result files into a folder of their own; a file that is there is never overwritten."""
    with shared_queue(stack, host) as client:
        item = client.task(task_id)
        content = {name: client.result_file(task_id, name) for name in result_files(item)}
    paths = keep(Path(to), item.id, content)
    if json:
        print_json([{"path": str(path), "size": path.stat().st_size} for path in paths])
        return
    for path in paths:
        say(f"{path}  {path.stat().st_size} bytes")


def result_files(item: types.Task) -> list[str]:
    """Return the names of a task's result files that are still kept; raises `CommandError` where there are none."""
    if not item.files:
        raise CommandError(f"task {item.id} has no result files", "`fab task.show` says how it stands")
    kept = [file.name for file in item.files if file.sha256]
    if not kept:
        cure = "keep_files_days in jada.<stack>.toml says how long they are kept; a backup may have them"
        raise CommandError(f"the files of task {item.id} were deleted as too old", cure)
    return kept


def keep(parent: Path, task_id: str, content: dict[str, bytes]) -> list[Path]:
    """Write a task's files into its folder below `parent`; all or, where one would overwrite another, none.

    Names and contents are a model's: a name that is more than a file's name is refused, whatever the queue allowed.
    """
    folder = parent / task_id
    for name in (task_id, *content):
        if not re.fullmatch(types.FILE_NAME, name):
            raise CommandError(f"{name!r} is no plain file name: nothing was written", "look at the task's page")
    if folder.is_symlink():
        raise CommandError(f"{folder} leads elsewhere: nothing was written", "give another place with --to")
    new = {folder / name: data for name, data in content.items() if not _is_kept(folder / name, data)}
    at, cure = folder, "give another place with --to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for at, data in new.items():
            with new_file(at, cure, 0o666) as file:  # less what the user's umask takes
                file.write(data)
    except OSError as error:
        raise CommandError(f"{at} can't be written: {error.strerror}", cure) from error
    return [folder / name for name in content]


def new_task(given: dict[str, Any], description: str, context: Sequence[Path]) -> types.NewTask:
    """Make a task of what was typed; raises `CommandError` that names the wrong option."""
    try:
        text = Path(description[1:]).read_text(encoding="utf-8") if description.startswith("@") else description
        files = [{"name": path.name, "content": path.read_bytes()} for path in context]
    except OSError as error:
        raise CommandError(f"{error.filename} can't be read: {error.strerror}", "give the path of a file") from error
    except UnicodeDecodeError:
        raise CommandError(f"{description[1:]} is no text in UTF-8", "give it with --file") from None
    return asked(types.NewTask, {**given, "description": text, "context": files}, "task.add")


def asked(cls: type[Asked], given: dict[str, Any], command: str) -> Asked:
    """Make a request of what was typed; raises `CommandError` that names the wrong option."""
    try:
        return decode(cls, given)
    except Invalid as error:
        option = OPTIONS.get(error.field) or OPTIONS.get(error.field.partition("[")[0], error.field)
        raise CommandError(f"{option}: {error.reason}", f"`fab help {command}` says what each option takes") from error


def _tell(item: types.Task, *, json: bool) -> None:
    print_json(item) if json else say(row(item))


def say(text: str) -> None:
    """Print one line of an answer."""
    Progress().say(text)


def _is_kept(path: Path, content: bytes) -> bool:
    """Whether the file is there as an earlier download wrote it; raises `CommandError` for another of its name."""
    if not path.is_symlink() and path.is_file() and path.read_bytes() == content:
        return True
    if path.is_symlink() or path.exists():
        raise CommandError(
            f"{path} is there and is another: nothing was written", "move it away, or give another place with --to"
        )
    return False


def _say_each(found: Iterable[types.Task]) -> int:
    count = 0
    for item in found:
        say(row(item))
        count += 1
    return count


def _state(name: str) -> types.State:
    state = types.State(name)
    if not state.is_known:
        raise CommandError(f"no state {name!r}", f"one of {', '.join(state.value for state in types.State)}")
    return state


namespace = Collection("task", add, list_, show, tail, answer, edit, cancel, retry, get)
