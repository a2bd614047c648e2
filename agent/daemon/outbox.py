"""One session's folder as an outbox: journal records, the session's own tasks and its outcome go to the dashboard.

Everything is sent until it is acknowledged, and may be sent twice: records are numbered, tasks carry their id and key,
an outcome changes nothing the second time. So a daemon that is killed anywhere here finishes at its next start.
"""

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from agent.daemon.link import Link
from agent.daemon.outcome import Progress, crashed, crashes, fault, outcome
from agent.daemon.travel import Workspaces
from agent.record import durable
from agent.record.journal import Journal, JournalDamaged, read
from agent.record.limits import spent
from agent.record.times import rfc3339
from wire.client import RequestRefused
from wire.disk import replace_file, sync_folder
from wire.types import Batch, Event, EventKind, Exit, File, Heartbeat, NewTask, SessionEnd
from wire.values import Invalid, decode, dump

_RECORDS, _BYTES = 500, 1_000_000
"""Most of one batch: it must be stored within the client's 5 s. A single larger record is a batch of its own."""
BROKEN_OFF = (
    "[jada: this task goes on on another host, because work on the one before broke off. What was written to "
    "/workspace since that host last handed it over may be missing, and commands that this conversation does not know "
    "of may have run: look before you rely on a file or run anything again.]"
)
GONE = (
    "it finished, and its file {} is gone: with the host on which it finished, where another one goes on.\n"
    "Cure: `fab task.retry ID --afresh` makes it anew; tried again as it stood, it would end like this again."
)
OVER = (Exit.FINISHED, Exit.FENCED)
"""Exits after which no session goes on with the task: done, or cancelled."""
STALE = 409
"""The dashboard's answer to a fence that another claim has outrun, and to a gap between batches."""

GONE_STATUS, GONE_S = 404, 30 * 86_400
"""The dashboard's answer to a task that it does not know, and seconds after which that is believed."""

log = logging.getLogger(__name__)


