"""All moves of the state machine, as pure functions from a record to the next: no I/O, time passed in.

queued -> running -> done | failed | cancelled | queued | needs_you; needs_you -> queued | done | cancelled;
queued -> cancelled; failed -> queued | cancelled. A move that changes nothing returns the record it was given. A state
that only another release knows is never claimed, and leaves by no move of ours.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dashboard.record import (
    NOTHING,
    UNFINISHED,
    UNTIL_SUBTASKS,
    Conflict,
    FamilyBudget,
    FamilyBusy,
    Found,
    Holder,
    Key,
    NotClaimable,
    Record,
    StaleVersion,
    moment,
)
from wire.times import stamp
from wire.types import (
    SESSIONS_LIMIT,
    SUBTASKS_LIMIT,
    USD_MICROS_LIMIT,
    Answer,
    Budget,
    Edit,
    Event,
    Exit,
    FileInfo,
    Need,
    NewTask,
    Reply,
    Session,
    SessionEnd,
    State,
    SyncOutcome,
    Task,
    Wait,
    Waiting,
    Workspace,
)
from wire.values import Invalid, carried

SUSPENDED = frozenset({Exit.ASKED, Exit.BUDGET, Exit.STUCK, Exit.SUBTASKS, Exit.FAULT, Exit.UNAVAILABLE, Exit.DRAINED})
"""After these exits the session goes on at the next claim, under its id: only a hand-over makes way for a new one."""
SUCCESSES = frozenset({SyncOutcome.UNCHANGED, SyncOutcome.CHANGED})
"""Outcomes that prove the sheet in step; one that only another release knows proves nothing."""
EDITABLE = UNFINISHED | {State.FAILED}
"""States in which a task is not over for its user: a failed one waits to be tried again, or to be let go."""
UNAVAILABLE_PAUSE = timedelta(minutes=5)
"""How long a task rests when the API was unavailable and the session did not say until when."""
STALE_FENCE = "the fence is stale: the task was claimed again; stop, and merge nothing"
LEAST_GRANT = 500_000
"""Micro-dollars that are proposed at least: less would hardly pay for a turn."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of two hosts may be apart; a report from later than that is dated wrongly."""
MOST_TURNS, MOST_USD_MICROS = 10_000, 10**12
"""Beyond these a session's totals are a mistake, and would not fit a store's integers."""


def draft(new: NewTask, task_id: str, now: datetime, digest: str = "") -> Record:
    """Make the record of a new task, its description left out: it is a blob. Raises `Invalid`."""
    at = stamp(now)
    budget = Budget(sessions=new.budget.sessions, usd_micros=new.budget.usd_micros)
    task = Task(
        id=task_id,
        title=new.title,
        description="",
        state=State.QUEUED,
        priority=new.priority,
        budget=budget,
        version=1,
        created_at=at,
        updated_at=at,
        not_before=stamp(moment(new.not_before, "not_before")) if new.not_before else None,
        parent=new.parent,
        dedupe_key=new.dedupe_key,
        labels=tuple(dict.fromkeys(new.labels)),
    )
    return Record(task=task, root=task_id, granted=budget, digest=digest)


def admit(record: Record, key: Key | None, found: Found) -> Record:
    """Return the record to insert, or the one that stands for it already. Raises `Invalid`."""
    if key and found.key and found.keyed:
        if not same_request(found.key.digest, key.digest):
            raise Invalid("Idempotency-Key", "was used for another request; use a new one for each new task")
        return found.keyed
    if found.same_id:
        if not same_request(found.same_id.digest, record.digest):
            raise Invalid("id", "belongs to another task")
        return found.same_id
    if found.same_work:
        return found.same_work
    return _child(record, found) if record.task.parent else record


def same_request(held: str, given: str) -> bool:
    """Whether two digests are of one request. Each is `version:hash`, several with spaces between: a newer release
    gives the older versions too, so that what an older one stored still matches.
    """
    return not set(held.split()).isdisjoint(given.split())


def require_no_same_work(record: Record, same_work: Record | None) -> None:
    """Raise `Conflict` when another unfinished task does the same work as this one, brought back to life."""
    if same_work and same_work.task.id != record.task.id and record.task.state in UNFINISHED:
        raise Conflict(f"task {same_work.task.id} does the same work (dedupe_key {record.task.dedupe_key}) already")


