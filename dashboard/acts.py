"""Who did what to a task: kept in the write that does it. Pure."""

from datetime import datetime

from msgspec.structs import replace

from dashboard.record import Record
from dashboard.rules import usd
from wire.times import stamp
from wire.types import Act, Deed, Edit, Reply

KEPT, TEXT = 50, 500
"""Acts that a task holds, the latest, and characters of an answer there: a record is read and written as a whole."""


def signed(before: Record, after: Record, act: Act) -> Record:
    """Add an act to a record that it changed; what changed nothing, or whose doer is not known, is none."""
    if after is before or not act.by:
        return after
    return replace(after, task=replace(after.task, acts=(*after.task.acts, act)[-KEPT:]))


def act(by: str, deed: Deed, now: datetime, text: str = "") -> Act:
    """Make an act."""
    return Act(at=stamp(now), by=by, deed=deed, text=text if len(text) <= TEXT else f"{text[:TEXT]}…")


def reply(by: str, given: Reply, now: datetime) -> Act:
    """Make the act of an answer or a grant."""
    words = (given.text or "").strip()
    amounts = [f"{given.sessions} session{'' if given.sessions == 1 else 's'}"] if given.sessions else []
    amounts += [usd(given.usd_micros)] if given.usd_micros else []
    if not amounts:
        return act(by, Deed.ANSWERED, now, words)
    return act(by, Deed.GRANTED, now, ", ".join(amounts) + (f": {words}" if words else ""))


def edit(by: str, asked: Edit, now: datetime) -> Act:
    """Make the act of another priority or budget."""
    dollars = None if asked.usd_micros is None else usd(asked.usd_micros)
    said = {"priority": asked.priority, "sessions": asked.sessions, "dollars": dollars}
    return act(by, Deed.EDITED, now, ", ".join(f"{what} {value}" for what, value in said.items() if value is not None))
