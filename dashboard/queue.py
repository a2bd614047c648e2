"""What can be asked of the queue, by the API and by the page: each call is one move of `rules` on the store."""

import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace as replace_value
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec.structs import replace
from ulid import ULID

from dashboard import acts, beside, leases, outgoing, requests, rules, watch, wellness
from dashboard.beside import Beside
from dashboard.bulk import Action, Answered, Bulk, Foreseen, foreseen
from dashboard.caps import DayUse, caps
from dashboard.daily import CapMet, Daily
from dashboard.direct import Direct
from dashboard.disk import DiskWatch
from dashboard.duties import Duties
from dashboard.fleet import Fleet
from dashboard.hosts import Heard, named
from dashboard.leases import Leases
from dashboard.proof import Proof
from dashboard.record import (
    OVER,
    Busy,
    Clock,
    Conflict,
    Damaged,
    FamilyBudget,
    FamilyBusy,
    Full,
    Holder,
    Key,
    Move,
    NotClaimable,
    NotFound,
    Record,
    StaleVersion,
    Unready,
    digest,
    moment,
)
from dashboard.role_lease import OUTBOX, WATCH
from dashboard.roles import Roles
from dashboard.settings import Settings, WorkLimits, zone
from dashboard.stores import ALL_TASKS, AlarmMove, Candidate, Listing, NoticeFilter, Sort, Store, TaskFilter, journal
from dashboard.wellness import Standing
from wire.routes import ClaimWord
from wire.times import stamp
from wire.types import (
    FILE_LIMIT,
    Acknowledged,
    Act,
    Batch,
    Claim,
    ClaimRequest,
    Deed,
    Delivery,
    Edit,
    Event,
    File,
    FileInfo,
    Grant,
    Heartbeat,
    HeartbeatReply,
    HostDay,
    HostReport,
    Lease,
    LeftWorkspace,
    Message,
    NewTask,
    NightlyBackup,
    Notifications,
    Presence,
    Reply,
    Session,
    SessionEnd,
    State,
    Subtask,
    SyncRun,
    Task,
    Waited,
    Wellness,
    Workspace,
    require_small_files,
)
from wire.values import Invalid

log = logging.getLogger(__name__)

RECURRING = "recurring:"
"""What the dedupe keys of recurring tasks begin with, and the marks of what was dealt with."""
MOST_A_DAY = 1000
"""Sessions of a day that are looked at: the most that a worker's setting allows."""
MOST_GIVEN = 1000
"""Claims whose keys are remembered: a worker asks again under one within seconds."""
UNWOKEN = (Busy, Full, Unready, NotFound, Conflict)
"""Why a task that waits may not be woken at once: it is tried again at the watch's next look."""
NO_SUBTASK = "there is no such subtask of this task: it may have been refused when it was created"
INLINE = 1024
"""Bytes of a text that stays in its record: a blob of its own would cost a claim or an end two pages more to write."""


