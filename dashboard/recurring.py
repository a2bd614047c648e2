"""Recurring tasks: which are due is decided from the settings and from the last run that was dealt with.

A run is added under a key of its own, made of its name and its time: a restart, or a second look, finds the task that
is there. At most one unfinished task of a name exists; a run that finds one is passed over.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from dashboard import cron
from dashboard.queue import RECURRING, Queue
from dashboard.record import moment
from dashboard.settings import Recurring, Settings, zone
from wire.times import stamp
from wire.types import AskedBudget, NewTask, Recurrence, Template
from wire.values import Invalid, Written, dump, read

log = logging.getLogger(__name__)

LATE = timedelta(minutes=10)
"""A run that is found so much later was missed, and is made up for only where the settings say so."""


class Dealt(Written, frozen=True, kw_only=True):
    """The last run that was dealt with, when it was due; `task` is what it added, or found unfinished."""

    at: str
    task: str | None = None
    added: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """What a look comes to: the run to add, if any, and what is dealt with by that."""

    run: datetime | None
    dealt: Dealt


def due(each: Recurring, last: Dealt | None, now: datetime) -> Due:
    """Decide about one recurring task. One that is seen for the first time has missed nothing."""
    if last is None:
        return Due(None, Dealt(at=stamp(now)))
    run = cron.latest(each.cron, zone(each.time_zone), now)
    if run <= moment(last.at, "at"):
        return Due(None, last)
    is_missed = now - run > LATE and not each.catch_up
    return Due(None if is_missed else run, replace(last, at=stamp(run), task=None, added=False))


def new_task(name: str, each: Recurring, settings: Settings) -> NewTask:
    """Return the task that a run adds."""
    template = settings.templates[each.template]
    return NewTask(
        title=template.title,
        description=template.description,
        labels=template.labels,
        priority=template.priority,
        budget=AskedBudget(sessions=template.sessions, usd_micros=template.usd_micros),
        dedupe_key=f"{RECURRING}{name}",
    )


class Recurrences:
    """Adds what is due; its methods block for the store."""

    def __init__(self, queue: Queue, settings: Settings) -> None:
        self._queue = queue
        self._store = queue.store
        self._settings = settings

    def look(self) -> None:
        """Add the runs that are due."""
        for name, each in self._settings.recurring.items():
            last = self._dealt(name)
            found = due(each, last, self._queue.clock())
            if found.run:
                self._run(name, each, found.run)
            elif found.dealt != last:
                self._keep(name, found.dealt)
        for name in self._store.marks(RECURRING):
            # One that is set up again later has missed nothing meanwhile.
            if name.removeprefix(RECURRING) not in self._settings.recurring:
                self._store.mark(name, None)

    def _run(self, name: str, each: Recurring, run: datetime) -> None:
        key = f"{RECURRING}{name}:{stamp(run)}"
        task, is_new = self._queue.add_own(new_task(name, each, self._settings), key, by=f"recurring {name}")
        # After it: a crash in between finds this very task again, by its key.
        self._keep(name, Dealt(at=stamp(run), task=task.id, added=is_new))
        said = "added task" if is_new else "found its task unfinished, and adds none beside it:"
        log.info("recurring %s, due at %s: %s %s", name, stamp(run), said, task.id)

    def _keep(self, name: str, dealt: Dealt) -> None:
        self._store.mark(f"{RECURRING}{name}", dump(dealt).decode())

    def _dealt(self, name: str) -> Dealt | None:
        text = self._store.marks(f"{RECURRING}{name}").get(f"{RECURRING}{name}")
        try:
            return read(Dealt, text) if text else None
        except Invalid:
            log.warning("what is kept of recurring %s cannot be read: it begins anew", name)
            return None

    def templates(self) -> list[Template]:
        """Return the templates that are set up."""
        return [
            Template(
                name=name,
                title=each.title,
                description=each.description,
                labels=each.labels,
                priority=each.priority,
                sessions=each.sessions,
                usd_micros=each.usd_micros,
            )
            for name, each in self._settings.templates.items()
        ]

    def listed(self) -> list[Recurrence]:
        """Return the recurring tasks that are set up, and how each stands."""
        now = self._queue.clock()
        return [self._shown(name, each, now) for name, each in self._settings.recurring.items()]

    def _shown(self, name: str, each: Recurring, now: datetime) -> Recurrence:
        last = self._dealt(name)
        return Recurrence(
            name=name,
            template=each.template,
            cron=each.cron,
            time_zone=each.time_zone,
            catch_up=each.catch_up,
            next_at=stamp(cron.following(each.cron, zone(each.time_zone), now)),
            last_at=last.at if last and last.task else None,
            last_task=last.task if last else None,
            last_added=last.added if last else False,
        )
