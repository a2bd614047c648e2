"""What was acknowledged to hosts and driver of the sweep, and what the queue says at the end: `untrue` compares them.

What the queue acknowledged to a host is in that host's own files, and is read there from outside by `look`.
"""

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboard.stores import journal
from wire.client import Client
from wire.types import EventKind, HostDayUse, State

Record = tuple[str, int]
"""A session and the number of one of its records."""


@dataclass(frozen=True)
class Result:
    """How a task was seen to be done; whoever writes it again changes one of these."""

    fence: int
    version: int
    text: str | None
    files: tuple[str, ...]


@dataclass
class Noted:
    """What was seen while the faults went on."""

    added: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of tasks under each Idempotency-Key."""
    replies: dict[str, str] = field(default_factory=dict)
    """A word by the task to which it was said."""
    done: dict[str, Result] = field(default_factory=dict)
    claims: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Hosts by task and fence."""
    records: dict[Record, str] = field(default_factory=dict)
    """Acknowledged records, as `sign` has them."""
    clashes: list[Record] = field(default_factory=list)
    """Records that two hosts were acknowledged differently."""

    def acknowledged(self, record: Record, signed: str) -> None:
        """Note a record."""
        if self.records.setdefault(record, signed) != signed:
            self.clashes.append(record)


@dataclass(frozen=True)
class Called:
    """A call of Sheets as its double saw it: by which host, on which connection, from when to when."""

    host: str
    port: int
    begins: float
    ends: float
    path: str


@dataclass
class Seen:
    """What the queue says at the end."""

    tasks: dict[str, Result | None] = field(default_factory=dict)
    """Each task, and its result where it is done."""
    sessions: dict[str, list[str]] = field(default_factory=dict)
    """The days on which each task's sessions began."""
    records: dict[Record, str] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    """Micro-dollars that each task's sessions spent, by their journals or by the queue: the more."""
    day: str = ""
    counted: HostDayUse | None = None
    """What the queue has counted of this day's caps."""
    words: dict[str, str] = field(default_factory=dict)
    """What each task's sessions were answered, in one."""
    odd: list[str] = field(default_factory=list)
    """What a session's own records say against it."""


def sign(event: Mapping[str, Any]) -> str:
    """Return a record's kind and a hash of what it says; a raw stream goes to the queue by its number only."""
    kind = str(event["kind"])
    if kind == EventKind.STREAM:
        return kind
    said = json.dumps(event.get("data") or {}, sort_keys=True).encode()
    return f"{kind} {hashlib.sha256(said).hexdigest()[:16]}"


def look(host: str, sessions: Path, noted: Noted, known: dict[str, int]) -> None:
    """Note which claims a host has, and what it was acknowledged since the last look; `known` is how far that was."""
    for folder in _listed(sessions):
        with suppress(OSError, ValueError, KeyError):
            progress = json.loads((folder / "progress.json").read_bytes())
            task, fence, upto = progress["task"], int(progress["fence"]), int(progress.get("acknowledged", 0))
            session = folder.name.partition(".")[0]
            if task:
                noted.claims[task, fence].add(host)
            if upto > known.get(f"{host} {folder.name}", 0):
                # Read after the progress: what that names is whole in the journal by then.
                for line in (folder / "journal.jsonl").read_bytes().splitlines()[:upto]:
                    event = json.loads(line)
                    noted.acknowledged((session, int(event["n"])), sign(event))
                known[f"{host} {folder.name}"] = upto