class Queue:
    """A store under the rules. Errors are those of `dashboard.record`, and `Invalid`; methods block for the store."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        boottime: Callable[[], float] = leases.boottime,
        around: Beside | None = None,
        limits: WorkLimits | None = None,
    ) -> None:
        self.store = store
        self._beside = around or Beside()
        self._host = self._beside.host if settings.table else ""
        self.roles = Roles(store, boottime)
        self.duties = Duties(self.roles, f"{self._host}/{uuid.uuid4().hex[:8]}" if settings.table else None, boottime)
        self.daily = Daily(store, caps(settings.fleet, limits, is_shared=bool(settings.table)), clock)
        self.fleet = Fleet(store, self._host if settings.table else None, settings, boottime)
        look_every_s = settings.lease_s / leases.LOOKS_A_LEASE if settings.table else leases.LOOK_EVERY_S
        self._leases = Leases(settings.lease_s, boottime, look_every_s)
        self._boottime, self._began = boottime, boottime()
        self._given: dict[str, str] = {}
        self._asking: set[str] = set()
        self._giving = threading.Lock()
        self.clock = clock
        self._settings = settings
        self._sync_rested: datetime | None = None
        self._started = clock()
        # Of this process's life only: after a restart a worker has its minutes to be heard of.
        self._worker_seen = self._started
        self._worker_heard = False
        self._troubles: dict[str, str | None] = {}
        self._notify = settings.notify
        self._policy = outgoing.Policy(
            targets=self._notify.targets,
            whole=self._notify.text == "whole",
            remind_s=self._notify.remind_hours * 3600,
            burst=self._notify.burst,
            link=self._notify.link,
        )
        self._direct = Direct(self._policy)
        self._unkept: dict[tuple[str, str], Delivery] = {}
        self._disk = DiskWatch(store)
        self._proof = Proof(store.prove, self.clock)

    def add(self, new: NewTask, key: str | None = None, by: str = "") -> tuple[Task, bool]:
        """Queue a task; return it, and whether it is a new one. `by`, here and below, is who does it."""
        for own in (watch.PREFIX, RECURRING):
            if new.dedupe_key and new.dedupe_key.startswith(own):
                raise Invalid("dedupe_key", f"must not begin with {own}: these are the dashboard's own")
        return self.add_own(new, key, by)

    def add_own(self, new: NewTask, key: str | None = None, by: str = "") -> tuple[Task, bool]:
        """Queue a task whose dedupe key may be one of the dashboard's own."""
        _require_different_names("context", new.context)
        sent = requests.digests(new)
        draft = rules.draft(new, new.id or self._new_id(), self.clock(), sent)
        is_short = _is_short(new.description)
        texts = [] if is_short else [new.description.encode()]
        record = replace(
            draft,
            task=replace(draft.task, context=_infos(new.context), description=new.description if is_short else ""),
            description=None if is_short else digest(texts[0]),
        )
        record = acts.signed(draft, record, acts.act(by, Deed.ADDED, self.clock()))
        blobs = [*(file.content for file in new.context), *texts]
        held, is_new = self.store.add(record, blobs, Key(key=key, digest=sent) if key else None)
        return self.task(held), is_new

    def task(self, record: Record) -> Task:
        """Return a record's task as it crosses HTTP, its texts put back."""
        return self._shown([record])[0]

    def get(self, task_id: str) -> Task:
        """Return a task; raises `NotFound`."""
        return self.task(self.store.get(task_id))

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Task]:
        """Return tasks, newest first."""
        return self._shown(self.store.tasks(which, before=before, limit=limit))

    def listing(
        self, which: TaskFilter, *, sort: Sort = Sort.NEWEST, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[Task], Listing]:
        """Return the tasks that fit all filters, and the part of the listing that they are."""
        found = self.store.listing(which, sort=sort, cursor=cursor, limit=limit)
        return self._shown(found.records), found

    def _shown(self, records: Sequence[Record]) -> list[Task]:
        texts = self.store.blobs([name for record in records for name in _texts(record)])
        return [_with_texts(record, texts) for record in records]

    def file(self, infos: Sequence[FileInfo], name: str) -> bytes:
        """Return the content of one of a task's files; raises `NotFound` for one that it has not."""
        for info in infos:
            if info.name == name and not info.sha256:
                raise NotFound(f"the file {name} was deleted: it had been kept for as long as keep_files_days says")
            if info.name == name:
                return self.store.blobs([info.sha256])[info.sha256]
        raise NotFound(f"the task has no file {name}")

    def claim(self, request: ClaimRequest, key: str | None = None, words: Collection[str] = ()) -> Claim | None:
        """Give out the first task that can be claimed, or None; `words` are of `ClaimWord`, others are passed over.

        The same `key` gives the same claim again while its lease holds: an answer that was lost costs no session. After
        that the key is used up, and raises `Conflict`: what comes late would get a claim of which no worker knows. A
        family without budget is passed over at its first task: with thousands of children, trying each took seconds.
        """
        self.hear_worker()
        with self._only_one(key):
            return self._claim_under(request, key, words)

    @contextmanager
    def _only_one(self, key: str | None) -> Iterator[None]:
        """Raise `Busy` while another request under the same key is answered: its first try, given up by the client."""
        with self._giving:
            if key in self._asking:
                raise Busy("a claim under this key is being answered")
            if key:
                self._asking.add(key)
        try:
            yield
        finally:
            with self._giving:
                self._asking.discard(key or "")

    def _claim_under(self, request: ClaimRequest, key: str | None, words: Collection[str]) -> Claim | None:
        by = rules.Claimant(
            host=request.host,
            session_id=self._new_id(),
            ttl_s=self._settings.lease_s,
            suspended_only=request.suspended_only,
            key=key,
            past=self._past(),
        )
        if key and (held := self._held(key, by, was_sent=ClaimWord.AGAIN in words)):
            return held
        tried: set[str] = set()
        day: HostDay | None = None
        while found := self._candidates(tried, by):
            # Before the claim, which is not to count in it.
            if ClaimWord.DAY in words and day is None:
                day = self.today(request.host)
            for candidate in found:
                if candidate.root in tried:
                    continue
                try:
                    record = self._tried(candidate, by, tried)
                except CapMet:
                    if by.suspended_only:
                        return None
                    # The day's sessions may be used up, and its dollars not: what was suspended goes on.
                    by = replace_value(by, suspended_only=True)
                    break
                if record and record.session:
                    self._leases.saw(record)
                    self._note_given(key, record.task.id)
                    return replace(self._claim(record, record.session), day=day)
        return None

    def _past(self) -> dict[Holder, Record]:
        """Return what runs on a lease that is past, and let go of what was cancelled and whose lease is."""
        past = self._leases.past(self.store.leased)
        for record in past.values():
            if record.task.state is State.CANCELLED:
                # What cannot be written now is at the next look: it holds dollars of its relatives, and no more.
                with suppress(*UNWOKEN):
                    self._let_go(record)
        return {holder: record for holder, record in past.items() if record.task.state is State.RUNNING}

    def _let_go(self, lost: Record) -> None:
        # Piece by piece: one that is damaged must not keep the rest, nor every claim after it.
        pieces = self.store.chunks(lost.session.id) if lost.session else ()
        spent = journal.spent(each for piece in pieces for each in piece if isinstance(each, Event))
        now = self.clock()
        move, seen = _noting(lambda record, _: rules.let_go(record, lost.holder, spent, now))
        record = self.store.change(lost.task.id, move)
        before = seen[-1]
        if record != before:
            booked = record.task.usd_micros_spent - before.task.usd_micros_spent
            self.daily.give_back(before.day, DayUse(0, before.reserved - booked))
        self._leases.forget(lost.holder)

    def _tried(self, candidate: Candidate, by: rules.Claimant, tried: set[str]) -> Record | None:
        """Return a task that was claimed; where it cannot be, note it or its family among those `tried`."""
        try:
            record = self._claimed(candidate.id, by)
        except CapMet:
            raise
        except FamilyBusy:
            tried.add(candidate.root)
        except NotClaimable:
            tried.add(candidate.id)
        except Damaged:
            self.store.set_aside(candidate.id)
            # A lost holder's task is still among those seen a second ago: it would be tried for ever.
            tried.add(candidate.id)
        else:
            if record.task.state is State.RUNNING:
                return record
            tried.add(candidate.root)  # its budget is used up, and it waits for a user now
        return None

    def _held(self, key: str, by: rules.Claimant, *, was_sent: bool) -> Claim | None:
        """Return the claim that this key was given before, while its lease holds, and let that begin anew: the worker
        reckons it from now. None for a key that is new; raises `Conflict` for one that is used up.
        """
        for record in self._holding(key, was_sent=was_sent):
            if record.claim_key == key and record.task.state is State.RUNNING and record.holder not in by.past:
                return self._renewed(record.task.id, record.task.fence, by.ttl_s)
        if was_sent or key in self._given:
            raise Conflict("no claim is held under this key any more, or none ever was: claim under a new one")
        return None

    def _renewed(self, task_id: str, fence: int, ttl_s: float) -> Claim:
        """Return a claim that is held, its lease begun anew. Raises `Conflict` where it just ended."""
        record = self.store.change(task_id, Move(lambda held, _: rules.heartbeat(held, fence, ttl_s)))
        if record.task.state is not State.RUNNING or record.session is None:
            raise Conflict(f"the task is {record.task.state}, not running")
        self._leases.saw(record)
        return self._claim(record, record.session)

    def _holding(self, key: str, *, was_sent: bool) -> Sequence[Record]:
        """Return the records that a claim of this key may have changed: seldom all that runs, which may be much."""
        with suppress(NotFound):
            if task_id := self._given.get(key):
                return [self.store.get(task_id)]
        # By the process before this one, then not longer ago than a lease: after that another may have the task.
        is_young = self._boottime() - self._began <= self._settings.lease_s
        return self.store.running() if was_sent or is_young else []

    def _note_given(self, key: str | None, task_id: str) -> None:
        if key:
            with self._giving:
                self._given[key] = task_id
                if len(self._given) > MOST_GIVEN:
                    del self._given[next(iter(self._given))]

    def _candidates(self, tried: set[str], by: rules.Claimant) -> list[Candidate]:
        lost = [
            Candidate(9 - record.task.priority, record.task.id, record.root)
            for record in by.past.values()
            if tried.isdisjoint((record.task.id, record.root))
        ]
        # Few: nearly always the first is claimed, and each one read costs every claim.
        now = self.clock().timestamp()
        return sorted([*lost, *self.store.candidates(now, suspended_only=by.suspended_only, without=tried, limit=4)])

    def _claimed(self, task_id: str, by: rules.Claimant) -> Record:
        if not self.daily.most.are_set:
            return self._begun(task_id, by)[1]
        day, taken = self.daily.take(self.store.get(task_id))
        bounded = replace_value(
            by, day=day, most_usd_micros=taken.usd_micros, resumes_only=by.suspended_only or not taken.sessions
        )
        try:
            before, record = self._begun(task_id, bounded)
        except (NotClaimable, Damaged):
            self.daily.give_back(day, taken)
            raise
        is_running = record.task.state is State.RUNNING
        used = DayUse(record.claim_new, record.reserved) if is_running else DayUse(0, 0)
        # What a holder that was lost had taken is this claim's, or free: what it spent comes with its journal.
        held = before.reserved if before.day == day else 0
        if not held:
            self.daily.give_back(before.day, DayUse(0, before.reserved))
        # In one move: between two, another claim could take what is in use.
        left = DayUse(taken.sessions - used.sessions, taken.usd_micros + held - used.usd_micros)
        self.daily.give_back(day, left)
        return record

    def _begun(self, task_id: str, by: rules.Claimant) -> tuple[Record, Record]:
        """Claim a task; return it as it was, and as it is."""
        now = self.clock()
        move, seen = _noting(lambda record, budget: rules.claim(record, budget, by, now), needs_budget=True)
        record = self.store.change(task_id, move)
        return seen[-1], record

    def _claim(self, record: Record, session: Session) -> Claim:
        """Put together what the holder needs; what is read beside the record cannot change while it holds the task."""
        infos, left = record.task.context, record.checkpoint
        blobs = self.store.blobs([*_texts(record), *(info.sha256 for info in infos), *([left] if left else [])])
        return Claim(
            task=_with_texts(record, blobs),
            lease=Lease(fence=record.task.fence, ttl_s=self._settings.lease_s),
            session=Grant(id=session.id, new=record.claim_new, usd_micros=session.usd_micros + record.reserved),
            context=tuple(File(name=info.name, content=blobs[info.sha256]) for info in infos),
            checkpoint=blobs[left].decode() if left else None,
            answers=record.answers,
            notes=record.notes,
            workspace=record.workspace,
            waited=self._waited(record),
            can_wait=True,
        )

    def _waited(self, record: Record) -> Waited | None:
        """Put together what became of the subtasks that a session waited for; their files as far as there is room."""
        if record.wait is None:
            return None
        room, ended = FILE_LIMIT, []
        for name in record.wait.tasks:
            subtask = self._subtask(name, record.task.id, room)
            room -= sum(len(file.content) for file in subtask.files)
            ended.append(subtask)
        return Waited(tool_use_id=record.wait.tool_use_id, subtasks=tuple(ended))

    def _subtask(self, task_id: str, parent: str, room: int) -> Subtask:
        child = self._child(task_id, parent)
        if child is None:
            return Subtask(id=task_id, title="", state=State.FAILED, reason=NO_SUBTASK)
        task = self.task(child)
        taken: list[FileInfo] = []
        for info in task.files:
            if sum(each.size for each in taken) + info.size <= room:
                taken.append(info)
        contents = self.store.blobs([info.sha256 for info in taken])
        return Subtask(
            id=task.id,
            title=task.title,
            state=task.state,
            reason=task.reason or "",
            result=task.result or "",
            files=tuple(File(name=info.name, content=contents[info.sha256]) for info in taken),
            left_out=tuple(info for info in task.files if info not in taken),
        )

    def _child(self, task_id: str, parent: str) -> Record | None:
        """Return a task's own child; None for what is not there, cannot be read, or is another's."""
        with suppress(NotFound):
            record = self.store.get(task_id)
            return record if record.task.parent == parent else None
        return None

    def _wake(self, task_id: str) -> None:
        """Let a task that waits for subtasks go on as far as they are over.

        Two writes, each of which looks for the other's: the end of a subtask for its parent, the beginning of a wait
        for the subtasks. What a crash leaves between them is found by the watch (decision 0073).
        """
        parent = self.store.get(task_id)
        children = {name: self._child(name, task_id) for name in parent.task.waits_for}
        over = {name for name, child in children.items() if child is None or child.task.state in OVER}
        now = self.clock()
        if over:
            self.store.change(task_id, Move(lambda record, _: rules.wake(record, over, now)))

    def _wake_after(self, record: Record) -> None:
        """Wake whom a change concerns: what began to wait, or the parent of what is over. Its failure is the watch's to
        mend: the change itself is written.
        """
        with suppress(*UNWOKEN):
            if record.task.waits_for:
                self._wake(record.task.id)
            elif record.task.parent and record.task.state in OVER:
                self._wake(record.task.parent)

    def workspace(self, task_id: str) -> bytes:
        """Return the archive of the workspace that a task's last session left. Raises `NotFound`."""
        left = self.store.get(task_id).workspace
        if left is None:
            raise NotFound(f"task {task_id} has no workspace that travels")
        return self.store.blobs([left.sha256])[left.sha256]

    def heartbeat(self, task_id: str, beat: Heartbeat) -> HeartbeatReply:
        """Renew a lease."""
        self.hear_worker()
        ttl_s = self._settings.lease_s
        record = self.store.change(task_id, Move(lambda r, _: rules.heartbeat(r, beat.fence, ttl_s)))
        self._leases.saw(record)
        return HeartbeatReply(ttl_s=ttl_s, cancelled=record.task.state is State.CANCELLED)

    def deliver(self, session_id: str, batch: Batch) -> Acknowledged:
        """Keep journal records."""
        return Acknowledged(n=self.store.deliver(session_id, batch.fence, batch.events))

    def end(self, session_id: str, end: SessionEnd) -> Task:
        """Record how a session's process ended."""
        _require_different_names("files", end.files)
        require_small_files("files", end.files)
        short = end.result if end.result is not None and _is_short(end.result) else None
        long = None if short is not None else end.result
        texts = {name: text.encode() for name, text in (("result", long), ("checkpoint", end.checkpoint)) if text}
        names = {name: digest(text) for name, text in texts.items()}
        travels = end.workspace
        left = rules.Left(files=_infos(end.files), short_result=short, workspace=_workspace(travels), **names)
        now = self.clock()
        move, seen = _noting(lambda record, _: rules.end(record, session_id, end, left, now))
        blobs = [*(file.content for file in end.files), *texts.values(), *([travels.archive] if travels else [])]
        record = self.store.change_by_session(session_id, move, blobs)
        before = seen[-1]
        spent = record.task.usd_micros_spent - before.task.usd_micros_spent
        if record.ended_fence != before.ended_fence:
            self.daily.give_back(before.day, DayUse(0, before.reserved - spent))
        shown = self.task(record)
        self._wake_after(record)
        return shown

    def reply(self, task_id: str, reply: Reply, version: int, by: str = "") -> Task:
        """Take a user's answer; a text that came too late is kept as a note to the session before it is refused."""
        now = self.clock()
        try:
            return self._change(
                task_id, lambda record: rules.reply(record, reply, version, now), acts.reply(by, reply, now)
            )
        except (StaleVersion, Conflict) as error:
            text = (reply.text or "").strip()
            if not text:
                raise
            held = self.store.get(task_id)
            if held.task.version == version + 1 and rules.has_said(held, text):
                return self.task(held)  # the same once more: the answer to it was lost
            note = acts.act(by, Deed.NOTED, now, text)
            self._change(task_id, lambda record: rules.keep_as_note(record, text, now), note)
            raise type(error)(f"{error}. Your words are not lost: they are kept as a note to its session") from error

    def cancel(self, task_id: str, by: str = "") -> Task:
        """Cancel a task, and its unfinished subtasks with it."""
        now = self.clock()
        cancelled = self._change(task_id, partial(rules.cancel, now=now), acts.act(by, Deed.CANCELLED, now))
        self._cancel_subtasks(task_id, by)
        self._forget(cancelled)
        return cancelled

    def _forget(self, cancelled: Task) -> None:
        """Wait no longer for a silent host whose alarm was cancelled."""
        if cancelled.dedupe_key and cancelled.dedupe_key.startswith(watch.HOST):
            self.fleet.forget(cancelled.dedupe_key.removeprefix(watch.HOST))

    def _cancel_subtasks(self, task_id: str, by: str) -> None:
        """Cancel what a cancelled task has made: only after it, because then it gets no new ones."""
        now = self.clock()
        for record in self.subtasks(self.store.get(task_id)):
            with suppress(Conflict):  # it has finished meanwhile
                self._change(record.task.id, partial(rules.cancel, now=now), acts.act(by, Deed.CANCELLED, now))

    def subtasks(self, record: Record) -> list[Record]:
        """Return the unfinished tasks that a task made, and those that they made."""
        family = {other.task.id: other for other in self.store.relatives(record.root)}
        return [other for other in family.values() if rules.is_descendant(other, record.task.id, family)]

    def retry(self, task_id: str, *, afresh: bool = False, by: str = "") -> Task:
        """Queue a failed task again, as it stood or afresh from its checkpoint."""
        now = self.clock()
        return self._change(task_id, partial(rules.retry, now=now, afresh=afresh), acts.act(by, Deed.RETRIED, now))

    def edit(self, task_id: str, edit: Edit, version: int | None = None, by: str = "") -> Task:
        """Give a task another priority or budget."""
        now = self.clock()
        act = acts.edit(by, edit, now)

        def move(record: Record, budget: FamilyBudget) -> Record:
            return acts.signed(record, rules.edit(record, budget, edit, version, now), act)

        return self.task(self.store.change(task_id, Move(move, needs_budget=True)))

    def foresee(self, task_ids: Sequence[str], bulk: Bulk) -> list[Foreseen]:
        """Say what a bulk would come to for each of these tasks; what is not there is left out."""
        now = self.clock()
        seen: list[Foreseen] = []
        for task_id in dict.fromkeys(task_ids):
            with suppress(NotFound):
                record = self.store.get(task_id)
                found = foreseen(record, bulk, now)
                goes_with_it = found.after is not None and bulk.action is Action.CANCEL
                subtasks = [other.task for other in self.subtasks(record)] if goes_with_it else []
                seen.append(replace_value(found, subtasks=subtasks))
        return seen

    def apply(self, bulk: Bulk, versions: Mapping[str, int], by: str = "") -> list[Answered]:
        """Do a bulk to tasks that are still in these versions, one after the other; say what came of each."""
        return [self._answered(task_id, version, bulk, by) for task_id, version in versions.items()]

    def _answered(self, task_id: str, version: int, bulk: Bulk, by: str) -> Answered:
        try:
            now = self.clock()
            act = acts.act(by, bulk.deed, now, bulk.said)
            task = self._change(task_id, lambda record: bulk.applied_as_read(record, version, now), act)
            if bulk.action is Action.CANCEL:
                self._cancel_subtasks(task_id, by)
                self._forget(task)
        except NotFound:
            return Answered(id=task_id, title="", after=None, why="it is not there any more")
        except (StaleVersion, Conflict) as error:
            return Answered(id=task_id, title=self.store.get(task_id).task.title, after=None, why=str(error))
        return Answered(id=task_id, title=task.title, after=task)

    def _change(self, task_id: str, change: Callable[[Record], Record], act: Act) -> Task:
        record = self.store.change(task_id, Move(lambda record, _: acts.signed(record, change(record), act)))
        self._wake_after(record)
        return self.task(record)

    def report(self, run: SyncRun) -> None:
        """Keep a sync run; what it says of the sync's health raises or closes alarms in the same write."""
        if moment(run.finished_at, "finished_at") > self.clock() + rules.CLOCKS_DIFFER:
            raise Invalid("finished_at", f"is in the future, {run.finished_at}: set the clocks of both hosts right")
        times = {"started_at": run.started_at, "finished_at": run.finished_at, "token_dies_at": run.token_dies_at}
        for name, text in times.items():
            if text is not None:
                # Only to refuse: a time that the watch can't read would fail each of its looks.
                moment(text, name)
        self.store.alarm(watch.reported(run, self._new_id, self.clock(), self._settings), run)

    def look(self, backup_failed: str | None = None) -> None:
        """Raise or close alarms by what time has done: the watch's step. What cannot be kept is told from memory."""
        now = self.clock()
        refused = self._disk.looked(now)
        try:
            self._look(now, backup_failed, refused=refused)
            why = self._untrusted(refused=refused)
        except (Full, Unready) as error:
            self._direct.raised(self._said_here(str(error)), self._new_id(), now)
            raise
        if why:
            self._direct.raised(self._said_here(why), self._new_id(), now)
        else:
            self._direct.over(now)

    def _said_here(self, why: str) -> str:
        """Say of which host of several that is: each tells by itself what keeps it from the table."""
        return why if self.duties.is_alone else f"on {named(self._known(self._host))}: {why}"

    def _look(self, now: datetime, backup_failed: str | None, *, refused: bool) -> None:
        self._past()
        own = self._own_alarms(now, backup_failed, refused=refused)
        if self.duties.is_alone:
            self.store.alarm({**self._alarms_of_all(now), **own})
        else:
            self.store.alarm(own)
            self.fleet.tell(self._report(now), now)
            if not self._watch_all(now):
                return
        self.store.catch_up(self._notify.targets, now.timestamp())
        for parent in self.store.waiting_parents():
            with suppress(*UNWOKEN):
                self._wake(parent.task.id)

    def _watch_all(self, now: datetime) -> bool:
        """Watch what is of all hosts, where this one has the watch; return whether it had it to the end."""
        self.duties.is_new = False
        under = self.duties.under(WATCH)
        if under is None:
            return False
        try:
            self.store.alarm(self._alarms_of_all(now), under=under)
        except Conflict as error:
            log.warning("%s", error)
            self.duties.lose(WATCH)
            return False
        return True

    def _alarms_of_all(self, now: datetime) -> dict[str, AlarmMove]:
        last, runs = self.store.last_success(), self.store.sync_runs(limit=1)
        latest = runs[0] if runs else None
        alarms = watch.looked(last, latest, self._started, self._new_id, now, self._settings)
        if self._sync_rests(self._beside.paused(), now):
            alarms.pop(watch.SYNC, None)
        # Of one that may have been silent for long already nothing is known: its alarm stays as it is.
        known = [each for each in self.fleet.heard() if each.is_silent or not each.is_old]
        alarms |= watch.silent(known, self._new_id, now)
        return {**alarms, **watch.unreadable(self.store.damaged(), self._new_id(), now)}

    def _own_alarms(self, now: datetime, backup_failed: str | None, *, refused: bool) -> dict[str, AlarmMove]:
        """What only this host can see: its disk and its backups."""
        alarms = watch.backed_up(backup_failed, self._new_id(), now) if self.duties.is_alone else {}
        if beside.BACKUP not in self._beside.paused():
            kept, off_box = self._beside.backup(), self._beside.off_box
            own = self._known(self._host) if self._host else None
            alarms |= watch.off_box(kept, off_box, self._started, self._new_id(), now, own)
        room, free = self.store.room(), self._beside.free_bytes()
        if room:
            alarms |= watch.disk(room.disk, self._new_id(), now, self._settings, refused=refused)
        elif free is not None and not self.duties.is_alone:
            alarms |= watch.host_disk(free, self._known(self._host), self._new_id(), now, self._settings)
        return alarms

    def heard(self) -> list[Heard]:
        """Return what each host last said; where there is one dashboard, what it would say now."""
        if not self.duties.is_alone:
            return self.fleet.heard()
        now = self.clock()
        return [Heard(replace(self._report(now), at=stamp(now)), 0, is_silent=False)] if self._beside.host else []

    def names(self) -> dict[str, str]:
        """Return how the hosts are called that were heard of, by the names that they have themselves."""
        return {each.report.host: named(each.report) for each in self.heard()}

    def _known(self, host: str) -> HostReport:
        """Return by which names a host of this queue goes."""
        if host == self._beside.host:
            return HostReport(host=host, called=self._beside.name())
        return next((each.report for each in self.fleet.heard() if each.report.host == host), HostReport(host=host))

    def _report(self, now: datetime) -> HostReport:
        """What this host says of itself."""
        (load, cpus), free = self._beside.load(), self._beside.free_bytes()
        return HostReport(
            host=self._beside.host,
            called=self._beside.name(),
            worker_seen=stamp(self._worker_seen) if self._worker_heard else None,
            wrong=(*beside.lines(self._beside.paused()), *self._own_complaints(now)),
            load=load,
            cpus=cpus,
            free_mb=None if free is None else free // watch.MB,
        )

    def _untrusted(self, *, refused: bool) -> str | None:
        """Say why what is written may not be found again, though it could be written; a full disk has its alarm."""
        try:
            self.store.prove()
        except Unready as error:
            room = self.store.room()
            is_short = refused or (room and room.disk < self._settings.least_free_mb * watch.MB)
            return None if is_short else str(error)
        return None

    @property
    def has_news(self) -> bool:
        """Whether a write just found no room, or the watch was just taken over: it need not wait for its next look."""
        return self._disk.has_news or self.duties.is_new

    def due_messages(self) -> list[Message]:
        """Return the messages that are due, one for each target at most; the same ones again until they are settled."""
        direct = self._direct.due(self.clock())
        served = {message.target for message in direct}
        try:
            self._settle_unkept()
            kept = self._due_kept() if self.duties.has(OUTBOX) else []
        except (Full, Unready):
            # These can be told all the same.
            if not direct:
                raise
            kept = []
        except Conflict as error:
            log.warning("%s", error)
            self.duties.lose(OUTBOX)
            kept = []
        fresh = [message for message in kept if (message.id, message.target) not in self._unkept]
        return [*direct, *(message for message in fresh if message.target not in served)]

    def _due_kept(self) -> list[Message]:
        """What the outbox has. A sender begins at once with what it can, and asks again before it begins with more: it
        begins none after another host may have the outbox.
        """
        now, under = self.clock(), self.duties.under(OUTBOX)
        seconds = now.timestamp()
        quiet = outgoing.is_quiet(now.astimezone(zone(self._notify.time_zone)), self._notify.quiet)
        lately = self.store.sent_lately(seconds - outgoing.WINDOW_S)
        due = NoticeFilter(due=seconds)

        def move(found: Sequence[outgoing.Notice]) -> list[outgoing.Notice]:
            return outgoing.assigned(found, lately, self._policy, quiet=quiet)

        # Most looks find nothing to change: only then is it decided again, inside a write.
        found = self.store.notices(due)
        if move(found):
            self.store.change_notices(due, move, under)
            found = self.store.notices(due)
        return outgoing.messages(found, self._policy) if self.duties.has(OUTBOX) else []

    def settle_message(self, delivery: Delivery) -> None:
        """Keep how a try to deliver a message ended; settled again, it finds nothing to change."""
        if self._direct.settle(delivery, self.clock()):
            return
        try:
            self._settle(delivery)
        except Full:
            # Or it would be sent at each look until there is room.
            self._unkept[delivery.id, delivery.target] = delivery

    def _settle(self, delivery: Delivery) -> None:
        now = self.clock().timestamp()
        self.store.change_notices(
            NoticeFilter(message=delivery.id), lambda held: outgoing.settled(held, delivery, now, self._policy)
        )

    def _settle_unkept(self) -> None:
        for key, delivery in [*self._unkept.items()]:
            with suppress(Full):
                self._settle(delivery)
                self._unkept.pop(key, None)

    def notifications(self) -> Notifications:
        """Say how telling users stands."""
        now = self.clock().timestamp()
        soon = self.store.notices(NoticeFilter(due=now + outgoing.LONGEST_PAUSE_S))
        return outgoing.standing(soon, now, self._policy)

    def hear_worker(self) -> None:
        """Keep that a worker lives."""
        self._worker_seen, self._worker_heard = self.clock(), True

    def present(self, presence: Presence) -> None:
        """Keep that a worker lives; what keeps it from its work is an alarm until it says otherwise."""
        self.hear_worker()
        host, trouble = presence.host, presence.trouble
        # The first word of each host after a start too: an alarm of before may be over.
        if host not in self._troubles or self._troubles[host] != trouble:
            self.store.alarm(watch.worker(self._known(host), trouble, self._new_id(), self.clock()))
            self._troubles[host] = trouble

    def today(self, host: str) -> HostDay:
        """Return the sessions that began today on a host, and what they spent so far. One that got no further than its
        claim did not begin.
        """
        midnight = self.clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        # The smallest id of that moment: a session's says when it was first claimed.
        since = f"{str(ULID.from_datetime(midnight))[:10]}{'0' * 16}"
        began = [session for session in self.store.recent_sessions(since, limit=MOST_A_DAY) if session.host == host]
        used = {session.id: self.store.used(session.id) for session in began}
        spent = {s.id: max(s.usd_micros, used[s.id].usd_micros) for s in began if s.turns or used[s.id].turns}
        return HostDay(day=midnight.date().isoformat(), usd_micros=spent)

    def wellness(self) -> Wellness:
        """Say whether queue, worker and sync are truly well; a store that does not answer raises."""
        success, latest = self.store.last_success(), self._latest_run()
        said = (*beside.lines(self._beside.paused()), *self._complaints(success, latest))
        missing = tuple(self._unproven(success, latest))
        return Wellness(well=not said and not missing, complaints=said, unproven=missing)

    def proven_wellness(self) -> Wellness:
        """Say it by a queue that was written and read back for this; raises what that raises."""
        proven_at = self.clock()
        self.store.prove()
        found = self.wellness()
        return replace(found, basis=self._basis(proven_at)) if found.well else found

    def _basis(self, proven_at: datetime) -> tuple[str, ...]:
        success, latest = self.store.last_success(), self._latest_run()
        return tuple(wellness.observed(proven_at, self._worker_seen, success, latest, self._settings))

    def _latest_run(self) -> SyncRun | None:
        return next(iter(self.store.sync_runs(limit=1)), None)

    def _unproven(self, success: SyncRun | None, latest: SyncRun | None) -> Iterator[str]:
        yield from wellness.unproven(success, latest, self._settings, worker_heard=self._worker_heard)
        yield from self.fleet.unheard()

    def _complaints(self, success: SyncRun | None, latest: SyncRun | None) -> tuple[str, ...]:
        paused, now = self._beside.paused(), self.clock()
        said = [*self._own_complaints(now), *self.fleet.complaints()]
        # What rests, because it is paused, is not complained of.
        if not self._sync_rests(paused, now):
            said += wellness.sync_complaints(success, latest, self._started, now, self._settings)
        return tuple(said)

    def _own_complaints(self, now: datetime) -> list[str]:
        said = [*wellness.hampered({named(self._known(host)): why for host, why in self._troubles.items()})]
        if beside.WORKER not in self._beside.paused():
            said += wellness.worker_complaints(self._worker_seen, now, self._settings)
        return said

    def _sync_rests(self, paused: Mapping[str, str], now: datetime) -> bool:
        """Whether the sync is paused, or was so lately that a run which proves it is not late yet."""
        if beside.SYNC in paused:
            self._sync_rested = now
        minutes = timedelta(minutes=self._settings.freshness_minutes)
        return self._sync_rested is not None and now - self._sync_rested <= minutes

    def is_ready(self) -> bool:
        """Whether the queue was just written and read back."""
        try:
            self._proof.latest()
        except (Busy, Full, Unready):
            return False
        return True

    @property
    def worker_seen(self) -> datetime | None:
        """When a worker was heard of; None before that."""
        return self._worker_seen if self._worker_heard else None

    def is_known_well(self) -> bool:
        """Whether nothing is wrong, and nothing unobserved."""
        return self.is_ready() and self.wellness().well

    def standing(self, waiting: int) -> Standing:
        """Say how all stands, for the top of the page; the queue was just proven, by a write that was read back."""
        try:
            proven_at = self._proof.latest()
        except (Busy, Full, Unready) as error:
            return wellness.standing([f"the queue: {error}"], [], [], waiting)
        success, latest = self.store.last_success(), self._latest_run()
        unproven = self._unproven(success, latest)
        paused = beside.lines(self._beside.paused())
        basis = self._basis(proven_at)
        return wellness.standing(self._complaints(success, latest), [*unproven], basis, waiting, paused)

    def off_box(self) -> tuple[bool, NightlyBackup | None]:
        """Say whether backups are sent off the box, and how the last one stands, as far as it was observed."""
        return bool(self._beside.off_box.target), self._beside.backup()

    def _new_id(self) -> str:
        return str(ULID.from_datetime(self.clock()))


