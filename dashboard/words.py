"""States, exits and numbers in words, for the page."""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ulid import ULID

from dashboard.rules import usd
from wire.times import stamp
from wire.types import Exit, Need, Session, State, SyncOutcome, Task

EXITS = {
    Exit.FINISHED: "finished",
    Exit.TURN_LIMIT: "handed over at its turn limit",
    Exit.ASKED: "waits: asked a user",
    Exit.BUDGET: "waits: used up its dollars or its time",
    Exit.STUCK: "waits: refused, or stuck",
    Exit.SUBTASKS: "suspended: waits for subtasks",
    Exit.FENCED: "stopped: cancelled, or claimed again elsewhere",
    Exit.FAULT: "failed by our own fault",
    Exit.UNAVAILABLE: "suspended: the model's API was unavailable",
    Exit.DRAINED: "suspended: drained, or crashed",
}
STATES = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.NEEDS_YOU: "needs you",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
MARKS = {"good": "✓", "unproven": "?", "waits": "●", "bad": "✗"}
"""How all stands, readable without colour."""
OUTCOMES = {
    SyncOutcome.UNCHANGED: "nothing to do",
    SyncOutcome.CHANGED: "sheet brought up to date",
    SyncOutcome.FAILED: "failed",
    SyncOutcome.OFF: "not set up yet",
    SyncOutcome.ELSEWHERE: "another host has the sync",
}


def session_end(session: Session) -> str:
    """Say how a session stands."""
    if session.exit is None:
        return "running"
    return EXITS.get(session.exit) or f"ended by exit {int(session.exit)}, {_STRANGE}"


_STRANGE = "which this release does not know"


def _in_words(known: Mapping[Any, str]) -> Callable[[enum.StrEnum], str]:
    """Say a word of the contract; one of another release is shown as it is."""
    return lambda word: known.get(word) or f"“{word.value}”, {_STRANGE}"


def when(text: str | datetime) -> str:
    """Write a time of the contract for people; what is none is shown as it is."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        return str(text)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class Fault:
    """A text that tells of a fault, in its parts: what is the matter, why, and what to do."""

    matter: str
    cause: str = ""
    cure: str = ""


def fault(text: str) -> Fault:
    """Read the lines of an alarm or a failure: those behind `Cause:` and behind `Cure:`, and before both the matter."""
    parts = {"matter": "", "cause": "", "cure": ""}
    part = "matter"
    for line in text.splitlines():
        named = next((name for name in ("cause", "cure") if line.startswith(f"{name.capitalize()}: ")), None)
        part = named or part
        parts[part] += ("\n" if parts[part] else "") + (line.split(": ", 1)[1] if named else line)
    return Fault(**parts)


def pieces(text: str) -> list[tuple[bool, str]]:
    """Cut a text at its backticks: whether each piece is a command, and the piece."""
    return [(i % 2 == 1, piece) for i, piece in enumerate(text.split("`")) if piece]


def moments(text: str) -> list[tuple[bool, str]]:
    """Cut a text at the times of the contract in it: whether each piece is one, and the piece."""
    pieces = re.split(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", text)
    return [(i % 2 == 1, piece) for i, piece in enumerate(pieces) if piece]


FOLD = 320
"""Characters of a text that are shown before it is folded, and four lines of them."""


def is_long(text: str) -> bool:
    """Say whether a text is folded until one asks for it."""
    return len(text) > FOLD or text.count("\n") > 4


def head(text: str) -> str:
    """Return the beginning of a long text: whole words of one line."""
    line = " ".join(text.split())
    return line if len(line) <= FOLD // 2 else line[: FOLD // 2].rsplit(" ", 1)[0] + " …"


NEEDS = {
    Need.QUESTION: "A question",
    Need.BUDGET: "It needs more budget",
    Need.STUCK: "It is stuck",
    Need.ALARM: "Alarm",
}


def subtasks(count: int) -> str:
    """Say for how many subtasks a task waits."""
    return f"waits for {count} subtask{'' if count == 1 else 's'}"


_ACTS = {Need.QUESTION: "Answer", Need.BUDGET: "Grant more", Need.STUCK: "Tell it how to go on"}


def waits_for(task: Task) -> str:
    """Say why a task is among those that wait for a user."""
    return need(task.waiting.kind) if task.waiting else "Failed"


def need(kind: Need) -> str:
    """Say what a task that waits needs."""
    return NEEDS.get(kind) or f"“{kind.value}”, {_STRANGE}"


def act(kind: Need) -> str:
    """Say what a user can do about it."""
    return _ACTS.get(kind, "Reply")


def lines(text: str) -> str:
    """Say how much of a folded output there is."""
    count = text.count("\n") + 1
    return "1 line" if count == 1 else f"{count} lines"


def lapse(since: str, now: datetime) -> str:
    """Say how long ago a time of the contract is; of what is none nothing is said."""
    try:
        seconds = int((now - datetime.fromisoformat(since)).total_seconds())
    except (TypeError, ValueError):
        return ""
    if seconds < 60:
        return f"{max(0, seconds)} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{days} d {hours % 24} h"


def thousands(count: int) -> str:
    """Write a number of tokens for people."""
    return f"{count / 1000:.1f}k" if count >= 1000 else str(count)


def cents(micros: int) -> str:
    """Write a small price so that it is not nothing."""
    return usd(micros) if micros >= 10_000 or micros == 0 else f"${micros / 1_000_000:.4f}"


def percent(share: float) -> str:
    """Write a share."""
    return f"{share * 100:.0f} %"


def size(count: int) -> str:
    """Write a number of bytes for people."""
    for unit, least in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} bytes"


def added(task_id: str) -> datetime | str:
    """Return when a task was added, by its id; what is no id is shown as it is."""
    try:
        return ULID.from_str(task_id).datetime
    except ValueError:
        return task_id


FILTERS: dict[str, Callable[..., Any]] = {
    "usd": usd,
    "added": added,
    "fault": fault,
    "pieces": pieces,
    "moments": moments,
    "is_long": is_long,
    "head": head,
    "lapse": lapse,
    "thousands": thousands,
    "cents": cents,
    "percent": percent,
    "when": when,
    "size": size,
    "state": _in_words(STATES),
    "waits_for": waits_for,
    "act": act,
    "lines": lines,
    "iso": stamp,
    "outcome": _in_words(OUTCOMES),
    "session_end": session_end,
    "subtasks": subtasks,
}
"""What the templates call."""