def _child(record: Record, found: Found) -> Record:
    """Bind a child: at no higher priority than its parent, within what is left to the family."""
    if not found.parent or not found.budget:
        raise Invalid("parent", "is no task here")
    if found.parent.task.state is State.CANCELLED:
        raise Invalid("parent", "was cancelled")
    asked, left = record.task.budget, found.budget
    usd_micros_left = left.usd_micros + left.reserved
    if left.sessions < 1 or usd_micros_left < 1:
        raise Invalid("parent", "has no sessions or dollars left to share; a user has to grant it more first")
    budget = Budget(sessions=min(asked.sessions, left.sessions), usd_micros=min(asked.usd_micros, usd_micros_left))
    priority = min(record.task.priority, found.parent.task.priority)
    task = replace(record.task, budget=budget, priority=priority)
    return replace(record, task=task, root=found.parent.root, granted=NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who claims, and with what: `session_id` is used when the task needs a new session; `past` are the holders whose
    lease is past, as the server has seen. `day` is that of whose caps it takes, where there are any: no more than
    `most_usd_micros`, and, `resumes_only`, no session.
    """

    host: str
    session_id: str
    ttl_s: float
    suspended_only: bool = False
    key: str | None = None
    past: Mapping[Holder, Record] = field(default_factory=dict)
    day: str | None = None
    most_usd_micros: int | None = None
    resumes_only: bool = False


def claim(record: Record, budget: FamilyBudget, by: Claimant, now: datetime) -> Record:
    """Give the task to a holder under the next fence, or move it to needs_you when its budget is used up.

    The session reserves what the task and its family have left. Raises `NotClaimable`, and `FamilyBusy`.
    """
    if not is_claimable(record, now, by.past) or ((by.suspended_only or by.resumes_only) and not record.goes_on):
        raise NotClaimable
    own = record.task.budget.usd_micros - record.task.usd_micros_spent
    # What an earlier holder of this very task reserved is its own again.
    money = min(own, budget.usd_micros + record.reserved)
    held_by_relatives = budget.reserved > record.reserved
    if own > 0 and money <= 0 and held_by_relatives:
        raise FamilyBusy  # what the relative's session leaves may still suffice
    shortage = _shortage(record, budget, money)
    if shortage:
        return _wait_for_budget(record, now, shortage)
    if by.most_usd_micros is not None:
        # What an earlier holder took of this day is its own again, too.
        money = min(money, by.most_usd_micros + (record.reserved if record.day == by.day else 0))
        if money <= 0:
            raise NotClaimable
    return _start(record, by, money, now)


def is_claimable(record: Record, now: datetime, past: Collection[Holder]) -> bool:
    """Whether a claim may take it: queued and due, or running on a lease that is past."""
    task = record.task
    if task.state is State.RUNNING:
        return record.holder in past
    # Both texts are stamps (UTC, whole seconds), which sort as times.
    return task.state is State.QUEUED and (task.not_before is None or task.not_before <= stamp(now))


def _shortage(record: Record, budget: FamilyBudget, money: int) -> str | None:
    task = record.task
    shared = "" if record.root == task.id else " It shares the budget of the task that made it."
    if money <= 0:
        spent = f"{usd(task.usd_micros_spent)} of {usd(task.budget.usd_micros)} spent"
        return f"Its dollars are used up: {spent}.{shared}"
    if not record.goes_on and (task.sessions_used >= task.budget.sessions or budget.sessions < 1):
        return f"Its sessions are used up: {task.sessions_used} of {task.budget.sessions}.{shared}"
    return None


def usd(micros: int) -> str:
    """Write micro-dollars as people read them."""
    return f"${micros / 1_000_000:.2f}"


def _start(record: Record, by: Claimant, money: int, now: datetime) -> Record:
    at = stamp(now)
    new = not record.goes_on
    if new or record.session is None:
        session = Session(id=by.session_id, task=record.task.id, host=by.host, started_at=at, updated_at=at)
    else:
        session = replace(record.session, host=by.host, updated_at=at, exit=None, suspended=False, reason="")
    return replace(
        changed(
            record,
            now,
            state=State.RUNNING,
            fence=record.task.fence + 1,
            sessions_used=record.task.sessions_used + new,
            not_before=None,
            reason=None,
        ),
        session=session,
        reserved=money,
        beat=0,
        ttl_s=by.ttl_s,
        claim_key=by.key,
        claim_new=new,
        day=by.day,
    )


def require_current_fence(record: Record, session_id: str, fence: int) -> None:
    """Raise `Conflict` unless this session, under this fence, is the task's latest holder."""
    require_holder(record.session.id if record.session else None, record.task.fence, session_id, fence)


def require_holder(session_held: str | None, fence_held: int, session_id: str, fence: int) -> None:
    """Raise `Conflict` unless the session and the fence are those that are held."""
    if (session_held, fence_held) != (session_id, fence):
        raise Conflict(STALE_FENCE)


def unheld(events: Sequence[Event], held: int) -> list[Event]:
    """Return the records after number `held`, which must go on from there without a gap. Raises `Conflict`."""
    fresh = [event for event in events if event.n > held]
    if [event.n for event in fresh] != list(range(held + 1, held + 1 + len(fresh))):
        raise Conflict(f"a gap: records are held up to {held}, deliver from {held + 1} on, in order")
    return fresh


def heartbeat(record: Record, fence: int, ttl_s: float) -> Record:
    """Renew the lease; one that is past revives. A cancelled task's record is returned as it is. Raises `Conflict`."""
    if record.task.fence != fence:
        raise Conflict(STALE_FENCE)
    if record.task.state is State.CANCELLED:
        return record
    if record.task.state is not State.RUNNING:
        raise Conflict(f"the task is {record.task.state}, not running")
    return replace(record, beat=record.beat + 1, ttl_s=ttl_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a session's end came with: the names of its blobs, and a result that is short enough to need none."""

    files: tuple[FileInfo, ...] = ()
    result: str | None = None
    short_result: str | None = None
    checkpoint: str | None = None
    workspace: Workspace | None = None


def end(record: Record, session_id: str, end: SessionEnd, left: Left, now: datetime) -> Record:
    """Settle how a session's process ended and what it left, with the task's next state. Sent again it changes nothing.

    Raises `Conflict`, `Invalid`.
    """
    require_current_fence(record, session_id, end.fence)
    if record.ended_fence == end.fence:
        return record
    settled = _settle(record, end, now)
    if left.checkpoint:
        settled = replace(settled, checkpoint=left.checkpoint)
    if left.workspace:
        settled = replace(settled, workspace=left.workspace)
    return settled if record.task.state is not State.RUNNING else _outcome(settled, end, left, now)


def _settle(record: Record, end: SessionEnd, now: datetime) -> Record:
    """Book what the session used; what is left of its reservation is free again."""
    session = record.session
    turns_fit, usd_fits = 0 <= end.turns <= MOST_TURNS, 0 <= end.usd_micros <= MOST_USD_MICROS
    if session is None or not turns_fit:
        raise Invalid("turns", f"must be from 0 to {MOST_TURNS}")
    if not usd_fits:
        raise Invalid("usd_micros", f"must be from 0 to {MOST_USD_MICROS}")
    total = max(session.usd_micros, end.usd_micros)  # a holder that lost its journal knows less than we do
    spent = record.task.usd_micros_spent + total - session.usd_micros
    ended = replace(
        session,
        unknown=carried(session, end),
        exit=end.exit,
        suspended=end.exit in SUSPENDED and record.task.state is State.RUNNING,
        reason=end.reason,
        turns=max(session.turns, end.turns),
        usd_micros=total,
        turn_limit=end.turn_limit,
        updated_at=stamp(now),
    )
    settled = replace(
        changed(record, now, usd_micros_spent=spent), session=ended, reserved=0, ttl_s=None, ended_fence=end.fence
    )
    # A user's words were to this session; those that come from now on are to the next.
    return settled if ended.suspended else replace(settled, answers=(), notes=(), wait=None)


def _outcome(record: Record, end: SessionEnd, left: Left, now: datetime) -> Record:  # noqa: C901, PLR0911 - a case for each exit
    """The table of exits (see `wire.types.Exit`)."""
    match end.exit:
        case Exit.FINISHED:
            done = replace(_released(record, now, state=State.DONE), workspace=None)  # no session goes on from it
            return _with_what_is_left(done, left)
        case Exit.TURN_LIMIT if record.task.sessions_used >= record.task.budget.sessions:
            used = f"{record.task.sessions_used} of {record.task.budget.sessions}"
            return _wait_for_budget(record, now, f"Its sessions are used up: {used}. {end.reason}".strip())
        case Exit.ASKED if end.question is None:
            raise Invalid("question", "missing: exit 2 says that a user was asked")
        case Exit.ASKED if end.question is not None:
            return _wait_for_user(record, now, Need.QUESTION, end.question.text, end.question.tool_use_id)
        case Exit.SUBTASKS:
            return _wait_for_subtasks(record, end.wait, now)
        case Exit.BUDGET:
            reason = end.reason or "The session used up its dollars or its time."
            return _wait_for_budget(record, now, reason)
        case Exit.STUCK:
            waits = _wait_for_user(record, now, Need.STUCK, end.reason or "The session could not go on.")
            return _with_what_is_left(waits, left) if end.result else waits
        case Exit.FAULT:
            return _released(record, now, state=State.FAILED, reason=end.reason)
        case Exit.FENCED:
            raise Conflict("exit 5 is for a task that was cancelled or claimed again, and this one was neither")
        case Exit.UNAVAILABLE:
            until = moment(end.not_before, "not_before") if end.not_before else now + UNAVAILABLE_PAUSE
            return _released(record, now, state=State.QUEUED, not_before=stamp(until), reason=end.reason)
        case Exit.TURN_LIMIT | Exit.DRAINED:
            return _released(record, now, state=State.QUEUED, reason=end.reason)
    unknown = f"Its session ended by exit {int(end.exit)}, which this release does not know; its journal is kept."
    return _wait_for_user(record, now, Need.STUCK, f"{unknown} {end.reason}".strip())


def _wait_for_subtasks(record: Record, wait: Wait | None, now: datetime) -> Record:
    if wait is None or not 1 <= len(wait.tasks) <= SUBTASKS_LIMIT:
        raise Invalid("wait", f"must name 1 to {SUBTASKS_LIMIT} subtasks: exit 6 says that the task waits for them")
    waits = {"not_before": UNTIL_SUBTASKS, "waits_for": tuple(dict.fromkeys(wait.tasks))}
    return replace(_released(record, now, state=State.QUEUED, **waits), wait=wait)


def wake(record: Record, over: Collection[str], now: datetime) -> Record:
    """Let a task wait no longer for subtasks that are over; after the last of them it is due."""
    left = tuple(task for task in record.task.waits_for if task not in over)
    if left == record.task.waits_for:
        return record
    return changed(record, now, waits_for=left) if left else _released(record, now)


def _with_what_is_left(record: Record, left: Left) -> Record:
    """Keep the result and the files that a session handed over, of half a work too: the user decides by them."""
    task = replace(record.task, files=left.files, result=left.short_result)
    return replace(record, task=task, result=left.result)


def reply(record: Record, reply: Reply, version: int, now: datetime) -> Record:
    """Take a user's answer to what waits. Raises `StaleVersion`, `Conflict`, `Invalid`."""
    if record.task.version != version:
        raise StaleVersion(f"the task is in version {record.task.version} by now; read it again before you answer")
    waiting = record.task.waiting
    if waiting is None:
        raise Conflict(f"the task is {record.task.state} and waits for no answer")
    text = (reply.text or "").strip()
    match waiting.kind:
        case Need.ALARM:
            raise Conflict("an alarm closes itself when its cause is gone; follow its cure")
        case Need.BUDGET:
            if not reply.sessions and not reply.usd_micros:
                raise Invalid("sessions", "grant sessions or dollars (usd_micros): the task waits for budget")
        case Need.QUESTION | Need.STUCK:
            if not text:
                raise Invalid("text", "is missing: the task waits for an answer in words")
        case _:
            raise Conflict(f"the task waits for {waiting.kind.value}, which this release cannot answer: update it")
    return _answered(_granted(record, reply), waiting, text, now)


def _granted(record: Record, reply: Reply) -> Record:
    budget = _sum(record.task.budget, reply)
    if budget.sessions > SESSIONS_LIMIT:
        raise Invalid("sessions", f"would make {budget.sessions} in all: at most {SESSIONS_LIMIT}")
    if budget.usd_micros > USD_MICROS_LIMIT:
        raise Invalid("usd_micros", f"would make {budget.usd_micros} in all: at most {USD_MICROS_LIMIT}")
    return replace(record, task=replace(record.task, budget=budget), granted=_sum(record.granted, reply))


def _sum(budget: Budget, grant: Reply) -> Budget:
    return replace(budget, sessions=budget.sessions + grant.sessions, usd_micros=budget.usd_micros + grant.usd_micros)


def _answered(record: Record, waiting: Waiting, text: str, now: datetime) -> Record:
    if waiting.tool_use_id:
        record = replace(record, answers=(*record.answers, Answer(tool_use_id=waiting.tool_use_id, text=text)))
    elif text:
        record = replace(record, notes=(*record.notes, text))
    return _released(record, now, state=State.QUEUED)


def cancel(record: Record, now: datetime) -> Record:
    """Cancel what is unfinished, or let go of what failed; a running holder learns it from its next heartbeat. What
    that has reserved stays so until it has ended, or its lease is past: it may be spending it.

    Raises `Conflict`.
    """
    if record.task.state is State.CANCELLED:
        return record
    if record.task.state not in EDITABLE:
        raise Conflict(f"the task is {record.task.state}: there is nothing left to cancel")
    cancelled = _released(record, now, state=State.CANCELLED)
    return replace(cancelled, reserved=record.reserved, ttl_s=record.ttl_s)


def let_go(record: Record, holder: Holder, usd_micros: int, now: datetime) -> Record:
    """Settle a cancelled task whose holder's lease is past: book what its session spent in all, as far as is known, and
    free the rest of its reservation. Of another holder's it changes nothing.
    """
    session = record.session
    if session is None or record.task.state is not State.CANCELLED or not record.is_leased or record.holder != holder:
        return record
    total = max(session.usd_micros, usd_micros)
    spent = record.task.usd_micros_spent + total - session.usd_micros
    lost = replace(session, usd_micros=total, updated_at=stamp(now))
    return replace(changed(record, now, usd_micros_spent=spent), session=lost, reserved=0, ttl_s=None)


def retry(record: Record, now: datetime, *, afresh: bool = False) -> Record:
    """Queue a failed task again: its session goes on where our fault stopped it, or, `afresh`, a new one starts from
    the checkpoint. Raises `Conflict`.
    """
    if record.task.state is not State.FAILED:
        raise Conflict(f"the task is {record.task.state}: only a failed one can be tried again")
    if afresh and record.session:
        record = replace(record, session=replace(record.session, suspended=False))
    return _released(record, now, state=State.QUEUED)


def edit(record: Record, left: FamilyBudget, edit: Edit, version: int | None, now: datetime) -> Record:
    """Give a task another priority or budget. What its maker's budget gives a subtask is a cap only: a root's own is
    what its family shares. Raises `StaleVersion`, `Conflict`, `Invalid`.
    """
    task = record.task
    if version is not None and task.version != version:
        raise StaleVersion(f"the task is in version {task.version} by now; read it again before you change it")
    if task.state not in EDITABLE:
        raise Conflict(f"the task is {task.state}: its priority and budget decide nothing any more")
    priority = task.priority if edit.priority is None else edit.priority
    sessions = task.budget.sessions if edit.sessions is None else edit.sessions
    usd_micros = task.budget.usd_micros if edit.usd_micros is None else edit.usd_micros
    wanted = replace(task.budget, sessions=sessions, usd_micros=usd_micros)
    if (priority, wanted) == (task.priority, task.budget):
        return record
    if wanted != task.budget:
        _require_possible(record, left, wanted)
    granted = _more(record.granted, task.budget, wanted) if record.root == task.id else record.granted
    return replace(changed(record, now, priority=priority, budget=wanted), granted=granted)


def _more(granted: Budget, old: Budget, new: Budget) -> Budget:
    sessions, usd_micros = new.sessions - old.sessions, new.usd_micros - old.usd_micros
    return replace(granted, sessions=granted.sessions + sessions, usd_micros=granted.usd_micros + usd_micros)


def _require_possible(record: Record, left: FamilyBudget, wanted: Budget) -> None:
    """Refuse a budget under what is used or held already, or over what a subtask's family has; and one that a grant
    must change, because the task waits for that.
    """
    task = record.task
    if task.waiting and task.waiting.kind is Need.BUDGET:
        raise Conflict("the task waits for more budget: grant it as the answer to that, and it goes on")
    used = Budget(sessions=task.sessions_used, usd_micros=task.usd_micros_spent + record.reserved)
    if record.root == task.id:
        # What its subtasks used or hold is used too.
        used = _at_least(used, task.budget.sessions - left.sessions, task.budget.usd_micros - left.usd_micros)
    if wanted.sessions < used.sessions:
        raise Invalid("sessions", f"must be at least {used.sessions}: so many are used")
    if wanted.usd_micros < used.usd_micros:
        raise Invalid("usd_micros", f"must be at least {usd(used.usd_micros)}: so much is used or held")
    if record.root == task.id:
        return
    more = wanted.sessions - task.budget.sessions, wanted.usd_micros - task.budget.usd_micros
    own = task.budget.sessions - task.sessions_used, task.budget.usd_micros - task.usd_micros_spent
    if more[0] > max(0, left.sessions - own[0]):
        raise Invalid("sessions", "would be more than its family has left: give more to the task that made it")
    if more[1] > max(0, left.usd_micros + left.reserved - own[1]):
        raise Invalid("usd_micros", "would be more than its family has left: give more to the task that made it")


def _at_least(used: Budget, sessions: int, usd_micros: int) -> Budget:
    return replace(used, sessions=max(used.sessions, sessions), usd_micros=max(used.usd_micros, usd_micros))


def keep_as_note(record: Record, text: str, now: datetime) -> Record:
    """Keep an answer that came too late as a note to the session; sent again it is there already."""
    if has_said(record, text):
        return record
    return replace(changed(record, now), notes=(*record.notes, text))


def has_said(record: Record, text: str) -> bool:
    """Whether these words of a user wait for the session already."""
    return text in record.notes or any(answer.text == text for answer in record.answers)


def is_descendant(record: Record, ancestor: str, family: Mapping[str, Record]) -> bool:
    """Whether a task was made, over any number of steps, by another of its family."""
    parent = record.task.parent
    while parent is not None and parent != ancestor:
        parent = family[parent].task.parent if parent in family else None
    return parent == ancestor


def _wait_for_budget(record: Record, now: datetime, text: str) -> Record:
    waits = _wait_for_user(record, now, Need.BUDGET, text)
    waiting = waits.task.waiting and replace(waits.task.waiting, lacks=lacking(record.task))
    return replace(waits, task=replace(waits.task, waiting=waiting))


def lacking(task: Task) -> Budget:
    """Return a grant by which a task can go on: one session where none is left, and the dollars of a usual one of its
    sessions where fewer are left.
    """
    begun = max(1, task.sessions_used)
    # Rounded up to the cent, in which it is shown.
    usual = max(LEAST_GRANT, -(-task.usd_micros_spent // (begun * 10_000)) * 10_000)
    left = task.budget.usd_micros - task.usd_micros_spent
    sessions = 1 if task.sessions_used >= task.budget.sessions else 0
    return Budget(sessions=sessions, usd_micros=usual if left < usual else 0)


def _wait_for_user(record: Record, now: datetime, kind: Need, text: str, tool_use_id: str | None = None) -> Record:
    waiting = Waiting(kind=kind, text=text, since=stamp(now), tool_use_id=tool_use_id)
    return _released(record, now, state=State.NEEDS_YOU, waiting=waiting)


def _released(record: Record, now: datetime, **changes: Any) -> Record:
    """Let go of the lease, the reservation and what was waited for, and change the task."""
    rest = {"waiting": None, "not_before": None, "waits_for": (), **changes}
    return replace(changed(record, now, **rest), reserved=0, ttl_s=None, claim_key=None)


def changed(record: Record, now: datetime, **changes: Any) -> Record:
    """Change fields of the task, and its version."""
    task = replace(record.task, **{"version": record.task.version + 1, "updated_at": stamp(now), **changes})
    return replace(record, task=task)
