"""What a store keeps of a task beyond what crosses HTTP, the moves that change it, and the refusals a move ends in."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from wire.types import Answer, Budget, FileInfo, Session, State, Task, Wait, Workspace
from wire.values import Invalid, Written

Clock = Callable[[], datetime]
"""The time of day, with its zone."""

UNFINISHED = frozenset({State.QUEUED, State.RUNNING, State.NEEDS_YOU})
OVER = frozenset({State.DONE, State.FAILED, State.CANCELLED})
"""States for which no one waits any more; one that only another release knows is not among them."""
FIRST_YEAR, LAST_YEAR = 2000, 2098
"""Years of times that are meant: outside of them a time is a mistake, and would not fit an id's 48 bits of time."""
UNTIL_SUBTASKS = f"{LAST_YEAR}-12-31T23:59:59Z"
"""`not_before` of a task that waits for subtasks: no claim finds it, one of the release before neither."""


class NotFound(LookupError):
    """Nothing has this id."""


class Damaged(NotFound):
    """What is held of a task cannot be read: it is set aside, so that it stops neither claims nor lists."""

    def __init__(self, task_id: str, why: str) -> None:
        super().__init__(f"task {task_id} cannot be read ({why}): it is set aside; a backup may have it whole")
        self.task_id = task_id


class Conflict(Exception):
    """The state forbids the move, or the fence is stale: another holder has the task."""


class StaleVersion(Exception):
    """The task is not in the version that the sender had read."""


class NotClaimable(Exception):
    """This candidate cannot be claimed (any more): try the next."""


class FamilyBusy(NotClaimable):
    """A relative's session has reserved what is left to the family: none of its tasks can be claimed now."""


class Unready(Exception):
    """The store cannot be trusted with a write now: the text says cause and cure."""


class Ending(Unready):
    """What takes long was given up, because the process is to end; the next one can do it."""

    def __init__(self) -> None:
        super().__init__("the dashboard is ending: ask again once it has started")


RESTORE = "restore a backup by `fab queue.restore`; only if its tasks may be lost, delete queue.db.id"
"""The cure of a file that is lost or damaged."""


class Lost(Unready):
    """A queue was here and is not: beginning anew would hide it. Only a user can mend this, by the `cure`."""

    def __init__(self, why: str, cure: str = RESTORE) -> None:
        super().__init__(why)
        self.cure = cure


class Busy(Exception):
    """The file is locked for too long: try again in a moment; nothing was changed."""


class Full(Exception):
    """There is no room for the write; nothing was changed, and what was acknowledged stays."""


class FamilyBudget(Written, frozen=True, kw_only=True):
    """What is left to a family (a task with all its descendants); a record of its own; its `version` grows.

    `usd_micros` is neither spent nor reserved; `reserved` is what running sessions may still spend.
    """

    sessions: int
    usd_micros: int
    reserved: int = 0
    version: int = 1


class BudgetChange(Written, frozen=True, kw_only=True):
    """What a move adds to its family's budget; negative numbers take away."""

    sessions: int = 0
    usd_micros: int = 0
    reserved: int = 0


NO_CHANGE = BudgetChange()
NOTHING = Budget(sessions=0, usd_micros=0)


class Holder(NamedTuple):
    """A task's holder as one sign of life shows it."""

    task: str
    fence: int
    beat: int


