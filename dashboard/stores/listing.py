"""How SQLite lists tasks: which index leads, and the statement that walks it. Pure: SQL and its values.

Each filter has an index. The one that leaves fewest tasks leads, and the others are looked up for each task on the way.
Where none leaves few, a bounded number of tasks is looked through at a time, and the listing says where to go on:
a page is never slower because a queue is long.
"""

import enum
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ulid import ULID

from dashboard.stores import Sort, TaskFilter
from dashboard.stores.words import query
from wire.types import ULID as ULID_TEXT
from wire.types import State
from wire.values import Invalid


@dataclass(frozen=True, slots=True)
class Bounds:
    """Tasks that one listing looks through: some 10 ms; fewer where each is looked up among the words, at 20 µs.

    Words that are common but never together are found nowhere, after a look through all of the index: so it is read a
    `window` of tasks at a time, and no further after so many seconds.
    """

    looked: int = 2_000
    checked: int = 1_000
    window: int = 200_000
    seconds: float = 0.02

    def few(self, lead: "Lead", which: TaskFilter) -> int:
        """Return how many tasks are few enough to be looked through for all other filters at once."""
        return self.checked if which.words and lead is not Lead.WORDS else self.looked


class Lead(enum.StrEnum):
    """The index that a listing walks."""

    TIME = "time"
    STATE = "state"
    LABEL = "label"
    COST = "cost"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Walk:
    """A statement whose rows are the place of a task, its id, and its record where it fits all filters."""

    sql: str
    values: dict[str, Any]


class Window(NamedTuple):
    """Numbers of tasks in the index of words, both included."""

    low: int
    high: int


_OF_STATE = "state = :state AND state <> 'running'"
"""The index by state leaves out what runs: few do, and each claim and end would write it twice more."""
_OF_COST = "usd_micros BETWEEN :least AND :most"
_FITS = {
    "state": "tasks.state = :state",
    "label": "EXISTS (SELECT 1 FROM labels WHERE label = :label AND task = tasks.id)",
    "cost": "iif(json_valid(record), json_extract(record, '$.task.usd_micros_spent'), 0) BETWEEN :least AND :most",
    "words": "EXISTS (SELECT 1 FROM listed JOIN words ON words.rowid = listed.n"
    " WHERE listed.task = tasks.id AND words MATCH :words)",
    "since": "tasks.id >= :since",
    "until": "tasks.id < :until",
}
# CROSS JOIN keeps the order that is written: the planner knows no sizes here.
_FROM = {
    Lead.TIME: "tasks WHERE 1",
    Lead.STATE: f"tasks INDEXED BY by_state WHERE {_OF_STATE}",
    Lead.LABEL: "labels CROSS JOIN tasks ON tasks.id = labels.task WHERE label = :label",
    # By id, without the records in the way of the sorter.
    Lead.COST: f"tasks WHERE tasks.id IN (SELECT task FROM costs WHERE {_OF_COST})",  # noqa: S608 - ours
    Lead.WORDS: "words CROSS JOIN listed ON listed.n = words.rowid CROSS JOIN tasks ON tasks.id = listed.task"
    " WHERE words MATCH :words",
}
_BY_COST = f"costs CROSS JOIN tasks ON tasks.id = costs.task WHERE {_OF_COST}"
_RUNNING = "tasks INDEXED BY running WHERE state = 'running'"
_TASK = {Lead.LABEL: "labels.task"}
_COUNTED = {
    Lead.TIME: "tasks WHERE id >= :since AND id < :until",
    Lead.STATE: f"tasks INDEXED BY by_state WHERE {_OF_STATE}",
    Lead.LABEL: "labels WHERE label = :label",
    Lead.COST: f"costs WHERE {_OF_COST}",
    Lead.WORDS: "words WHERE words MATCH :words",
}


def values(which: TaskFilter) -> dict[str, Any]:
    """Return the values that the statements name. Raises `Invalid`."""
    return {
        "state": which.state.value if which.state else None,
        "label": which.label,
        "least": which.least or 0,
        # The largest integer that SQLite holds.
        "most": 2**63 - 1 if which.most is None else which.most,
        "words": query(which.words) if which.words else None,
        # `~` sorts behind every ULID.
        "since": "" if which.since is None else first_id(which.since),
        "until": "~" if which.until is None else first_id(which.until),
    }


def first_id(seconds: float) -> str:
    """Return the least id that a task added at a time can have."""
    at = datetime.fromtimestamp(seconds, UTC)
    return str(ULID.from_datetime(at))[:10] + "0" * 16


def only_lead(which: TaskFilter, sort: Sort) -> Lead | None:
    """Return the index that leads whatever the others would leave; None where they have to be counted."""
    if sort is Sort.COST:
        return Lead.COST
    if which.state is State.RUNNING:
        return Lead.STATE
    possible = leads(which)
    is_alone = len(possible) == 1 and possible[0] is not Lead.COST
    return fallback(possible) if is_alone or not possible else None


def leads(which: TaskFilter) -> list[Lead]:
    """Return the indexes that may lead."""
    given = {
        Lead.WORDS: which.words,
        Lead.LABEL: which.label,
        Lead.STATE: which.state,
        Lead.COST: which.least,
        Lead.TIME: which.since is not None or which.until is not None,
    }
    return [lead for lead, is_given in given.items() if is_given]


