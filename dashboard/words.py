"""States, exits and numbers in words, for the page."""

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from dashboard.rules import usd
from wire.types import Exit, Need, Session, State, SyncOutcome

EXITS = {
    Exit.FINISHED: "finished",
    Exit.TURN_LIMIT: "handed over at its turn limit",
    Exit.ASKED: "waits: asked a user",
    Exit.BUDGET: "waits: used up its dollars or its time",
    Exit.STUCK: "waits: refused, or stuck",
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
NEEDS = {Need.QUESTION: "Question", Need.BUDGET: "Budget", Need.STUCK: "Stuck", Need.ALARM: "Alarm"}
OUTCOMES = {
    SyncOutcome.UNCHANGED: "nothing to do",
    SyncOutcome.CHANGED: "sheet brought up to date",
    SyncOutcome.FAILED: "failed",
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


def size(count: int) -> str:
    """Write a number of bytes for people."""
    for unit, least in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count} bytes"


FILTERS: dict[str, Callable[[Any], str]] = {
    "usd": usd,
    "when": when,
    "size": size,
    "state": _in_words(STATES),
    "need": _in_words(NEEDS),
    "outcome": _in_words(OUTCOMES),
    "session_end": session_end,
}
"""What the templates call."""