def _noting(
    change: Callable[[Record, FamilyBudget], Record], *, needs_budget: bool = False
) -> tuple[Move, list[Record]]:
    """Return a move, and where it notes the record as it was; the last one counts, for a move may be tried again."""
    seen: list[Record] = []

    def noted(record: Record, budget: FamilyBudget) -> Record:
        seen.append(record)
        return change(record, budget)

    return Move(noted, needs_budget=needs_budget), seen


def _is_short(text: str) -> bool:
    return len(text.encode()) <= INLINE


def _texts(record: Record) -> list[str]:
    return [name for name in (record.description, record.result) if name]


def _with_texts(record: Record, texts: Mapping[str, bytes]) -> Task:
    """Put a task's texts back; one that an earlier release kept in the record is there already."""
    kept = {"description": record.description, "result": record.result}
    return replace(record.task, **{name: texts[blob].decode() for name, blob in kept.items() if blob})


def _workspace(left: LeftWorkspace | None) -> Workspace | None:
    if left is None:
        return None
    return Workspace(sha256=digest(left.archive), size=len(left.archive), missing=left.missing)


def _infos(files: Sequence[File]) -> tuple[FileInfo, ...]:
    return tuple(FileInfo(name=f.name, size=len(f.content), sha256=digest(f.content)) for f in files)


def _require_different_names(field: str, files: Sequence[File]) -> None:
    names = [file.name for file in files]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise Invalid(f"{field}[{i}].name", f"is there twice: {name}")
