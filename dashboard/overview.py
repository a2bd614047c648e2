"""What the front page shows of the queue at this moment, as values."""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from ulid import ULID

from dashboard import charts, hosts, rates, rules, transcript
from dashboard.charts import Chart, Day
from dashboard.metrics import Figures
from dashboard.queue import Queue
from dashboard.rates import Projection, Rate
from dashboard.settings import WorkLimits
from dashboard.stores import TaskFilter
from dashboard.stores.journal import Used
from dashboard.transcript import Doing
from dashboard.wellness import Standing
from wire.types import HostList, Need, NightlyBackup, Session, SessionRates, SessionsOfDay, State, SyncRun, Task

WAITING, RUNS = 100, 48
"""Tasks that are shown as waiting, and sync runs in the strip: a day of them."""
TAIL = 16 * 1024
"""Bytes of a running session's journal that are read for what it does."""
# Whole weeks, so that each weekday counts as often as the others.
WEEK, MONTH = 7, 28
MOST_SESSIONS = 2000
"""Sessions that the rates are counted from: ten times what the limits allow in four weeks."""
LONGER = (40, 50)
"""The limits of turns that the rule names."""
KEPT_S = 60
"""How long counted rates are shown: they read a month of sessions."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session at work: its task, what it used so far, and what it does."""

    task: Task
    session: Session
    used: Used
    doing: Doing | None


@dataclass(frozen=True, slots=True)
class Today:
    """What this UTC day took, beside its limits."""

    sessions: int
    usd_micros: int
    limits: WorkLimits

    @property
    def sessions_share(self) -> float:
        """How much of the day's sessions is taken."""
        return charts.filled(self.sessions, self.limits.sessions_per_day)

    @property
    def usd_share(self) -> float:
        """How much of the day's dollars is spent."""
        return charts.filled(self.usd_micros / 1_000_000, self.limits.usd_per_day)


