"""What a store keeps of a task beyond what crosses HTTP, and the refusals a move can end in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from wire.types import Answer, File, Session, State, Task
from wire.values import Invalid

Clock = Callable[[], datetime]
"""The time of day, with its zone."""

UNFINISHED = frozenset({State.QUEUED, State.RUNNING, State.NEEDS_YOU})


class Unknown(LookupError):
    """Nothing has this id."""


class Conflict(Exception):
    """The state forbids the move, or the fence is stale: somebody else holds the task."""


class Changed(Exception):
    """The task is not in the version that the sender had read."""


class Lost(Exception):
    """This candidate can't be claimed (any more): try the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What a record adds to its family's common budget: a root its own, a child only what a person granted it."""

    sessions: int = 0
    usd_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What is left to a family (a task with all its descendants). `usd_micros` is what nobody spent or reserved."""

    sessions: int
    usd_micros: int
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A task with all that decides its next move; replaced as a whole, in one write.

    `lease_until` is in seconds since 1970; `session` the current or last one; `reserved` the micro-dollars its running
    session may still spend; `ended_fence` the fence of the last recorded end; `answers` and `notes` are a person's
    words to the current session; `digest` is that of the request that made the task.
    """

    task: Task
    root: str
    pool: Pool = Pool()
    reserved: int = 0
    lease_until: float | None = None
    session: Session | None = None
    ended_fence: int = 0
    answers: tuple[Answer, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether the next claim continues the session: it was suspended, or its holder was lost while running."""
        return self.session is not None and (self.session.suspended or self.task.state is State.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """Large values written together with a record, beside it: they would slow every claim inside it."""

    files: tuple[File, ...] = ()
    checkpoint: str | None = None


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
    purse: Purse | None = None


def utc_now() -> datetime:
    """Return the time of day: the clock outside of tests."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Write a time as the contract has it: RFC 3339, UTC, whole seconds, so that texts sort as times."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment(text: str, name: str) -> datetime:
    """Read an RFC 3339 time; raises `Invalid` naming the field `name`."""
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(name, f"must be a time like 2026-05-13T00:00:00Z, not {text!r}") from None
    raise Invalid(name, "must name its time zone, as in 2026-05-13T00:00:00Z")
