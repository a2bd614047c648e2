"""The queue's contract, version 1: tasks, leases, sessions, events, exits and sync runs as they cross HTTP.

Times are RFC 3339 texts in UTC (`2026-05-13T00:00:00Z`); money is whole micro-dollars (1,000,000 = $1), so that sums
are exact. Fields are only ever added, each with a default that never changes.

A `Request` asks: it is read strictly, and its bounds stand in it. All else is `Written`: reported, answered, kept in
rows and journals; another release reads it, so it has no bounds, carries what it does not know, and its enumerations
are open.
"""

import enum
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wire.values import Invalid, OpenWord, Request, Written

DESCRIPTION_LIMIT = 8 * 1024
"""Bytes of a task's description; what is longer belongs in a context file."""
FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of one context or result file."""
SUBTASKS_LIMIT = 20
"""Subtasks that a task waits for at once."""
# So that a slip of the finger is refused: a task of $1,000 is hardly meant.
SESSIONS_LIMIT = 100
USD_MICROS_LIMIT = 1_000_000_000
FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""A file's name: one path component that cannot be hidden or climb."""
ULID = r"[0-9A-HJKMNP-TV-Z]{26}"

# A bare `$` would also match before a newline at the end.
_END = r"$(?!\n)"
_CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_ONE_LINE = rf"^[^{_CONTROLS}]*[^{_CONTROLS}\s][^{_CONTROLS}]*{_END}"
Line = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=_ONE_LINE,
        description="one line of text, of at most 200 characters, without control characters",
    ),
]
"""One line that people read: it says something, and has no control character that could forge a log or a terminal."""
Name = Annotated[
    str, Meta(max_length=60, pattern=_ONE_LINE, description="a name of at most 60 characters, in one line")
]
"""Who acts, as they call themselves."""
Base64 = Annotated[
    bytes, Meta(extra_json_schema={"pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"})
]
FileName = Annotated[
    str,
    Meta(
        pattern=rf"^{FILE_NAME}{_END}",
        description="a plain file name: letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]
Id = Annotated[str, Meta(pattern=rf"^{ULID}{_END}", description="a ULID")]
Time = Annotated[str, Meta(max_length=40)]
Label = Annotated[
    str,
    Meta(
        pattern=rf"^[^{_CONTROLS}\s,]{{1,40}}{_END}",
        description="a label: up to 40 characters without spaces or commas",
    ),
]
Text = Annotated[str, Meta(max_length=DESCRIPTION_LIMIT)]
Micros = Annotated[int, Meta(ge=0, le=USD_MICROS_LIMIT)]


class State(OpenWord, enum.StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    NEEDS_YOU = "needs_you"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Need(OpenWord, enum.StrEnum):
    """What a task that waits for a user needs: an answer, more budget, a decision, or attention."""

    QUESTION = "question"
    BUDGET = "budget"
    STUCK = "stuck"
    ALARM = "alarm"


class Exit(OpenWord, enum.IntEnum):
    """How a session's process ended; the number is its exit code."""

    FINISHED = 0
    TURN_LIMIT = 1
    ASKED = 2
    BUDGET = 3
    STUCK = 4
    FENCED = 5
    SUBTASKS = 6
    FAULT = 70
    UNAVAILABLE = 75
    DRAINED = 143


class EventKind(OpenWord, enum.StrEnum):
    """The kinds of a journal's records, in the order of a turn."""

    HEADER = "header"
    """First record: task, model, system text, tools, limits; pinned for the session's life."""
    MESSAGE = "message"
    """A user message: {"content": blocks}."""
    RESERVE = "reserve"
    """Before a request: {"turn", "usd_micros"} at worst, {"hand_over"}."""
    STREAM = "stream"
    """What arrived of an answer, raw: {"events": [...]}; delivered without it once the answer is whole."""
    SETTLE = "settle"
    """A whole answer: {"turn", "message", "usage", "usd_micros"}."""
    CUT = "cut"
    """An answer that did not come whole: {"turn", "reason"}, and {"usd_micros"} at most, where that is known."""
    REFUND = "refund"
    """A definite error status: {"turn", "status", "reason"}; turn and price are given back."""
    TOOL_STARTED = "tool_started"
    """{"tool_use_id", "name", "input"}."""
    TOOL_RESULT = "tool_result"
    """{"tool_use_id", "content", "is_error"}; of create_task also {"created": NewTask}."""
    ANSWER = "answer"
    """A user's answer to ask_person: {"tool_use_id", "text"}."""
    SUSPEND = "suspend"
    """The process stopped and the session goes on later: {"exit", "reason"}."""
    END = "end"
    """The session is over: {"exit", "reason"} and what it hands over."""


class Event(Written, frozen=True, kw_only=True):
    """One record of a session's journal: `n` counts from 1 without a gap."""

    n: int
    at: str
    kind: EventKind
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class File(Written, frozen=True, kw_only=True, omit_defaults=True):
    """A file that travels with a task."""

    name: FileName
    content: Base64


class FileInfo(Written, frozen=True, kw_only=True):
    """A file's name, its size in bytes, and the SHA-256 of its content (hex), which is empty once that was deleted."""

    name: str
    size: int
    sha256: str = ""


class Budget(Written, frozen=True, kw_only=True):
    """What a task may use in all: sessions, and micro-dollars."""

    sessions: int = 5
    usd_micros: int = 5_000_000


class AskedBudget(Request, frozen=True, kw_only=True):
    """A budget as it is asked for."""

    sessions: Annotated[int, Meta(ge=1, le=SESSIONS_LIMIT)] = 5
    usd_micros: Annotated[int, Meta(ge=1, le=USD_MICROS_LIMIT)] = 5_000_000


class NewTask(Request, frozen=True, kw_only=True):
    """A task to be queued. `id` is given only by `create_task`, which derives it so that a replay makes no second one;
    `dedupe_key` names work of which at most one unfinished task may exist.
    """

    title: Line
    description: Text = ""
    context: Annotated[tuple[File, ...], Meta(max_length=20)] = ()
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    budget: AskedBudget = AskedBudget()
    not_before: Time | None = None
    parent: Id | None = None
    dedupe_key: Line | None = None
    id: Id | None = None
    labels: Annotated[tuple[Label, ...], Meta(max_length=10)] = ()

    def __post_init__(self) -> None:
        """Refuse what a schema cannot count: bytes, where it counts characters."""
        require_short("description", self.description)
        require_small_files("context", self.context)
        for number, file in enumerate(self.context):
            if file.unknown:
                raise Invalid(f"context[{number}]", "has keys that this release does not know")


class Waiting(Written, frozen=True, kw_only=True):
    """What a `needs_you` task waits for, since when; a question carries its tool_use's id, a budget what it lacks."""

    kind: Need
    text: str
    since: str
    tool_use_id: str | None = None
    lacks: Budget | None = None


class Wait(Written, frozen=True, kw_only=True):
    """A `wait_for_tasks` call of this id: the session goes on when these subtasks of its task are over."""

    tool_use_id: str
    tasks: tuple[str, ...]


class Deed(OpenWord, enum.StrEnum):
    """What a user did to a task."""

    ADDED = "added"
    ANSWERED = "answered"
    GRANTED = "granted"
    NOTED = "noted"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    EDITED = "edited"


class Act(Written, frozen=True, kw_only=True):
    """Who did what to a task, and when; `text` is an answer's beginning, or the amounts of a grant."""

    at: str
    by: str
    deed: Deed
    text: str = ""


class Task(Written, frozen=True, kw_only=True):
    """A task as the store has it. `version` grows with each change (its ETag), `fence` with each claim; `acts` are what
    users did to it, the latest ones, oldest first; one that is queued and `waits_for` subtasks is due when these are
    over.
    """

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
    acts: tuple[Act, ...] = ()
    labels: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()


class ClaimRequest(Request, frozen=True, kw_only=True):
    """Ask for a task. `suspended_only`: the day's sessions are used up, only one that goes on may be given."""

    host: Annotated[str, Meta(max_length=100, pattern=rf"^[^{_CONTROLS}]+{_END}", description="a host's name")]
    suspended_only: bool = False


class Lease(Written, frozen=True, kw_only=True):
    """Permission to work on a task: seconds to live from before the request was sent, and the fence."""

    fence: int
    ttl_s: float


class Grant(Written, frozen=True, kw_only=True):
    """The session to run. It may spend `usd_micros` in all; one that is not `new` goes on by its journal."""

    id: str
    new: bool
    usd_micros: int


class Answer(Written, frozen=True, kw_only=True):
    """A user's answer to the `ask_person` call of this id."""

    tool_use_id: str
    text: str


class Workspace(Written, frozen=True, kw_only=True):
    """A task's workspace as its last session left it: the SHA-256 of its archive, its bytes, and what was too large to
    travel, in words.
    """

    sha256: str
    size: int
    missing: tuple[str, ...] = ()


class LeftWorkspace(Written, frozen=True, kw_only=True):
    """A workspace that travels to the host that goes on with it, and what of it does not."""

    archive: Base64
    missing: tuple[str, ...] = ()


class Subtask(Written, frozen=True, kw_only=True):
    """How a subtask ended that its maker waited for: state, reason where it failed, result and files; those that are
    `left_out` are too large to come along.
    """

    id: str
    title: str
    state: State
    reason: str = ""
    result: str = ""
    files: tuple[File, ...] = ()
    left_out: tuple[FileInfo, ...] = ()


class Waited(Written, frozen=True, kw_only=True):
    """What became of the subtasks that the `wait_for_tasks` call of this id waited for."""

    tool_use_id: str
    subtasks: tuple[Subtask, ...]


class HostDay(Written, frozen=True, kw_only=True):
    """What the queue knows of a host's UTC day: the micro-dollars of each session that began on it there."""

    day: str
    usd_micros: dict[str, int]


class Claim(Written, frozen=True, kw_only=True):
    """A claimed task with all that its session needs; `checkpoint` is what the session before handed over, `workspace`
    what it left, for a host that has it not; `waited` what it waited for last; `can_wait`: this queue knows how a task
    waits for its subtasks; `day` what the queue knows of the host's day without this claim, where that was asked for.

    `answers` and `notes` are all that a user said to this session, oldest first, those of earlier claims included: a
    note is a text to a task that was stuck or out of budget, an answer to no call.
    """

    task: Task
    lease: Lease
    session: Grant
    context: tuple[File, ...] = ()
    checkpoint: str | None = None
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()
    workspace: Workspace | None = None
    waited: Waited | None = None
    can_wait: bool = False
    day: HostDay | None = None


class Heartbeat(Written, frozen=True, kw_only=True):
    """The holder lives."""

    fence: int


class HeartbeatReply(Written, frozen=True, kw_only=True):
    """The lease goes on for `ttl_s`; `cancelled`: stop, the task is no longer wanted."""

    ttl_s: float
    cancelled: bool = False


class Batch(Written, frozen=True, kw_only=True):
    """Journal records of one session, contiguous. Those already held are passed over; a gap is 409."""

    fence: int
    events: tuple[Event, ...]


class Acknowledged(Written, frozen=True, kw_only=True):
    """The store holds the journal up to and with record `n`."""

    n: int


class Question(Written, frozen=True, kw_only=True):
    """What `ask_person` asks."""

    tool_use_id: str
    text: str


class SessionEnd(Written, frozen=True, kw_only=True):
    """How a session's process ended: one write with the task's next state. Sent again, it changes nothing.

    `turns` and `usd_micros` are the session's totals so far, `checkpoint` what it hands over at its turn limit;
    `host_wide`: what ended it is no fault of the task's and would meet every task; `workspace`: for the next one;
    `wait`: for which subtasks; `turn_limit`: the turns that the session had.
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
    host_wide: bool = False
    workspace: LeftWorkspace | None = None
    wait: Wait | None = None
    turn_limit: int | None = None


class Session(Written, frozen=True, kw_only=True):
    """A session as the store has it; `exit` is absent while its process runs, `suspended` says that it goes on, and
    `turn_limit` is known of one that ended under a worker that reports it.
    """

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
    turn_limit: int | None = None


class Reply(Request, frozen=True, kw_only=True):
    """A user's answer to what waits: a text, or a grant of sessions and micro-dollars."""

    text: Text | None = None
    sessions: Annotated[int, Meta(ge=0, le=SESSIONS_LIMIT)] = 0
    usd_micros: Micros = 0

    def __post_init__(self) -> None:
        """Refuse what a schema cannot count."""
        require_short("text", self.text or "")


class Edit(Request, frozen=True, kw_only=True):
    """Another priority or budget for a task that is not over; what is left out stays. A budget is the whole of it, used
    and spent included.
    """

    priority: Annotated[int, Meta(ge=0, le=9)] | None = None
    sessions: Annotated[int, Meta(ge=1, le=SESSIONS_LIMIT)] | None = None
    usd_micros: Annotated[int, Meta(ge=1, le=USD_MICROS_LIMIT)] | None = None

    def __post_init__(self) -> None:
        """Refuse one that changes nothing: it was meant to."""
        if self.priority is None and self.sessions is None and self.usd_micros is None:
            raise Invalid("priority", "is missing, and so are sessions and usd_micros: give one of them at least")


class RetryQuery(Request, frozen=True, kw_only=True):
    """How a failed task is tried again: its session goes on as it stood, or a new one starts from its checkpoint."""

    start: Literal["as_it_stood", "afresh"] = "as_it_stood"


class Invite(Request, frozen=True, kw_only=True):
    """Ask for a link by which an operator of this name signs in to the page."""

    name: Name


class Invitation(Written, frozen=True, kw_only=True):
    """The page's path that signs in: once, until `expires_at`."""

    path: str
    expires_at: str


class Scope(OpenWord, enum.StrEnum):
    """What the holder of a token may: work sessions, report sync runs, send what waits, read figures, or all."""

    AGENT = "agent"
    SYNC = "sync"
    TELL = "tell"
    METRICS = "metrics"
    OPERATOR = "operator"


class AskedToken(Request, frozen=True, kw_only=True):
    """Ask for a token for a program on another host."""

    name: Name
    scope: Scope

    def __post_init__(self) -> None:
        """Refuse a scope that is not known here: its token would give nothing."""
        if not self.scope.is_known:
            raise Invalid("scope", f"must be one of {', '.join(Scope)}, not {self.scope.value!r}")


class Token(Written, frozen=True, kw_only=True):
    """What is said of a token; its text is shown once, when it is made."""

    id: str
    name: str
    scope: Scope
    made_at: str
    revoked: bool = False


class MadeToken(Written, frozen=True, kw_only=True):
    """A new token with its text."""

    token: Token
    text: str


class TokenList(Written, frozen=True, kw_only=True):
    """The tokens that are taken, oldest first."""

    tokens: tuple[Token, ...]


class SyncOutcome(OpenWord, enum.StrEnum):
    """How a sync run ended; `unchanged` and `changed` were read again and verified; `off`: it is not set up yet;
    `elsewhere`: another host has the sync, and reports.
    """

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    FAILED = "failed"
    OFF = "off"
    ELSEWHERE = "elsewhere"


class SyncRun(Written, frozen=True, kw_only=True):
    """One run of the sync. A failed one carries the class of its error, its cause and its cure; one that succeeded, but
    set records of the source aside, says which in its cause.
    """

    started_at: str
    finished_at: str
    outcome: SyncOutcome
    rows_read: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    conflicts: int = 0
    set_aside: int = 0
    error: str | None = None
    cause: str | None = None
    cure: str | None = None
    token_dies_at: str | None = None


class TakeLease(Request, frozen=True, kw_only=True):
    """Ask for the sync's lease: among all hosts of one queue one sync writes the sheet. `holder` names what can run
    only once at a time (a host, where a lock keeps its runs apart): it gets its own lease again at once, under a new
    fence. For `ttl_s` after a beat the holder may begin requests, each of at most `request_s`.
    """

    holder: Line
    ttl_s: Annotated[int, Meta(ge=5, le=3600)]
    request_s: Annotated[int, Meta(ge=0, le=3600)]


class RoleLease(Written, frozen=True, kw_only=True):
    """Who has the lease. `held`: the one who asked, for `ttl_s` from before the request was sent; else `holder` has it,
    and asking again later is all there is to do.
    """

    held: bool
    holder: str
    fence: int
    ttl_s: int


class LeaseFence(Written, frozen=True, kw_only=True):
    """The holder of this fence lives, or, at a release, lets go."""

    fence: int


class Keep(Written, frozen=True, kw_only=True):
    """A content of the sync, to be kept in place of `version`: 0 where there is none yet."""

    fence: int
    version: int
    content: Base64


class KeptVersion(Written, frozen=True, kw_only=True):
    """The version that is kept now."""

    version: int


class KeptContent(Written, frozen=True, kw_only=True):
    """What is kept, in its version."""

    version: int
    content: Base64


class TaskList(Written, frozen=True, kw_only=True):
    """Tasks in the order asked for; the `Link` header names the next page. A page may hold fewer tasks than asked for,
    or none, and name a next one all the same: so far was looked.

    While tasks of an earlier release are being indexed, words and cost find only those from the id `indexed_from` on.
    """

    tasks: tuple[Task, ...]
    indexed_from: str | None = None


class SessionList(Written, frozen=True, kw_only=True):
    """A task's sessions, oldest first."""

    sessions: tuple[Session, ...]


class Unreadable(Written, frozen=True, kw_only=True):
    """Records of a journal, by their numbers from `n` to `last`, that are damaged, and how."""

    n: int
    last: int
    why: str


class EventList(Written, frozen=True, kw_only=True):
    """Acknowledged records of a session's journal, in order, without those that are `unreadable`."""

    events: tuple[Event, ...]
    unreadable: tuple[Unreadable, ...] = ()


class SyncRunList(Written, frozen=True, kw_only=True):
    """Sync runs, newest first."""

    sync_runs: tuple[SyncRun, ...]


class Health(Written, frozen=True, kw_only=True):
    """The dashboard's word on itself."""

    status: str


class Backup(Written, frozen=True, kw_only=True):
    """A checked copy of the whole queue, on its host; `size` in bytes."""

    name: str
    size: int
    made_at: str


class NightlyBackup(Written, frozen=True, kw_only=True):
    """How the backup off the box stands: when it was last tried, when the target was last seen to hold a whole one,
    which, and of how many bytes; `failed` says why the last try has none.
    """

    tried_at: str
    sent_at: str | None = None
    name: str = ""
    size: int = 0
    failed: str = ""


class BackupList(Written, frozen=True, kw_only=True):
    """The backups that are held, newest first."""

    backups: tuple[Backup, ...]


class Template(Written, frozen=True, kw_only=True):
    """A task as it is often wanted, from the dashboard's settings: its values are to be put into a new one."""

    name: str
    title: str
    description: str = ""
    labels: tuple[str, ...] = ()
    priority: int = 5
    sessions: int = 5
    usd_micros: int = 5_000_000


class TemplateList(Written, frozen=True, kw_only=True):
    """The templates that are set up."""

    templates: tuple[Template, ...]


class Recurrence(Written, frozen=True, kw_only=True):
    """A template's task again and again. `last_task` is what its last run, due at `last_at`, added, or, where not
    `last_added`, what it found unfinished and added nothing beside.
    """

    name: str
    template: str
    cron: str
    time_zone: str
    next_at: str
    catch_up: bool = False
    last_at: str | None = None
    last_task: str | None = None
    last_added: bool = False


class RecurrenceList(Written, frozen=True, kw_only=True):
    """The recurring tasks that are set up."""

    recurring: tuple[Recurrence, ...]


class Message(Written, frozen=True, kw_only=True):
    """What the sender delivers to one target; `id` is the same at each try: a receiver can tell a repetition by it."""

    id: str
    target: str
    subject: str
    text: str


class MessageList(Written, frozen=True, kw_only=True):
    """Messages that are due, one for each target at most, the least tried first."""

    messages: tuple[Message, ...]


class Delivery(Written, frozen=True, kw_only=True):
    """How a try to deliver a message ended, with the other side's answer."""

    id: str
    target: str
    delivered: bool
    answer: str = ""


class Notifications(Written, frozen=True, kw_only=True):
    """How telling users stands: the targets that are set, and what has not reached them, the oldest since when."""

    targets: tuple[str, ...]
    unsent: int = 0
    oldest: str | None = None
    answer: str = ""


class Presence(Request, frozen=True, kw_only=True):
    """A worker says that it lives, while it claims nothing; `trouble` is why it can't work at all, with the cure."""

    host: Line
    trouble: Annotated[str, Meta(max_length=4000)] | None = None


class HostReport(Written, frozen=True, kw_only=True):
    """What a host's dashboard says of it: how operators call it, when its worker was heard of, what is wrong there, how
    many processes wait for its processors (the load of the last minute), and what is free on its disk. `at` is its own
    time of day.
    """

    host: str
    called: str = ""
    beat: int = 0
    at: str = ""
    worker_seen: str | None = None
    wrong: tuple[str, ...] = ()
    load: float | None = None
    cpus: int | None = None
    free_mb: int | None = None


class RunningOn(Written, frozen=True, kw_only=True):
    """A task that runs on a host."""

    task: str
    title: str


class HostDayUse(Written, frozen=True, kw_only=True):
    """What a UTC day took: sessions that began, and micro-dollars."""

    sessions: int = 0
    usd_micros: int = 0


class HostStanding(Written, frozen=True, kw_only=True):
    """How a host stands: its last report (see `HostReport`) and for how long nothing newer was seen, what it does for
    all, what runs on it, and what it took of today. One that only works here, without a dashboard, has no report.
    """

    host: str
    called: str = ""
    heard_at: str | None = None
    heard_s: int | None = None
    silent: bool = False
    worker_seen: str | None = None
    wrong: tuple[str, ...] = ()
    load: float | None = None
    cpus: int | None = None
    free_mb: int | None = None
    roles: tuple[str, ...] = ()
    running: tuple[RunningOn, ...] = ()
    today: HostDayUse = HostDayUse()


class HostList(Written, frozen=True, kw_only=True):
    """The hosts by name, and today in all. `taken` is what is used or promised of the caps that hold for all together;
    without caps it is absent.
    """

    hosts: tuple[HostStanding, ...] = ()
    today: HostDayUse = HostDayUse()
    taken: HostDayUse | None = None
    sessions_per_day: int | None = None
    usd_micros_per_day: int | None = None


class Counted(Written, frozen=True, kw_only=True):
    """Sessions that began within the last so many hours: how many came to their end, finished, used up their turns
    (`hits`), were ended by a full context (`early`), or failed; `sureness` says how far the rate of hits is a figure.
    """

    hours: int
    begun: int
    ended: int
    finished: int
    hits: int
    early: int
    failed: int
    sureness: str


class SessionsOfDay(Written, frozen=True, kw_only=True):
    """Sessions that came to their end, by the UTC day on which they began."""

    day: str
    finished: int
    hits: int
    others: int


class SessionRates(Written, frozen=True, kw_only=True):
    """How often sessions end, and how, under the limit of `turns`; `is_all` says whether all of them were counted."""

    turns: int
    periods: tuple[Counted, ...]
    days: tuple[SessionsOfDay, ...]
    is_all: bool = True


class Wellness(Written, frozen=True, kw_only=True):
    """Whether queue, worker and sync are truly well, and by which observations; what is wrong when they are not, and
    what was not observed yet.
    """

    well: bool
    complaints: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()


class TasksQuery(Request, frozen=True, kw_only=True):
    """Which tasks to list: those that fit all that is given, `limit` a page, from `cursor` (of a `Link` header) on.

    `words`: each is a whole word of title or description, joined ones (`a-b`) a phrase; case and accents make no
    difference. `least` and `most`: micro-dollars spent. `since` and `until`: when it was added; a subtask counts from
    when the session began that made it. `sort` by `cost` shows only tasks that cost something, the costliest first,
    and takes no `words`.
    """

    state: State | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=60)] | None = None
    words: Line | None = None
    label: Label | None = None
    least: Annotated[int, Meta(ge=0, le=10**15)] | None = None
    most: Annotated[int, Meta(ge=0, le=10**15)] | None = None
    since: Time | None = None
    until: Time | None = None
    sort: Literal["newest", "oldest", "cost"] = "newest"

    def __post_init__(self) -> None:
        """Refuse a state that is not known here: an empty list would be taken for an answer."""
        if self.state is not None and not self.state.is_known:
            raise Invalid("state", f"must be one of {', '.join(State)}, not {self.state.value!r}")


class EventsQuery(Request, frozen=True, kw_only=True):
    """Which records of a journal: those behind record `after`."""

    after: Annotated[int, Meta(ge=0, le=10**15)] = 0


class Problem(Written, frozen=True, kw_only=True):
    """An error as RFC 9457 has it (`application/problem+json`); `field` names what was wrong with the request."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    field: str | None = None


def require_small_files(field: str, files: Sequence[File]) -> None:
    """Raise `Invalid` for a file over the limit: base64 hides its bytes from a schema."""
    for number, file in enumerate(files):
        if len(file.content) > FILE_LIMIT:
            raise Invalid(f"{field}[{number}].content", f"is too long: at most {FILE_LIMIT} bytes")


def require_short(field: str, text: str) -> None:
    """Raise `Invalid` for a text of more bytes than a description may have; a lone surrogate is no text at all."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Invalid(field, "holds half of a character") from None
    if size > DESCRIPTION_LIMIT:
        raise Invalid(field, f"is too long: {size} bytes, at most {DESCRIPTION_LIMIT}")
