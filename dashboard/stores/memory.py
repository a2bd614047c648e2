"""Tasks in memory: for tests, and the plainest statement of what a store does. All is gone with the process."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from dashboard import outgoing, role_lease, rules
from dashboard.caps import DayMove, DayUse
from dashboard.outgoing import Notice, NoticesMove
from dashboard.record import (
    NO_CHANGE,
    UNFINISHED,
    BudgetChange,
    FamilyBudget,
    Found,
    Key,
    Move,
    NotFound,
    Record,
    Unready,
    digest,
    moment,
)
from dashboard.role_lease import LeaseRecord, LeaseRecordMove, Under
from dashboard.stores import (
    ALL_TASKS,
    MOST_NOTICES,
    AlarmMove,
    Candidate,
    Kept,
    Listing,
    NoticeFilter,
    Sort,
    TaskFilter,
    journal,
    replaces,
    require_answerable,
    words,
)
from dashboard.stores.census import Census
from dashboard.stores.journal import Readable, Used
from dashboard.stores.listing import first_id, read_cursor
from dashboard.stores.retention import FINISHED, OVER, Before, Freed, file_removal, is_past
from wire.types import Event, Session, State, SyncRun


class MemoryStore:
    """One lock around dictionaries. See `dashboard.stores.Store`."""

    unclean = False
    refused = 0
    searches = True

    def __init__(self, *, targets: Sequence[str] = ()) -> None:
        # Re-entrant: `change` and `deliver` call the store's own readers while they hold it.
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._budgets: dict[str, FamilyBudget] = {}
        self._keys: dict[str, Key] = {}
        self._blobs: dict[str, bytes] = {}
        self._marks: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._events: dict[str, list[Event]] = {}
        self._series: dict[str, list[Used]] = {}
        self._spent: dict[str, Used] = {}
        self._runs: list[SyncRun] = []
        self._notices: dict[tuple[str, str], Notice] = {}
        self._roles: dict[str, LeaseRecord] = {}
        self._kept: dict[tuple[str, str], Kept] = {}
        self._days: dict[str, DayUse] = {}
        self._targets = targets
        self._caught_up: frozenset[str] = frozenset()

    def add(self, record: Record, blobs: Sequence[bytes] = (), key: Key | None = None) -> tuple[Record, bool]:
        """Insert a task, or find the one that stands for it."""
        with self._lock:
            held = rules.admit(record, key, self._found(record, key))
            is_new = held.task.id not in self._records
            if is_new:
                self._put(blobs)
                self._insert(held)
            if key:
                self._keys.setdefault(key.key, Key(key=key.key, digest=key.digest, task=held.task.id))
            return held, is_new

    def _found(self, record: Record, key: Key | None) -> Found:
        known = self._keys.get(key.key) if key else None
        parent = self._records.get(record.task.parent or "")
        return Found(
            key=known,
            keyed=self._records.get(known.task) if known else None,
            same_id=self._records.get(record.task.id),
            same_work=self._unfinished(record.task.dedupe_key),
            parent=parent,
            budget=self._budgets[parent.root] if parent else None,
        )

    def _unfinished(self, dedupe_key: str | None) -> Record | None:
        if dedupe_key is None:
            return None
        same = (r for r in self._records.values() if r.task.dedupe_key == dedupe_key and r.task.state in UNFINISHED)
        return next(same, None)

    def _insert(self, record: Record) -> None:
        if record.root == record.task.id:
            granted = record.granted
            self._budgets[record.root] = FamilyBudget(sessions=granted.sessions, usd_micros=granted.usd_micros)
        self._keep(record)

    def _keep(self, record: Record) -> None:
        self._records[record.task.id] = record
        if record.session:
            self._sessions[record.session.id] = record.session

    def _put(self, blobs: Sequence[bytes]) -> None:
        self._blobs |= {digest(content): content for content in blobs}

    def get(self, task_id: str) -> Record:
        """Return a record."""
        with self._lock:
            if task_id not in self._records:
                raise NotFound(f"no task {task_id}")
            return self._records[task_id]

    def set_aside(self, task_id: str) -> None:
        """Nothing here can be damaged."""

    def damaged(self) -> list[str]:
        """Return none."""
        return []

    def budget(self, root: str) -> FamilyBudget:
        """Return what is left to a family."""
        with self._lock:
            if root not in self._budgets:
                raise NotFound(f"no family {root}")
            return self._budgets[root]

    def tasks(self, which: TaskFilter = ALL_TASKS, *, before: str | None = None, limit: int = 50) -> list[Record]:
        """Return tasks, newest first."""
        with self._lock:
            fit = [r for r in self._records.values() if which.state in (None, r.task.state)]
        fit = [r for r in fit if before is None or r.task.id < before]
        return sorted(fit, key=lambda r: r.task.id, reverse=True)[:limit]

    def listing(
        self, which: TaskFilter = ALL_TASKS, *, sort: Sort = Sort.NEWEST, cursor: str | None = None, limit: int = 50
    ) -> Listing:
        """Return the tasks that fit all filters."""
        require_answerable(which, sort)
        with self._lock:
            fit = [record for record in self._records.values() if self._fits(record, which)]
            return _part(fit, sort, cursor, limit)

    def _fits(self, record: Record, which: TaskFilter) -> bool:
        task = record.task
        text = f"{task.title}\n{self._description(record)}"
        return all(
            (
                which.state in (None, task.state),
                which.label is None or which.label in task.labels,
                which.least is None or task.usd_micros_spent >= which.least,
                which.most is None or task.usd_micros_spent <= which.most,
                which.since is None or task.id >= first_id(which.since),
                which.until is None or task.id < first_id(which.until),
                which.words is None or words.matches(which.words, text),
            )
        )

    def _description(self, record: Record) -> str:
        return self._blobs[record.description].decode() if record.description else record.task.description

    def index_earlier(self) -> bool:
        """Nothing here was written by another release."""
        return False

    def census(self, now: float) -> Census:
        """Return how many tasks are in each state, and which have waited longest."""
        with self._lock:
            records = [*self._records.values()]
        return Census(
            states=Counter(record.task.state.value for record in records),
            queued=min((record.task.id for record in records if _is_due(record, now)), default=None),
            waiting=min((record.task.waiting.since for record in records if record.task.waiting), default=None),
        )

    def running(self) -> list[Record]:
        """Return what runs."""
        with self._lock:
            return [record for record in self._records.values() if record.task.state is State.RUNNING]

    def leased(self) -> list[Record]:
        """Return what a host holds."""
        with self._lock:
            return [record for record in self._records.values() if record.is_leased]

    def waiting_parents(self) -> list[Record]:
        """Return what waits for subtasks."""
        with self._lock:
            return [record for record in self._records.values() if record.task.waits_for]

    def relatives(self, root: str) -> list[Record]:
        """Return a family's unfinished members but its root."""
        with self._lock:
            family = [r for r in self._records.values() if r.root == root and r.task.id != root]
        return [record for record in family if record.task.state in UNFINISHED]

    def made(self, roots: Collection[str]) -> dict[str, int]:
        """Count families but their roots."""
        with self._lock:
            return dict(Counter(r.root for r in self._records.values() if r.root in roots and r.root != r.task.id))

    def children(self, record: Record, *, limit: int) -> list[Record]:
        """Return tasks that a task made, the oldest first."""
        with self._lock:
            made = [other for other in self._records.values() if other.task.parent == record.task.id]
        return sorted(made, key=lambda other: other.task.id)[:limit]

    def candidates(
        self, now: float, *, suspended_only: bool = False, without: Collection[str] = (), limit: int = 10
    ) -> list[Candidate]:
        """Return tasks that are due."""
        with self._lock:
            fit = [r for r in self._records.values() if _is_due(r, now) and (r.goes_on or not suspended_only)]
        found = [Candidate(9 - r.task.priority, r.task.id, r.root) for r in fit]
        return sorted(c for c in found if c.id not in without and c.root not in without)[:limit]

    def change(self, task_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace a record in one write."""
        with self._lock:
            old = self.get(task_id)
            moved = move.applied(old, self._budgets[old.root] if move.needs_budget else None)
            if moved.record != old:
                rules.require_no_same_work(moved.record, self._unfinished(moved.record.task.dedupe_key))
                self._put(blobs)
                self._keep(moved.record)
                self._notify(old, moved.record)
                self._change_budget(old.root, moved.budget)
            return moved.record

    def change_by_session(self, session_id: str, move: Move, blobs: Sequence[bytes] = ()) -> Record:
        """Replace the record that a session belongs to in one write."""
        with self._lock:
            return self.change(self.session(session_id).task, move, blobs)

    def _change_budget(self, root: str, change: BudgetChange) -> None:
        if change == NO_CHANGE:
            return
        old = self._budgets[root]
        self._budgets[root] = replace(
            old,
            sessions=old.sessions + change.sessions,
            usd_micros=old.usd_micros + change.usd_micros,
            reserved=old.reserved + change.reserved,
            version=old.version + 1,
        )

    def _require(self, under: Under | None) -> None:
        if under:
            role_lease.require_current(under.role, self._roles.get(under.role), under.fence)

    def alarm(self, moves: Mapping[str, AlarmMove], run: SyncRun | None = None, under: Under | None = None) -> None:
        """Move open alarms and keep a sync run."""
        with self._lock:
            self._require(under)
            moved = [(old, move(old)) for old, move in ((self._unfinished(key), move) for key, move in moves.items())]
            if run:
                self._runs.append(run)
            for old, new in moved:
                if new is None or new == old:
                    continue
                self._insert(new) if old is None else self._keep(new)
                self._notify(old, new)

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their digests."""
        with self._lock:
            found = {name: self._blobs.get(name) for name in digests}
        missing = [name for name, content in found.items() if content is None]
        if missing:
            raise NotFound(f"no blob {missing[0]}")
        return {name: content for name, content in found.items() if content is not None}

    def session(self, session_id: str) -> Session:
        """Return a session."""
        with self._lock:
            if session_id not in self._sessions:
                raise NotFound(f"no session {session_id}")
            return self._sessions[session_id]

    def sessions(self, task_id: str) -> list[Session]:
        """Return a task's sessions, oldest first."""
        with self._lock:
            mine = [s for s in self._sessions.values() if s.task == task_id]
        return sorted(mine, key=lambda s: s.id)

    def deliver(self, session_id: str, fence: int, events: Sequence[Event]) -> int:
        """Append journal records."""
        with self._lock:
            rules.require_current_fence(self.get(self.session(session_id).task), session_id, fence)
            held = self._events.setdefault(session_id, [])
            fresh = rules.unheld(events, len(held))
            # It refuses what could not be read back.
            self._series.setdefault(session_id, []).extend(part.used for part in journal.chunks(fresh))
            held.extend(fresh)
            for day, used in journal.used_by_day(fresh).items():
                old = self._spent.get(day, Used(0, 0))
                self._spent[day] = Used(old.turns + used.turns, old.usd_micros + used.usd_micros)
            return len(held)

    def events(self, session_id: str, *, after: int = 0) -> list[Event]:
        """Return a session's delivered journal."""
        with self._lock:
            self.session(session_id)
            return self._events.get(session_id, [])[max(after, 0) :]

    def chunks(self, session_id: str, *, after: int = 0) -> Iterator[list[Readable]]:
        """Return a session's delivered journal piece by piece."""
        return iter([[*self.events(session_id, after=after)]])

    def passage(self, session_id: str, *, before: int | None = None, size: int) -> list[Readable]:
        """Return the last records of a journal before record `before`."""
        return journal.newest(self.events(session_id), before, size)

    def used(self, session_id: str) -> Used:
        """Return what a session used so far by its delivered journal."""
        return journal.used(self.events(session_id))

    def series(self, session_id: str) -> list[Used]:
        """Return what a session used, delivery by delivery."""
        with self._lock:
            return [*self._series.get(session_id, ())] if session_id in self._events else []

    def recent_sessions(self, since: str, *, limit: int) -> list[Session]:
        """Return sessions from an id on, newest first."""
        with self._lock:
            fit = [session for session in self._sessions.values() if session.id >= since]
        return sorted(fit, key=lambda session: session.id, reverse=True)[:limit]

    def sessions_since(self, since: str, *, limit: int) -> int:
        """Count the sessions from an id on."""
        return len(self.recent_sessions(since, limit=limit))

    def spent(self, since: str) -> dict[str, Used]:
        """Return what all sessions used by day."""
        with self._lock:
            return {day: used for day, used in sorted(self._spent.items()) if day >= since}

    def sync_runs(self, *, limit: int = 20) -> list[SyncRun]:
        """Return sync runs, newest first."""
        with self._lock:
            return self._runs[::-1][:limit]

    def last_success(self) -> SyncRun | None:
        """Return the latest sync run that is known to have succeeded."""
        with self._lock:
            return next((run for run in reversed(self._runs) if run.outcome in rules.SUCCESSES), None)

    def marks(self, prefix: str) -> dict[str, str]:
        """Return small texts by their names."""
        with self._lock:
            return {name: text for name, text in self._marks.items() if name.startswith(prefix)}

    def mark(self, name: str, text: str | None) -> None:
        """Keep a small text, or no more."""
        with self._lock:
            self._marks.pop(name, None)
            if text is not None:
                self._marks[name] = text

    def roles(self) -> dict[str, LeaseRecord]:
        """Return all roles."""
        with self._lock:
            return dict(self._roles)

    def change_role(self, role: str, move: LeaseRecordMove) -> LeaseRecord:
        """Replace a role's lease."""
        with self._lock:
            self._roles[role] = move(self._roles.get(role))
            return self._roles[role]

    def keep(self, role: str, fence: int, name: str, content: bytes, version: int) -> int:
        """Keep a content under a role's name."""
        with self._lock:
            role_lease.require_current(role, self._roles.get(role), fence)
            held = self._kept.get((role, name))
            if replaces(name, held and (held.version, digest(held.content)), version, digest(content)):
                self._kept[role, name] = Kept(version + 1, content)
            return version + 1

    def kept(self, role: str, name: str) -> Kept | None:
        """Return what is kept under a role's name."""
        with self._lock:
            return self._kept.get((role, name))

    def day(self, day: str) -> DayUse | None:
        """Return what is used of a day."""
        with self._lock:
            return self._days.get(day)

    def change_day(self, day: str, move: DayMove) -> tuple[DayUse | None, DayUse]:
        """Replace what is used of a day."""
        with self._lock:
            old = self._days.get(day)
            self._days[day] = move(old)
            return old, self._days[day]

    def prune(self, before: Before) -> Freed:
        """Delete what is finished and older."""
        with self._lock:
            tasks = self._due(before.tasks, FINISHED)
            for record in tasks:
                del self._records[record.task.id]
                self._budgets.pop(record.root, None)
            gone = {record.task.id for record in tasks}
            self._keys = {name: key for name, key in self._keys.items() if key.task not in gone}
            self._notices = {name: notice for name, notice in self._notices.items() if notice.task not in gone}
            self._sessions = {name: session for name, session in self._sessions.items() if session.task not in gone}
            self._events = {name: events for name, events in self._events.items() if name in self._sessions}
            files = sum(self._remove_files(record, before.files) for record in self._due(before.files, OVER))
            over = {record.task.id for record in self._due(before.journals, OVER)}
            journals = [name for name, events in self._events.items() if events and self._sessions[name].task in over]
            for name in journals:
                del self._events[name]
            runs = self._prune_runs(before.sync_runs)
            sizes = self._delete_unnamed()
        return Freed(
            tasks=len(tasks),
            journals=len(journals),
            files=files,
            sync_runs=runs,
            blobs=len(sizes),
            blob_bytes=sum(sizes),
        )

    def _remove_files(self, record: Record, before: float | None) -> int:
        if before is not None and (record.files or record.workspace):
            self.change(record.task.id, file_removal(before))
        return len(record.files)

    def _due(self, before: float | None, states: frozenset[State]) -> list[Record]:
        """The tasks of families of which each member is in such a state, and older."""
        records = self._records.values() if before is not None else ()
        stay = {record.root for record in records if not is_past(record, before or 0, states)}
        return [record for record in records if record.root not in stay]

    def _prune_runs(self, before: float | None) -> int:
        stay = [*self._runs[-1:], self.last_success()]
        old = [run for run in self._runs if before is not None and run not in stay and _finished(run) < before]
        self._runs = [run for run in self._runs if run not in old]
        return len(old)

    def _delete_unnamed(self) -> list[int]:
        named = {name for record in self._records.values() for name in record.blobs}
        return [len(self._blobs.pop(name)) for name in [*self._blobs] if name not in named]

    def room(self) -> None:
        """None: it has no disk."""

    def prove(self) -> None:
        """Nothing lies between a write and a read."""

    def check(self) -> None:
        """Nothing can rot."""

    def back_up(self, path: Path) -> None:
        """Refuse: what is kept in memory ends with it."""
        raise Unready(f"{path.name}: this queue is kept in memory only; there is nothing to back up")

    def stop_long_reads(self) -> None:
        """Nothing: none takes long."""

    def _notify(self, old: Record | None, new: Record) -> None:
        held = [notice for notice in self._notices.values() if notice.task == new.task.id]
        if outgoing.concerns(old, new):
            self._post(outgoing.news(old, new, held, self._targets))

    def notices(self, which: NoticeFilter) -> list[Notice]:
        """Return notices of the outbox."""
        with self._lock:
            held = [*self._notices.values()]
        if which.message:
            return [notice for notice in held if notice.message == which.message]
        if which.due is not None:
            due = [(n.due_at, n.id, n.target, n) for n in held if n.due_at is not None and n.due_at <= which.due]
            return [notice for *_, notice in sorted(due)[:MOST_NOTICES]]
        since = which.since or 0
        sent = [(-n.sent_at, n.id, n.target, n) for n in held if n.sent_at is not None and n.sent_at >= since]
        return [notice for *_, notice in sorted(sent)[:MOST_NOTICES]]

    def sent_lately(self, since: float) -> dict[str, int]:
        """Return how many messages each target got since a time."""
        with self._lock:
            sent = {(n.target, n.sent_at) for n in self._notices.values() if n.sent_at is not None}
        return Counter(target for target, at in sent if at >= since)

    def catch_up(self, targets: Sequence[str], now: float) -> None:
        """Write what targets that are new have not heard of."""
        with self._lock:
            new = [target for target in targets if target not in self._caught_up]
            for record in [r for r in self._records.values() if r.task.state in outgoing.TELLING and new]:
                held = [notice for notice in self._notices.values() if notice.task == record.task.id]
                self._post(outgoing.caught_up(record, held, new, now))
            self._caught_up = frozenset(targets)

    def change_notices(self, which: NoticeFilter, move: NoticesMove, under: Under | None = None) -> None:
        """Replace or add notices in one write."""
        with self._lock:
            self._require(under)
            self._post(move(self.notices(which)))

    def _post(self, notices: Iterable[Notice]) -> None:
        self._notices |= {(notice.id, notice.target): notice for notice in notices}

    def close(self) -> None:
        """Nothing to let go of."""


def _part(fit: Iterable[Record], sort: Sort, cursor: str | None, limit: int) -> Listing:
    found = {_place(record, sort): record for record in fit if sort is not Sort.COST or record.task.usd_micros_spent}
    places = sorted(found, reverse=sort is not Sort.OLDEST)
    if cursor is not None:
        after = read_cursor(cursor, sort)
        places = [place for place in places if (place > after if sort is Sort.OLDEST else place < after)]
    cost, task_id = places[limit - 1] if len(places) > limit else (0, None)
    last = task_id if sort is not Sort.COST or task_id is None else f"{cost}.{task_id}"
    return Listing([found[place] for place in places[:limit]], last)


def _place(record: Record, sort: Sort) -> tuple[int, str]:
    return (record.task.usd_micros_spent if sort is Sort.COST else 0, record.task.id)


def _finished(run: SyncRun) -> float:
    return moment(run.finished_at, "finished_at").timestamp()


def _is_due(record: Record, now: float) -> bool:
    return record.task.state is State.QUEUED and (record.ready_at is None or record.ready_at <= now)