class Outbox:
    """The folder of one session, and how far its delivery is. Raises `DashboardAway` and `RequestRefused`."""

    def __init__(self, folder: Path, link: Link, workspaces: Workspaces) -> None:
        self.folder = folder
        self.id = folder.name
        self._link = link
        self._workspaces = workspaces
        self._journal = folder / "journal.jsonl"
        # No file has this size: a new outbox reads its journal at least once.
        self._size = self._looked_at = -1
        self.progress = durable.read(Progress, folder / "progress.json") or Progress(task="", fence=0, settled=True)

    def open(self, task: str, fence: int) -> None:
        """Begin a claim: from here on this folder has an outcome to report."""
        events = read(self._journal)
        before = self.progress
        self._save(
            Progress(
                task=task,
                fence=fence,
                began_at=len(events),
                usd_micros_before=spent(events).usd_micros,
                acknowledged=before.acknowledged,
                crashes=before.crashes,
                crashed_at=before.crashed_at,
            )
        )

    def note(self, *, stopped: str, cancelled: bool = False) -> None:
        """Keep how the process ended."""
        self._save(replace(self.progress, stopped=stopped, cancelled=cancelled))

    def spent(self) -> int:
        """Return the micro-dollars that the session has spent in all."""
        return spent(read(self._journal)).usd_micros

    def got_on(self) -> bool:
        """Whether the model has answered in this claim."""
        return any(event.kind is EventKind.SETTLE for event in read(self._journal, self.progress.began_at))

    @property
    def is_empty(self) -> bool:
        """Whether the session has no record: it never began, here or elsewhere."""
        return not read(self._journal)

    def restore(self, fence: int) -> None:
        """Take the acknowledged records as the journal where there is none, or an older one than the queue has: another
        host ran the session before this claim of this `fence`.

        Where work broke off there, the session is told so by a record of its own.
        """
        if self._journal.exists() and fence == self.progress.fence + 1:
            return  # no one else had it since
        events = [*self._link(lambda client: client.events(self.id))]
        # Settled here, what is here was acknowledged: the queue's is the same or goes on from it.
        if self._journal.exists() and len(events) <= len(read(self._journal)):
            return
        if events and events[-1].kind not in (EventKind.SUSPEND, EventKind.END):
            said = {"content": [{"type": "text", "text": BROKEN_OFF}], "away": True}
            # In one write with the rest: who finds the journal here does not ask again.
            events.append(Event(n=len(events) + 1, at=rfc3339(time.time()), kind=EventKind.MESSAGE, data=said))
        replace_file(self._journal, b"".join(dump(event) + b"\n" for event in events))

    def deliver(self, *, ended: bool = False, answers_only: bool = False) -> bool:
        """Send the records that are new, each after the tasks that it created; all of them once the process `ended`.
        With `answers_only` they wait until an answer of the model is among them. Return whether they were sent.
        """
        # Asked every second: a journal of megabytes is read only when it has grown.
        size = self._journal.stat().st_size if self._journal.exists() else 0
        if size == (self._looked_at if answers_only else self._size) and not ended:
            return False
        self._looked_at = size
        if answers_only and not any(
            event.kind is EventKind.SETTLE for event in read(self._journal, self.progress.acknowledged)
        ):
            return False
        try:
            self._deliver(self.progress.acknowledged, ended=ended)
        except RequestRefused as error:
            if error.problem.status != STALE or not self.progress.acknowledged:
                raise
            self._deliver(
                0, ended=ended
            )  # not a stale fence perhaps, but a store that was put back to an earlier day: it has a gap
        self._size = size
        return True

    def settle(self) -> SessionEnd:
        """Send what is left and the outcome of a process that is gone; return it when it is acknowledged.

        What a crash tore off the journal is put aside first. Raises `JournalLocked` while the process still lives.
        """
        try:
            if self._journal.exists():
                Journal(self._journal, time.time).close()
            self.deliver(ended=True)
        except JournalDamaged as error:
            return self._report(fault(read(self._journal), self.progress, str(error)))
        except RequestRefused as error:
            if error.problem.status == STALE:
                raise
            return self._report(fault(read(self._journal), self.progress, f"its journal was refused: {error}"))
        return self._settle()

    def is_no_longer_waited_for(self) -> bool:
        """Ask whether the task was cancelled since this session ended, or is in the queue no more."""
        beat = Heartbeat(fence=self.progress.fence)
        try:
            return self._link(lambda client: client.heartbeat(self.progress.task, beat)).cancelled
        except RequestRefused as error:
            # A queue that was put back to an earlier day does not know it yet.
            age_s = time.time() - (self.folder / "progress.json").stat().st_mtime
            return error.problem.status == GONE_STATUS and age_s > GONE_S

    def set_aside(self) -> Path:
        """Keep the folder under another name, which the daemon passes over: its fence is stale."""
        aside = self.folder.with_name(f"{self.id}.lost-{self.progress.fence}")
        self.folder.rename(aside)
        sync_folder(aside.parent)
        return aside

    def _deliver(self, after: int, *, ended: bool = False) -> None:
        for batch in _batches(_sendable(read(self._journal, after), ended=ended)):
            # First: an acknowledged record is never looked at again.
            self._create(batch)
            acknowledged = self._send(batch)
            self._save(replace(self.progress, acknowledged=acknowledged))

    def _settle(self) -> SessionEnd:
        events = read(self._journal)
        end, names = outcome(events, self.progress)
        try:
            files = tuple(File(name=name, content=(self.folder / "files" / name).read_bytes()) for name in names)
            return self._report(replace(end, files=files), events)
        except FileNotFoundError as error:
            return self._report(fault(events, self.progress, GONE.format(Path(error.filename).name)))
        except OSError as error:
            return self._report(fault(events, self.progress, f"a finished file can't be read: {error}"))
        except RequestRefused as error:
            if error.problem.status == STALE:
                raise
            return self._report(fault(events, self.progress, f"its outcome was refused: {error}"))

    def _report(self, end: SessionEnd, events: Sequence[Event] = ()) -> SessionEnd:
        over = end.exit in OVER
        if not over:
            taken = sum(len(file.content) for file in end.files)
            end = replace(end, workspace=self._workspaces.leave(self.progress.task, taken))
        self._link(lambda client: client.end(self.id, end))
        # Only after the dashboard has it: a daemon killed in between reports again, which changes nothing.
        progress = replace(self.progress, settled=True, over=over)
        if events and crashed(events, progress):
            progress = replace(progress, crashes=crashes(events, progress), crashed_at=len(events))
        else:
            progress = replace(progress, crashes=0)
        self._save(progress)
        return end

    def _send(self, batch: tuple[Event, ...]) -> int:
        """Deliver one batch; return the last record that the store has."""
        return self._link(lambda client: client.deliver(self.id, Batch(fence=self.progress.fence, events=batch))).n

    def _create(self, batch: Sequence[Event]) -> None:
        """Queue the tasks that these records created; a refused one is reported with the outcome."""
        for event in batch:
            if event.kind is not EventKind.TOOL_RESULT or not event.data.get("created"):
                continue
            try:
                self._queue(self._created(event), event.data["tool_use_id"])
            except (RequestRefused, Invalid, OSError) as error:
                log.warning("session %s: a task that it created was refused: %s", self.id, error)
                self._save(replace(self.progress, refused=(*self.progress.refused, str(error))))

    def _created(self, event: Event) -> NewTask:
        """Return a task that a call created, with the files that it left for it. Raises `Invalid` and OSError."""
        task = decode(NewTask, event.data["created"], "created")
        folder = self.folder / "created" / str(task.id)
        # A session of an earlier release gave no files.
        names = event.data.get("created_files") or ()
        return replace(task, context=tuple(File(name=name, content=(folder / name).read_bytes()) for name in names))

    def _queue(self, task: NewTask, key: str) -> None:
        self._link(lambda client: client.add_task(task, key=key))

    def _save(self, progress: Progress) -> None:
        durable.write(self.folder / "progress.json", progress)
        self.progress = progress