class Record(Written, frozen=True, kw_only=True):
    """A task with all that decides its next move; small, and replaced as a whole in one write.

    Large values are blobs, named by the SHA-256 of their content: `description`, `result`, `checkpoint`, the
    `workspace` that travels, and the files that `task` lists; a short description or result stays in `task`.
    `granted` is what the record adds to its family's budget: a root its own, a child only what a user granted it.
    `beat` grows with each heartbeat, and `ttl_s` is how long its holder may be silent (see `dashboard.leases`);
    `claim_key` is that of the claim that gave it out, and `claim_new` whether that began the session; `session` is
    the current or last one; `reserved` the micro-dollars its running session may still spend; `ended_fence` the
    fence of the last recorded end; `answers` and `notes` are a user's words to the current session, and `wait` is what
    it waits or waited for last; `day` is that of which its last claim took its session and dollars, where all hosts
    together have a cap; `digest` is that of the request that made the task.
    """

    task: Task
    root: str
    granted: Budget = NOTHING
    reserved: int = 0
    beat: int = 0
    ttl_s: float | None = None
    claim_key: str | None = None
    claim_new: bool = False
    session: Session | None = None
    ended_fence: int = 0
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()
    wait: Wait | None = None
    day: str | None = None
    digest: str = ""
    description: str | None = None
    result: str | None = None
    checkpoint: str | None = None
    workspace: Workspace | None = None

    @property
    def holder(self) -> "Holder":
        """Who holds it, and how often that has given a sign of life."""
        return Holder(self.task.id, self.task.fence, self.beat)

    @property
    def is_leased(self) -> bool:
        """Whether a host holds it: it runs, or was cancelled while it ran and that session is not known to be over."""
        state = self.task.state
        return state is State.RUNNING or (state is State.CANCELLED and self.reserved > 0)

    @property
    def blobs(self) -> list[str]:
        """The names of all blobs that it needs."""
        left = self.workspace.sha256 if self.workspace else None
        names = [self.description, self.result, self.checkpoint, left]
        return [*(name for name in names if name), *(info.sha256 for info in self.files)]

    @property
    def files(self) -> list[FileInfo]:
        """Its files whose content is still kept: those that it works with, and those that it left."""
        return [info for info in (*self.task.context, *self.task.files) if info.sha256]

    @property
    def goes_on(self) -> bool:
        """Whether the next claim continues the session: it was suspended, or its holder was lost while running."""
        return self.session is not None and (self.session.suspended or self.task.state is State.RUNNING)

    @property
    def ready_at(self) -> float | None:
        """From when on a queued one may be claimed, in seconds since 1970, where it says `not_before`."""
        waits = self.task.state is State.QUEUED and self.task.not_before
        return moment(self.task.not_before or "", "not_before").timestamp() if waits else None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move comes to: the next record, and what it adds to the family's budget."""

    record: Record
    budget: BudgetChange


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one record. Pure: it may be run again on a newer record, and draws no clock or id.

    `needs_budget`: it is decided by what is left to the family, so a store reads that budget in the same write, and
    runs the move again when its version has moved on.
    """

    change: Callable[[Record, FamilyBudget], Record]
    needs_budget: bool = False

    def applied(self, record: Record, budget: FamilyBudget | None = None) -> Moved:
        """Return what it comes to; raises what the change raises."""
        if budget is None:
            if self.needs_budget:
                raise ValueError("this move needs the family's budget")
            budget = FamilyBudget(sessions=0, usd_micros=0)
        new = self.change(record, budget)
        return Moved(new, budget_change(record, new))


def budget_change(old: Record, new: Record) -> BudgetChange:
    """Return what a record's change adds to its family's budget: what was granted, less what was used or reserved."""
    reserved = new.reserved - old.reserved
    spent = new.task.usd_micros_spent - old.task.usd_micros_spent
    return BudgetChange(
        sessions=new.granted.sessions - old.granted.sessions - (new.task.sessions_used - old.task.sessions_used),
        usd_micros=new.granted.usd_micros - old.granted.usd_micros - spent - reserved,
        reserved=reserved,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An Idempotency-Key, the digest of the request that came with it, and the task it made."""

    key: str
    digest: str
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store holds already that a new task may collide with or belongs to."""

    key: Key | None = None
    keyed: Record | None = None
    same_id: Record | None = None
    same_work: Record | None = None
    parent: Record | None = None
    budget: FamilyBudget | None = None


def digest(content: bytes) -> str:
    """Return the name of a blob."""
    return hashlib.sha256(content).hexdigest()


def moment(text: str, name: str) -> datetime:
    """Read an RFC 3339 time; raises `Invalid` naming the field `name`."""
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None:
            raise Invalid(name, "must name its time zone, as in 2026-05-13T00:00:00Z")
        at = parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(name, f"must be a time like 2026-05-13T00:00:00Z, not {text!r}") from None
    is_meant = FIRST_YEAR <= at.year <= LAST_YEAR
    if not is_meant:
        raise Invalid(name, f"must be a time from {FIRST_YEAR} to {LAST_YEAR}, not {text!r}")
    return at
