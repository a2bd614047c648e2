"""What can be asked of the queue, by the API and by the page: each call is one move of `rules` on the store."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from ulid import ULID

from dashboard import rules, watch
from dashboard.record import Attached, Clock, Key, Lost, Record, moment
from dashboard.settings import Settings
from dashboard.stores import Place, Store
from wire.types import (
    Acknowledged,
    Batch,
    Beat,
    Claim,
    ClaimRequest,
    File,
    Grant,
    Heartbeat,
    Lease,
    NewTask,
    Reply,
    Session,
    SessionEnd,
    State,
    SyncRun,
    Task,
)
from wire.values import Invalid, encode


class Queue:
    """A store under the rules. Errors are those of `dashboard.record`, and `Invalid`; methods block for the store."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._settings = settings
        self._started = clock()

    def add(self, new: NewTask, key: str | None = None) -> tuple[Task, bool]:
        """Queue a task; return it, and whether it is a new one."""
        if new.dedupe_key == "":
            raise Invalid("dedupe_key", "is empty: leave it out, or tasks that have nothing in common become one")
        if new.dedupe_key and new.dedupe_key.startswith(watch.PREFIX):
            raise Invalid("dedupe_key", f"must not begin with {watch.PREFIX}: these are the dashboard's own")
        _once("context", new.context)
        digest = hashlib.sha256(json.dumps(encode(new), sort_keys=True).encode()).hexdigest()
        record = rules.draft(new, new.id or self._new_id(), self.clock(), digest)
        held, is_new = self.store.add(record, new.context, Key(key=key, digest=digest) if key else None)
        return held.task, is_new

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Give out the first task that can be claimed, or None."""
        for place in self._places(suspended_only=request.suspended_only):
            by = rules.Claimant(
                host=request.host,
                session_id=self._new_id(),
                ttl_s=self._settings.lease_s,
                suspended_only=request.suspended_only,
            )
            record = self._claimed(place.id, by)
            if record and record.session and record.task.state is State.RUNNING:
                return self._claim(record, record.session, new=record.session.id == by.session_id)
        return None

    def _places(self, *, suspended_only: bool) -> Iterator[Place]:
        after = None
        now = self.clock().timestamp()
        while places := self.store.candidates(now, suspended_only=suspended_only, after=after):
            yield from places
            after = places[-1]

    def _claimed(self, task_id: str, by: rules.Claimant) -> Record | None:
        try:
            return self.store.change(task_id, lambda record, purse: rules.claim(record, purse, by, self.clock()))
        except Lost:
            return None

    def _claim(self, record: Record, session: Session, *, new: bool) -> Claim:
        """Put together what the holder needs; what is read beside the record can't change while it holds the task."""
        return Claim(
            task=record.task,
            lease=Lease(fence=record.task.fence, ttl_s=self._settings.lease_s),
            session=Grant(id=session.id, new=new, usd_micros=session.usd_micros + record.reserved),
            context=self.store.files(record.task.id, "context"),
            checkpoint=self.store.checkpoint(record.task.id),
            answers=record.answers,
            notes=record.notes,
        )

    def heartbeat(self, task_id: str, beat: Heartbeat) -> Beat:
        """Renew a lease."""
        ttl_s = self._settings.lease_s
        record = self.store.change(task_id, lambda r, _: rules.heartbeat(r, beat.fence, ttl_s, self.clock()))
        return Beat(ttl_s=ttl_s, cancelled=record.task.state is State.CANCELLED)

    def deliver(self, session_id: str, batch: Batch) -> Acknowledged:
        """Keep journal records."""
        return Acknowledged(n=self.store.deliver(session_id, batch.fence, batch.events))

    def end(self, session_id: str, end: SessionEnd) -> Task:
        """Record how a session's process ended."""
        _once("files", end.files)
        task_id = self.store.session(session_id).task
        attached = Attached(files=end.files, checkpoint=end.checkpoint)
        return self.store.change(task_id, lambda r, _: rules.end(r, session_id, end, self.clock()), attached).task

    def reply(self, task_id: str, reply: Reply, version: int) -> Task:
        """Take a person's answer."""
        return self.store.change(task_id, lambda r, _: rules.reply(r, reply, version, self.clock())).task

    def cancel(self, task_id: str) -> Task:
        """Cancel a task."""
        return self.store.change(task_id, lambda r, _: rules.cancel(r, self.clock())).task

    def retry(self, task_id: str) -> Task:
        """Queue a failed task again."""
        return self.store.change(task_id, lambda r, _: rules.retry(r, self.clock())).task

    def report(self, run: SyncRun) -> None:
        """Keep a sync run; what it says of the sync's health raises or closes alarms in the same write."""
        times = {"started_at": run.started_at, "finished_at": run.finished_at, "token_dies_at": run.token_dies_at}
        for name, text in times.items():
            if text is not None:
                moment(text, name)
        self.store.alarm(watch.reported(run, self.clock(), self._settings), run)

    def look(self) -> None:
        """Raise or close alarms by what time alone has done: the watch's step."""
        last, runs = self.store.last_success(), self.store.sync_runs(limit=1)
        self.store.alarm(watch.looked(last, runs[0] if runs else None, self._started, self.clock(), self._settings))

    def _new_id(self) -> str:
        return str(ULID.from_datetime(self.clock()))


def _once(field: str, files: Sequence[File]) -> None:
    names = [file.name for file in files]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise Invalid(f"{field}[{i}].name", f"is there twice: {name}")