class Outboxes:
    """All sessions of a host. What was seen settled is not read again until it is opened; what is left of a task that
    is over goes when that is delivered.
    """

    def __init__(self, sessions: Path, link: Link, workspaces: Workspaces) -> None:
        self._sessions = sessions
        self._link = link
        self._workspaces = workspaces
        self._settled: set[str] = set()
        sessions.mkdir(mode=0o700, parents=True, exist_ok=True)

    def for_session(self, session: str) -> Outbox:
        """Return a session's outbox, its folder made where there is none."""
        self._settled.discard(session)
        folder = self._sessions / session
        folder.mkdir(mode=0o700, exist_ok=True)
        return Outbox(folder, self._link, self._workspaces)

    def unsettled(self) -> Iterator[Outbox]:
        """Yield those whose outcome is not acknowledged, oldest first."""
        names = (path.name for path in self._sessions.iterdir() if "." not in path.name)  # set aside ones have a dot
        # Session ids are ULIDs: their names sort by age.
        for name in sorted(set(names) - self._settled):
            outbox = Outbox(self._sessions / name, self._link, self._workspaces)
            if not outbox.progress.settled:
                yield outbox
            elif outbox.progress.over:  # a daemon that was killed in between had no time to
                self.clear(outbox.progress.task)
            elif not outbox.progress.task and not any(outbox.folder.iterdir()):  # or was killed at the last of that
                outbox.folder.rmdir()
            else:
                self._settled.add(name)

    def sweep(self) -> None:
        """Remove what is left of tasks that were cancelled while they waited, or that the queue keeps no more. Raises
        `DashboardAway`.
        """
        folders = sorted(path for path in self._sessions.iterdir() if "." not in path.name)
        outboxes = [Outbox(folder, self._link, self._workspaces) for folder in folders]
        # Of each task the latest session: the queue knows that one's fence, unless another host has had the task since.
        latest = {each.progress.task: each for each in outboxes if each.progress.task}
        for outbox in latest.values():
            if outbox.progress.settled and outbox.is_no_longer_waited_for():
                log.info("task %s was cancelled, or is gone: what is left of it here goes", outbox.progress.task)
                self.clear(outbox.progress.task)

    def clear(self, task: str) -> None:
        """Remove what is left of a task that is over: workspace and sessions, all of which the queue has."""
        self._workspaces.remove(task)
        folders = [path for path in self._sessions.iterdir() if "." not in path.name]
        outboxes = [Outbox(folder, self._link, self._workspaces) for folder in folders]
        settled = [each for each in outboxes if each.progress.settled and each.progress.task == task]
        # Last what says that it is over: after a kill the rest goes at the next start.
        for outbox in sorted(settled, key=lambda each: each.progress.over):
            for path in sorted(outbox.folder.iterdir(), key=lambda path: path.name == "progress.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            outbox.folder.rmdir()
            self._settled.discard(outbox.id)


def _sendable(events: Sequence[Event], *, ended: bool) -> list[Event]:
    """Return what is sent of new records: the raw stream of a settled turn only by its numbers, for the whole answer
    follows it. That of an open turn waits until its end is known; one that was cut is sent as it is.
    """
    sent: list[Event] = []
    follows = None
    for event in reversed(events):
        if event.kind is not EventKind.STREAM:
            follows = event.kind
            sent.append(event)
        elif follows is EventKind.SETTLE:
            sent.append(replace(event, data={}))
        elif follows or ended:
            sent.append(event)
    return sent[::-1]


def _batches(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    batch: list[Event] = []
    size = 0
    for event in events:
        length = len(dump(event))
        if batch and (len(batch) >= _RECORDS or size + length > _BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield tuple(batch)