def _listed(sessions: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(sessions.iterdir())
    return []


def untrue(noted: Noted, seen: Seen, *, caps: HostDayUse, of_a_task: int, calls: Iterable[Called] = ()) -> list[str]:
    """Return what was acknowledged and is not so, and what two did of which only one may. Pure."""
    return [
        *_lost(noted, seen),
        *(f"task {task} was claimed by {' and '.join(sorted(by))} under fence {fence}"
          for (task, fence), by in noted.claims.items() if len(by) > 1),
        *(f"record {n} of session {session} was taken from two hosts" for session, n in noted.clashes),
        *_overwritten(noted, seen),
        *_over_the_cap(seen, caps, of_a_task),
        *at_once(calls),
        *seen.odd,
    ]  # fmt: skip


def _lost(noted: Noted, seen: Seen) -> Iterator[str]:
    for key, ids in noted.added.items():
        if len(ids) > 1:
            yield f"under one key, {key}, are the tasks {', '.join(sorted(ids))}"
        yield from (f"task {task} is lost" for task in ids if task not in seen.tasks)
    for (session, n), signed in noted.records.items():
        if seen.records.get((session, n)) != signed:
            yield f"record {n} of session {session} is lost"
    for task, word in noted.replies.items():
        if seen.tasks.get(task) and word not in seen.words.get(task, ""):
            yield f"the reply to task {task} is lost"


def _overwritten(noted: Noted, seen: Seen) -> Iterator[str]:
    for task, result in noted.done.items():
        if seen.tasks.get(task) != result:
            yield f"the result of task {task} was overwritten: {result}, then {seen.tasks.get(task)}"


def _over_the_cap(seen: Seen, caps: HostDayUse, of_a_task: int) -> Iterator[str]:
    for task, days in seen.sessions.items():
        if len(days) > of_a_task:
            yield f"task {task} had {len(days)} sessions"
    for day, count in Counter(day for days in seen.sessions.values() for day in days).items():
        if count > caps.sessions:
            yield f"{count} sessions began on {day}, a day of at most {caps.sessions}"
    spent = sum(seen.spent.values())
    if spent > caps.usd_micros:
        yield f"{spent} micro-dollars were spent, of at most {caps.usd_micros} a day"
    begun = sum(day == seen.day for days in seen.sessions.values() for day in days)
    # More may be counted: what a dashboard had taken that was killed before its claim was written.
    if seen.counted and seen.counted.sessions < begun:
        yield f"{begun} sessions began on {seen.day}, and {seen.counted.sessions} were counted"
    is_one_day = all(day == seen.day for days in seen.sessions.values() for day in days)
    if seen.counted and is_one_day and seen.counted.usd_micros < spent:
        yield f"{spent} micro-dollars were spent on {seen.day}, and {seen.counted.usd_micros} counted"


def at_once(calls: Iterable[Called]) -> Iterator[str]:
    """Find two hosts whose connections to Sheets, each from its first to its last call, overlap."""
    spans: dict[tuple[str, int], tuple[float, float]] = {}
    for each in calls:
        begins, ends = spans.get((each.host, each.port), (each.begins, each.ends))
        spans[each.host, each.port] = (min(begins, each.begins), max(ends, each.ends))
    latest: tuple[float, str] | None = None
    for (host, _), (begins, ends) in sorted(spans.items(), key=lambda one: one[1]):
        if latest and latest[1] != host and begins < latest[0]:
            yield f"{latest[1]} and {host} were at the sheet at once"
        latest = max(latest, (ends, host)) if latest else (ends, host)


def observe(client: Client) -> Seen:
    """Ask the queue for all that it has."""
    seen = Seen(day=time.strftime("%Y-%m-%d", time.gmtime()))
    for task in client.tasks():
        runs, is_done = client.sessions(task.id), task.state is State.DONE
        # An answer that no session has had yet stands in the task.
        said = "" if is_done else " ".join(act.text for act in task.acts)
        files = tuple(file.name for file in task.files)
        seen.tasks[task.id] = Result(task.fence, task.version, task.result, files) if is_done else None
        seen.sessions[task.id] = [run.started_at[:10] for run in runs]
        seen.spent[task.id] = 0
        for run in runs:
            events = client.events(run.id)
            seen.spent[task.id] += max(run.usd_micros, journal.spent(events))
            seen.odd += _odd(run.id, [(e.n, e.kind, e.data) for e in events])
            for event in events:
                seen.records[run.id, event.n] = sign({"kind": event.kind.value, "data": event.data})
                said += json.dumps(event.data) if event.kind is EventKind.ANSWER else ""
        seen.words[task.id] = said
    # Last: what is counted only grows by what began meanwhile. A day that began meanwhile is counted from nothing.
    seen.counted = client.hosts().taken
    if seen.day != time.strftime("%Y-%m-%d", time.gmtime()):
        seen.counted = None
    return seen


def _odd(session: str, events: list[tuple[int, EventKind, Mapping[str, Any]]]) -> Iterator[str]:
    """Find a gap between records, and a call that began twice."""
    if [n for n, _, _ in events] != [*range(1, len(events) + 1)]:
        yield f"session {session} has a gap"
    begun = Counter(data["tool_use_id"] for _, kind, data in events if kind is EventKind.TOOL_STARTED)
    yield from (f"call {call} of session {session} began {n} times" for call, n in begun.items() if n > 1)
