"""The queue's contract, version 1: tasks, leases, sessions, events, exits and sync runs as they cross HTTP.

Times are RFC 3339 texts in UTC (`2026-05-13T00:00:00Z`); money is whole micro-dollars (1,000,000 = $1), so that sums
are exact. Fields are only ever added, each with a default.
"""

import enum
from dataclasses import dataclass, field
from typing import Any

from wire.values import rule

DESCRIPTION_LIMIT = 8 * 1024
"""Bytes of a task's description; what is longer belongs in a context file."""
FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of one context or result file."""
FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""A file's name: one path component that can't be hidden or climb."""
ULID = r"[0-9A-HJKMNP-TV-Z]{26}"


class State(enum.StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_YOU = "needs_you"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Need(enum.StrEnum):
    """What a task that needs a person needs: an answer, more budget, a decision, or attention."""

    QUESTION = "question"
    BUDGET = "budget"
    STUCK = "stuck"
    ALARM = "alarm"


class Exit(enum.IntEnum):
    """How a session's process ended; the number is its exit code."""

    FINISHED = 0
    TURN_LIMIT = 1
    ASKED = 2
    BUDGET = 3
    STUCK = 4
    FENCED = 5
    FAULT = 70
    UNAVAILABLE = 75
    DRAINED = 143


class EventKind(enum.StrEnum):
    """The kinds of a journal's records, in the order of a turn."""

    HEADER = "header"
    """First record: task, model, system text, tools, limits; pinned for the session's life."""
    MESSAGE = "message"
    """A user message: {"content": blocks}."""
    RESERVE = "reserve"
    """Before a request: {"turn", "usd_micros"} at worst, {"hand_over"}."""
    STREAM = "stream"
    """What arrived of an answer, raw: {"events": [...]}."""
    SETTLE = "settle"
    """A whole answer: {"turn", "message", "usage", "usd_micros"}."""
    REFUND = "refund"
    """A definite error status: {"turn", "status", "reason"}; turn and price are given back."""
    TOOL_STARTED = "tool_started"
    """{"tool_use_id", "name", "input"}."""
    TOOL_RESULT = "tool_result"
    """{"tool_use_id", "content", "is_error"}; of create_task also {"created": NewTask}."""
    ANSWER = "answer"
    """A person's answer to ask_person: {"tool_use_id", "text"}."""
    SUSPEND = "suspend"
    """The process stopped and the session goes on later: {"exit", "reason"}."""
    END = "end"
    """The session is over: {"exit", "reason"} and what it hands over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One record of a session's journal: `n` counts from 1 without a gap."""

    n: int = rule(least=1)
    at: str
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that travels with a task."""

    name: str = rule(pattern=FILE_NAME)
    content: bytes = rule(longest=FILE_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """A file's name and size in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a task may use in all: sessions, and micro-dollars."""

    sessions: int = rule(default=5, least=1, most=100)
    usd_micros: int = rule(default=5_000_000, least=1, most=1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to be queued. `id` is given only by `create_task`, which derives it so that a replay makes no second one;
    `dedupe_key` names work of which at most one unfinished task may exist.
    """

    title: str = rule(longest=200, pattern=r"(?s).*\S.*")
    description: str = rule(default="", longest=DESCRIPTION_LIMIT)
    context: tuple[File, ...] = rule(default=(), longest=20)
    priority: int = rule(default=5, least=0, most=9)
    budget: Budget = Budget()
    not_before: str | None = None
    parent: str | None = rule(default=None, pattern=ULID)
    dedupe_key: str | None = rule(default=None, longest=200)
    id: str | None = rule(default=None, pattern=ULID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a `needs_you` task waits for, since when; a question carries the id of its tool_use."""

    kind: Need
    text: str
    since: str
    tool_use_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as the store has it. `version` grows with each change (its ETag), `fence` with each claim."""

    id: str
    title: str
    description: str
    state: State
    priority: int
    budget: Budget
    version: int
    created_at: str
    updated_at: str
    fence: int = 0
    sessions_used: int = 0
    usd_micros_spent: int = 0
    not_before: str | None = None
    parent: str | None = None
    dedupe_key: str | None = None
    context: tuple[FileInfo, ...] = ()
    result: str | None = None
    files: tuple[FileInfo, ...] = ()
    waiting: Waiting | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Ask for a task. `suspended_only`: the day's sessions are used up, only one that goes on may be given."""

    host: str = rule(longest=100, pattern=r".+")
    suspended_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Permission to work on a task: seconds to live from before the request was sent, and the fence."""

    fence: int
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The session to run. It may spend `usd_micros` in all; one that is not `new` goes on by its journal."""

    id: str
    new: bool
    usd_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person's answer to the `ask_person` call of this id."""

    tool_use_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claimed task with all that its session needs; `checkpoint` is what the session before handed over.

    `answers` and `notes` are all a person said to this session, oldest first, those of earlier claims included: a note
    is a text to a task that was stuck or out of budget, an answer to no call.
    """

    task: Task
    lease: Lease
    session: Grant
    context: tuple[File, ...] = ()
    checkpoint: str | None = None
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The holder lives."""

    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The lease goes on for `ttl_s`; `cancelled`: stop, nobody wants this any more."""

    ttl_s: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Journal records of one session, contiguous. Those already held are passed over; a gap is 409."""

    fence: int
    events: tuple[Event, ...] = rule(longest=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The store holds the journal up to and with record `n`."""

    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `ask_person` asks."""

    tool_use_id: str
    text: str = rule(longest=DESCRIPTION_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How a session's process ended: one write with the task's next state. Sent again, it changes nothing.

    `turns` and `usd_micros` are the session's totals so far, `checkpoint` what it hands over at its turn limit.
    """

    fence: int
    exit: Exit
    reason: str = ""
    turns: int = 0
    usd_micros: int = 0
    result: str | None = None
    files: tuple[File, ...] = ()
    question: Question | None = None
    checkpoint: str | None = None
    not_before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as the store has it; `exit` is absent while its process runs, `suspended` says that it goes on."""

    id: str
    task: str
    host: str
    started_at: str
    updated_at: str
    exit: Exit | None = None
    suspended: bool = False
    reason: str = ""
    turns: int = 0
    usd_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A person's answer to what waits: a text, or a grant of sessions and micro-dollars."""

    text: str | None = rule(default=None, longest=DESCRIPTION_LIMIT)
    sessions: int = rule(default=0, least=0, most=100)
    usd_micros: int = rule(default=0, least=0, most=1_000_000_000)


class SyncOutcome(enum.StrEnum):
    """How a sync run ended; `unchanged` and `changed` were read again and verified."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRun:
    """One run of the sync. A failed one carries the class of its error, its cause and its cure."""

    started_at: str
    finished_at: str
    outcome: SyncOutcome
    rows_read: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    conflicts: int = 0
    error: str | None = None
    cause: str | None = None
    cure: str | None = None
    token_dies_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error as RFC 9457 has it (`application/problem+json`); `field` names what was wrong with the request."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    field: str | None = None
