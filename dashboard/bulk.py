"""What is done to many tasks at once: what it would come to for each, and for each what came of it. Pure."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from dashboard import rules
from dashboard.record import Conflict, FamilyBudget, Record, StaleVersion
from wire.types import Deed, Edit, Task

MOST = 500
"""Tasks of one bulk: a second of writes."""


class Action(enum.StrEnum):
    """What can be done to many."""

    CANCEL = "cancel"
    RETRY = "retry"
    AFRESH = "afresh"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """An action; `priority` is the new one."""

    action: Action
    priority: int | None = None

    @property
    def deed(self) -> Deed:
        """Which deed it is."""
        return {Action.CANCEL: Deed.CANCELLED, Action.PRIORITY: Deed.EDITED}.get(self.action, Deed.RETRIED)

    @property
    def said(self) -> str:
        """What is kept of it beside the deed."""
        return f"priority {self.priority}" if self.action is Action.PRIORITY else ""

    def applied(self, record: Record, now: datetime) -> Record:
        """Return what the action makes of a record; the same one where nothing changes. Raises `Conflict`."""
        match self.action:
            case Action.CANCEL:
                return rules.cancel(record, now)
            case Action.PRIORITY:
                # A priority asks nothing of the family's budget.
                nothing = FamilyBudget(sessions=0, usd_micros=0)
                return rules.edit(record, nothing, Edit(priority=self.priority), None, now)
        return rules.retry(record, now, afresh=self.action is Action.AFRESH)

    def applied_as_read(self, record: Record, version: int, now: datetime) -> Record:
        """The same for a record that is still as it was when a user looked. Raises `StaleVersion`, `Conflict`."""
        changed = self.applied(record, now)
        if changed != record and record.task.version != version:
            raise StaleVersion(f"it changed since you looked, and is {record.task.state.value} now: look again")
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a bulk would come to for a task: how it would be after, or why it stays as it is. `subtasks` go with it."""

    task: Task
    after: Task | None
    why: str = ""
    subtasks: list[Task] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a bulk for a task; `why` it stayed as it was."""

    id: str
    title: str
    after: Task | None
    why: str = ""


def foreseen(record: Record, bulk: Bulk, now: datetime) -> Foreseen:
    """Say what a bulk would make of a record."""
    try:
        changed = bulk.applied(record, now)
    except Conflict as error:
        return Foreseen(task=record.task, after=None, why=str(error))
    if changed == record:
        return Foreseen(task=record.task, after=None, why="it is so already")
    return Foreseen(task=record.task, after=changed.task)
