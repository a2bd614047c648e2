"""How a session's process ends: a small family of exceptions, each with its exit, and the journal's last record."""

from typing import Any, ClassVar

from agent.record.limits import Spent
from wire.types import EventKind, Exit


class Ending(Exception):
    """The end of the process: `reason` for the user, `handed` what goes into the last record."""

    exit: ClassVar[Exit]

    def __init__(self, reason: str, **handed: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.handed = handed


class Finished(Ending):
    """The model is done: `result`, and the names of its `files`."""

    exit = Exit.FINISHED


class HandedOver(Ending):
    """No turn or no room is left: `checkpoint` is what the next session starts from."""

    exit = Exit.TURN_LIMIT


class Asked(Ending):
    """The model waits for the user's answer: `question`."""

    exit = Exit.ASKED


class AwaitsSubtasks(Ending):
    """The model waits for tasks that it created: `wait`."""

    exit = Exit.SUBTASKS


class OutOfBudget(Ending):
    """Dollars or wall time are used up; the session goes on when the user grants more."""

    exit = Exit.BUDGET


class Stuck(Ending):
    """The model refused, or stopped without an end."""

    exit = Exit.STUCK


class Fault(Ending):
    """Ours to repair: settings, a request that the API refuses, or a defect."""

    exit = Exit.FAULT


class Unavailable(Ending):
    """The API or this host can't be used now: `not_before` says when to try again, `host_wide` whether it would meet
    every task.
    """

    exit = Exit.UNAVAILABLE


class Drained(Ending):
    """Asked to stop; the session goes on elsewhere or later."""

    exit = Exit.DRAINED


def record(ending: Ending, spent: Spent) -> tuple[EventKind, dict[str, Any]]:
    """Return the journal's last record: `end` when the session is over, `suspend` when it goes on by replay."""
    over = ending.exit in (Exit.FINISHED, Exit.TURN_LIMIT)
    data = {
        "exit": int(ending.exit),
        "reason": ending.reason,
        "turns": spent.turns,
        "usd_micros": spent.usd_micros,
        **{name: ending.handed.get(name) for name in ("result", "question", "wait", "checkpoint", "not_before")},
        "files": ending.handed.get("files", []),
        "host_wide": ending.handed.get("host_wide", False),
    }
    return (EventKind.END if over else EventKind.SUSPEND), data