def narrowest(which: TaskFilter, counts: Mapping[Lead, int], bounds: Bounds) -> Lead:
    """Return the index that leaves fewest; where none leaves few, the one to fall back to."""
    narrow = [lead for lead, left in counts.items() if left < bounds.few(lead, which)]
    return min(narrow, key=lambda lead: counts[lead], default=fallback([*counts]))


def fallback(possible: Sequence[Lead]) -> Lead:
    """Return the index to walk in parts. Not the one of costs: by that, tasks do not come in order of their age."""
    return next((lead for lead in (Lead.WORDS, Lead.LABEL, Lead.STATE) if lead in possible), Lead.TIME)


@functools.cache
def count(lead: Lead) -> str:
    """Return the query of how many tasks an index leaves, up to :few."""
    return f"SELECT count(*) FROM (SELECT 1 FROM {_COUNTED[lead]} LIMIT :few)"  # noqa: S608 - ours


def walk(
    which: TaskFilter, sort: Sort, lead: Lead, cursor: str | None, most: int, window: Window | None = None
) -> Walk:
    """Return the statement that goes through at most so many tasks that an index leads to, from a cursor on; that of
    words goes through a window.
    """
    place, path = _by_cost(cursor) if sort is Sort.COST else _by_age(which, sort, lead)
    asked = {
        "state": which.state,
        "label": which.label,
        "cost": which.least or which.most is not None,
        "words": which.words,
        "since": which.since is not None,
        "until": which.until is not None,
    }
    conditions = [_FITS[name] for name, is_asked in asked.items() if is_asked and name != lead.value]
    fits = " AND ".join(["tasks.state <> 'damaged'", *conditions])
    sql = f"SELECT {place}, tasks.id, CASE WHEN {fits} THEN record END FROM {path} LIMIT :looked"  # noqa: S608 - ours
    cost, last = read_cursor(cursor, sort) if cursor else (0, "")
    given = {"cost": cost, "start": last, "looked": most + 1}
    if window:
        given |= {"low": window.low, "high": window.high}
    return Walk(sql, {**values(which), **_span(which, sort, last), **given})


def _span(which: TaskFilter, sort: Sort, last: str) -> dict[str, str]:
    """The ids between which a walk goes. One bound on each side: of two, SQLite would walk to the nearer by the index's
    far one.
    """
    held = values(which)
    first, end = held["since"], held["until"]
    if last and sort is Sort.OLDEST:
        first = max(first, f"{last} ")
    elif last and sort is Sort.NEWEST:
        end = min(end, last)
    return {"first": first, "end": end}


def _by_cost(cursor: str | None) -> tuple[str, str]:
    after = "AND (costs.usd_micros, costs.task) < (:cost, :start)" if cursor else ""
    order = "ORDER BY costs.usd_micros DESC, costs.task DESC"
    return "costs.usd_micros || '.' || costs.task", f"{_BY_COST} {after} {order}"


def _by_age(which: TaskFilter, sort: Sort, lead: Lead) -> tuple[str, str]:
    order = "ASC" if sort is Sort.OLDEST else "DESC"
    is_running = lead is Lead.STATE and which.state is State.RUNNING
    source = _RUNNING if is_running else _FROM[lead]
    if lead is Lead.WORDS:
        return "listed.task", f"{source} AND words.rowid BETWEEN :low AND :high ORDER BY words.rowid {order}"
    task_id = _TASK.get(lead, "tasks.id")
    return task_id, f"{source} AND {task_id} >= :first AND {task_id} < :end ORDER BY {task_id} {order}"


def read_cursor(cursor: str, sort: Sort) -> tuple[int, str]:
    """Return the cost and the id of the task that a listing came to. Raises `Invalid` for no cursor of ours."""
    found = re.fullmatch(rf"(?:([0-9]{{1,18}})\.)?({ULID_TEXT})", cursor)
    if not found or bool(found[1]) != (sort is Sort.COST):
        raise Invalid("cursor", "must be one of this list's own: begin again without it")
    return int(found[1] or 0), found[2]


def windows(sort: Sort, number: int | None, held: Window, size: int) -> Iterator[Window]:
    """Yield the windows of the index of words, from the task of a number on, or from its end."""
    if sort is Sort.OLDEST:
        low = held.low if number is None else number + 1
        yield from (Window(start, min(start + size - 1, held.high)) for start in range(low, held.high + 1, size))
    else:
        high = held.high if number is None else number - 1
        yield from (Window(max(end - size + 1, held.low), end) for end in range(high, held.low - 1, -size))


EDGE = {
    Sort.NEWEST: "SELECT task FROM listed WHERE n >= :low ORDER BY n LIMIT 1",
    Sort.OLDEST: "SELECT task FROM listed WHERE n <= :high ORDER BY n DESC LIMIT 1",
}
"""The task up to which a window reaches."""


def number(sort: Sort) -> str:
    """Return the query of the number of the task that a listing came to; where it is gone by now, its neighbour's."""
    beside = ("<", "DESC", "+ 1") if sort is not Sort.OLDEST else (">", "ASC", "- 1")
    neighbour = "SELECT n {2} FROM listed WHERE task {0} :start ORDER BY task {1} LIMIT 1".format(*beside)  # noqa: S608 - ours
    return f"SELECT coalesce((SELECT n FROM listed WHERE task = :start), ({neighbour}))"  # noqa: S608 - ours
