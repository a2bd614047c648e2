"""A task in lines for a reader. Texts in it are a model's or a user's: whoever prints them makes them harmless."""

from collections.abc import Iterator, Sequence

from provision.commands.options import dollars
from wire import types

ENDINGS = {
    types.Exit.FINISHED: "finished",
    types.Exit.TURN_LIMIT: "reached its turns and handed over",
    types.Exit.ASKED: "asked you",
    types.Exit.BUDGET: "reached its budget",
    types.Exit.STUCK: "got stuck",
    types.Exit.SUBTASKS: "rests until its subtasks are over",
    types.Exit.FENCED: "ended: the task was cancelled or went to another",
    types.Exit.FAULT: "failed by our fault",
    types.Exit.UNAVAILABLE: "ended: Claude's API was not there",
    types.Exit.DRAINED: "ended for a restart",
}


def row(item: types.Task) -> str:
    """Say a task in a line."""
    used = f"{item.sessions_used} session{'' if item.sessions_used == 1 else 's'}"
    return f"{item.id}  {item.state.value:<9}  {used:<11}  {dollars(item.usd_micros_spent):>6}  {item.title}"


def details(item: types.Task, sessions: Sequence[types.Session]) -> Iterator[str]:
    """Say all about a task, line by line."""
    yield row(item)
    yield from _asked(item)
    if item.description:
        yield from _block(item.description)
    for file in item.context:
        yield f"came with {file.name}, {file.size} bytes{_gone(file)}"
    if item.waiting:
        first, *more = item.waiting.text.split("\n")
        yield f"waits ({item.waiting.kind.value}) since {item.waiting.since}: {first}"
        yield from (f"    {line}" for line in more)
    if item.reason:
        yield f"reason: {item.reason}"
    for act in item.acts:
        yield f"{act.deed.value} by {act.by}, {act.at}" + (f": {act.text}" if act.text else "")
    for one in sessions:
        yield f"session {one.id}: {_ending(one)}, {one.turns} turns, {dollars(one.usd_micros)} {one.reason}".rstrip()
    if item.result:
        yield from _block(item.result)
    for file in item.files:
        yield f"file {file.name}, {file.size} bytes{_gone(file) or f' (fab task.get {item.id})'}"


def _gone(file: types.FileInfo) -> str:
    return "" if file.sha256 else ", deleted as too old"


def _asked(item: types.Task) -> Iterator[str]:
    yield f"priority {item.priority}, budget {item.budget.sessions} sessions and {dollars(item.budget.usd_micros)}"
    if item.labels:
        yield f"labels: {' '.join(item.labels)}"
    if item.waits_for:
        yield f"waits for {len(item.waits_for)} subtask{'' if len(item.waits_for) == 1 else 's'}:"
        yield from (f"    fab task.show {name}" for name in item.waits_for)
    elif item.not_before:
        yield f"not before {item.not_before}"
    if item.parent:
        yield f"made by task {item.parent}"


def _ending(session: types.Session) -> str:
    if session.exit is None:
        return "runs"
    ended = ENDINGS.get(session.exit, f"ended by exit {session.exit.value}")
    return f"{ended}, will go on" if session.suspended else ended


def _block(text: str) -> Iterator[str]:
    """Lines of others between empty ones: each is printed by itself, so that only these newlines are kept."""
    yield from ("", *text.split("\n"), "")