@dataclass(frozen=True, slots=True)
class Rates:
    """How often sessions hit their turn limit; what more turns had done, where the rule asks for it."""

    week: Rate
    month: Rate
    days: tuple[Day, ...]
    chart: Chart
    longer: tuple[Projection, ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Sync:
    """The sheet's sync: the latest run, the latest success, and the day's runs, drawn."""

    latest: SyncRun | None
    success: SyncRun | None
    runs: tuple[SyncRun, ...]
    chart: Chart


class Overview:
    """Asks the queue; methods block for the store."""

    def __init__(self, queue: Queue, limits: WorkLimits) -> None:
        self._queue = queue
        self._store = queue.store
        most = queue.daily.most
        # Beside what all hosts used stands what all may use.
        self.limits = WorkLimits(
            turns=limits.turns,
            sessions_per_day=most.sessions or limits.sessions_per_day,
            usd_per_day=limits.usd_per_day if most.usd_micros is None else most.usd_micros / 1_000_000,
            hand_over_tokens=limits.hand_over_tokens,
        )
        self._lock = threading.Lock()
        self._rates: tuple[datetime, Rates] | None = None

    def waiting(self) -> list[Task]:
        """Return what waits for a user: alarms first, then what failed or asks, the longest wait first."""
        states = (State.NEEDS_YOU, State.FAILED)
        found = [record for state in states for record in self._store.tasks(TaskFilter(state=state), limit=WAITING)]
        return sorted((record.task for record in found), key=_urgency)

    def standing(self, waiting: int) -> Standing:
        """Say how all stands."""
        return self._queue.standing(waiting)

    def running(self) -> list[Running]:
        """Return what runs, the latest begun first."""
        found = [record for record in self._store.running() if record.session]
        return [
            self._running(record.task, record.session)
            for record in sorted(found, key=lambda record: record.task.id, reverse=True)
            if record.session
        ]

    def _running(self, task: Task, session: Session) -> Running:
        doing = transcript.doing(self._store.passage(session.id, size=TAIL))
        used = self._store.used(session.id)
        # A session that goes on after its journal was lost knows more than what is delivered.
        turns, usd_micros = max(used.turns, session.turns), max(used.usd_micros, session.usd_micros)
        return Running(task, session, Used(turns, usd_micros, used.tokens), doing)

    def today(self) -> Today:
        """Return what today took."""
        now = self._queue.clock()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        begun = self._store.sessions_since(_id_from(midnight), limit=MOST_SESSIONS)
        spent = self._store.spent(f"{now:%Y-%m-%d}").values()
        return Today(begun, sum(used.usd_micros for used in spent), self.limits)

    def hosts(self) -> HostList:
        """Return how each host stands, and what it took of today."""
        now, running = self._queue.clock(), self._store.running()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        sessions = self._store.recent_sessions(_id_from(midnight), limit=MOST_SESSIONS)
        going = {record.session.id for record in running if record.session}
        # What has ended knows what it spent; only of what runs the journal is asked.
        spent = {s.id: max(s.usd_micros, self._store.used(s.id).usd_micros) for s in sessions if s.id in going}
        daily = self._queue.daily
        return hosts.listed(
            self._queue.heard(),
            roles=self._store.roles(),
            running=running,
            sessions=sessions,
            spent=spent,
            most=daily.most,
            used=daily.used() if daily.most.are_set else None,
        )

    @property
    def has_hosts(self) -> bool:
        """Whether there may be several hosts to show."""
        return not self._queue.duties.is_alone

    def rates(self) -> Rates:
        """Return the rates, counted anew once a minute."""
        now = self._queue.clock()
        with self._lock:
            if self._rates is None or not timedelta() <= now - self._rates[0] < timedelta(seconds=KEPT_S):
                self._rates = (now, self._counted(now))
            return self._rates[1]

    def counted(self) -> SessionRates:
        """Return how the sessions of the last day, week and month ended."""
        now, turns = self._queue.clock(), self.limits.turns
        sessions = self._store.recent_sessions(_id_from(now - timedelta(days=MONTH)), limit=MOST_SESSIONS)
        periods = []
        for days in (1, WEEK, MONTH):
            since = _id_from(now - timedelta(days=days))
            within = [session for session in sessions if session.id >= since]
            periods.append(rates.counted(within, days * 24, turns))
        found = charts.days(sessions, turns, now.date(), MONTH)
        return SessionRates(
            turns=turns,
            periods=tuple(periods),
            days=tuple(
                SessionsOfDay(day=f"{one.day}", finished=one.finished, hits=one.hits, others=one.others)
                for one in found
            ),
            is_all=len(sessions) < MOST_SESSIONS,
        )

    def _counted(self, now: datetime) -> Rates:
        turns = self.limits.turns
        sessions = self._store.recent_sessions(_id_from(now - timedelta(days=MONTH)), limit=MOST_SESSIONS)
        week_ago = _id_from(now - timedelta(days=WEEK))
        week = rates.rate((session for session in sessions if session.id >= week_ago), turns)
        month = rates.rate(sessions, turns)
        counted = charts.days(sessions, turns, now.date(), MONTH)
        return Rates(
            week=week,
            month=month,
            days=tuple(counted),
            chart=charts.stacked(counted),
            longer=self._longer(sessions) if week.is_over or month.is_over else (),
            is_all=len(sessions) < MOST_SESSIONS,
        )

    def _longer(self, sessions: list[Session]) -> tuple[Projection, ...]:
        turns, context = self.limits.turns, self.limits.hand_over_tokens
        series = {s.id: self._store.series(s.id) for s in sessions if rates.is_hit_of_now(s, turns)}
        found = rates.hits(sessions, series, turns)
        # Where the limit was changed, none may have come to that of now yet.
        return tuple(rates.project(found, turns, longer, context) for longer in LONGER if found and longer > turns)

    def sync(self) -> Sync:
        """Return how the sync stands."""
        runs = self._store.sync_runs(limit=RUNS)
        return Sync(runs[0] if runs else None, self._store.last_success(), tuple(runs), charts.strip(runs[::-1]))

    def figures(self) -> Figures:
        """Return what `metrics` writes."""
        now, counted, success = self._queue.clock(), self.rates(), self._store.last_success()
        latest = self._store.sync_runs(limit=1)
        run = latest[0] if latest else None
        room = self._store.room()
        return Figures(
            now=now,
            ready=self._queue.is_ready(),
            well=self._queue.is_known_well(),
            census=self._store.census(now.timestamp()),
            spent=self._store.spent(""),
            sessions_today=self.today().sessions,
            rates={WEEK: counted.week, MONTH: counted.month},
            worker_seen=self._queue.worker_seen,
            run=run,
            run_succeeded=run is not None and run.outcome in rules.SUCCESSES,
            success=success,
            hosts=self._queue.heard() if self.has_hosts else (),
            running=Counter(record.session.host for record in self._store.running() if record.session),
            notified=self._queue.notifications(),
            off_box=self._queue.off_box(),
            size=room.size if room else None,
            free=room.disk if room else None,
        )

    def off_box(self) -> tuple[bool, NightlyBackup | None]:
        """Say whether backups are sent off the box, and how the last one stands."""
        return self._queue.off_box()

    def queued(self) -> int:
        """Return how many tasks wait for a worker, `WAITING` at most."""
        return len(self._store.tasks(TaskFilter(state=State.QUEUED), limit=WAITING))


def _urgency(task: Task) -> tuple[int, str]:
    is_alarm = task.waiting is not None and task.waiting.kind is Need.ALARM
    return (0 if is_alarm else 1, task.waiting.since if task.waiting else task.updated_at)


def _id_from(at: datetime) -> str:
    """Return the least id of that time: the ten characters of its milliseconds, then zeros."""
    return str(ULID.from_datetime(at))[:10] + "0" * 16
