"""A dashboard in memory, sessions that are objects, and a clock that waiting moves: a daemon made of them."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from agent.daemon.breaker import Breaker
from agent.daemon.claim_key import ClaimKey
from agent.daemon.day import Day
from agent.daemon.link import Link
from agent.daemon.outbox import Outboxes
from agent.daemon.travel import Workspaces
from agent.daemon.worker import Daemon
from agent.record.journal import Journal
from agent.settings import Settings
from wire.client import RequestRefused
from wire.routes import ClaimWord
from wire.systemd import Notify
from wire.types import Acknowledged, Budget, Claim, Grant, HeartbeatReply, HostDay, Lease, Problem, State, Task

NOON = 1_778_673_600.0


def refused(status):
    return RequestRefused(Problem(title="no", status=status))


def a_claim(number=1, fence=1, *, new=True, ttl_s=60.0, usd_micros=5_000_000):
    """Task and session of this number, as a claim gives them."""
    times = {"created_at": "2026-05-13T12:00:00Z", "updated_at": "2026-05-13T12:00:00Z"}
    task = {"id": f"T{number}", "title": f"Task {number}", "description": "", "priority": 5, "version": 1}
    return Claim(
        task=Task(**task, **times, state=State.RUNNING, budget=Budget(), fence=fence),
        lease=Lease(fence=fence, ttl_s=ttl_s),
        session=Grant(id=f"S{number}", new=new, usd_micros=usd_micros),
    )


class Queue:
    """What the daemon calls of a dashboard. `claims` are handed out in turn; a method whose name is in `errors` raises
    what stands there, each time.
    """

    def __init__(self):
        self.claims, self.errors = [], {}
        self.asked, self.beats, self.records, self.created, self.ends, self.calls = [], [], {}, [], {}, []
        self.keys, self.words, self.used_up, self.troubles, self.known = [], [], [], [], {}
        self.knows_days = True
        self.cancelled = False
        self.files = {}

    def _call(self, name):
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def claim(self, request, *, key, words):
        self.asked.append(request)
        self.keys.append(key)
        self.words.append(words)
        self._call("claim")
        if key in self.used_up:
            raise refused(409)
        if not self.claims:
            return None
        day = HostDay(day="2026-05-13", usd_micros=self.known) if ClaimWord.DAY in words and self.knows_days else None
        return replace(self.claims.pop(0), day=day)

    def present(self, presence):
        self._call("present")
        self.troubles.append(presence.trouble)

    def heartbeat(self, task, beat):
        self._call("heartbeat")
        self.beats.append((task, beat.fence))
        return HeartbeatReply(ttl_s=60, cancelled=self.cancelled)

    def deliver(self, session, batch):
        self._call("deliver")
        held = self.records.setdefault(session, [])
        if batch.events[0].n > len(held) + 1:
            raise refused(409)
        held += batch.events[len(held) + 1 - batch.events[0].n :]
        return Acknowledged(n=len(held))

    def events(self, session):
        self._call("events")
        return tuple(self.records.get(session, ()))

    def add_task(self, task, *, key):
        self._call("add_task")
        self.created.append((task.title, key))
        self.files[task.title] = [(file.name, file.content) for file in task.context]

    def end(self, session, end):
        self._call("end")
        self.ends[session] = end


class Waits:
    """The daemon's signals: waiting takes no time but the clock's; `at` has what is to happen at a time."""

    def __init__(self, clock):
        self.stop, self.at, self._clock = False, {}, clock

    def wait(self, seconds):
        self._clock.now += seconds
        for time in [time for time in self.at if time <= self._clock.now]:
            self.at.pop(time)()


class Session:
    """A session: writes its records when it starts, and ends after so many looks; `inf` is never."""

    def __init__(self, folder, records, looks, last="exit status 0"):
        self.folder, self.looks, self.last = folder, looks, last
        self.terminated, self.killed = 0, 0
        with Journal(folder / "journal.jsonl", lambda: NOON) as journal:
            for record in records:
                journal.append(*record)

    def ended(self):
        self.looks -= 1
        return self.last if self.looks < 0 else None

    def terminate(self):
        self.terminated += 1

    def kill(self):
        self.killed += 1
        self.looks = 0


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def host(tmp_path, clock, queue):
    """A host with its daemon: `host.sessions` are those that were started, by what `host.plays` has for them."""
    host = SimpleNamespace(
        state=tmp_path, queue=queue, clock=clock, plays=[], sessions=[], signals=Waits(clock), today=NOON, unfit=None
    )

    def spawn(folder):
        records, looks = host.plays.pop(0)
        host.sessions.append(Session(folder, records, looks))
        return host.sessions[-1]

    def daemon(**settings):
        link = Link(queue, lambda: clock.now)
        return Daemon(
            settings=Settings(**settings),
            workspaces=Workspaces(tmp_path / "workspaces"),
            outboxes=Outboxes(tmp_path / "sessions", link, Workspaces(tmp_path / "workspaces")),
            link=link,
            day=Day(tmp_path / "state.json", lambda: host.today),
            claim_key=ClaimKey(tmp_path / "claim_key.json"),
            breaker=Breaker(lambda: host.unfit, lambda: clock.now),
            signals=host.signals,
            notify=Notify(None),
            spawn=spawn,
            host="here",
            clock=lambda: clock.now,
        )

    host.daemon, host.claim, host.refused = daemon, a_claim, refused
    return host
