"""The real dashboard over HTTP, and a release whose sessions are a scripted program."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.daemon.breaker import Breaker
from agent.daemon.claim_key import ClaimKey
from agent.daemon.day import Day
from agent.daemon.lease import boottime
from agent.daemon.link import Link
from agent.daemon.outbox import Outboxes
from agent.daemon.signals import Signals
from agent.daemon.spawn import Process, Release
from agent.daemon.travel import Workspaces
from agent.daemon.worker import Daemon
from agent.settings import Settings
from dashboard.application import create
from dashboard.beside import Beside
from dashboard.settings import Settings as DashboardSettings
from dashboard.stores.memory import MemoryStore
from local.ports import reserved
from local.serve import running
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.systemd import Notify
from wire.types import NewTask

ROOT = Path(__file__).parents[3]
TOKEN = Secret("a-token")
ENVIRONMENT = {"PATH": os.environ["PATH"], "DASHBOARD_TOKEN": "must not travel"}
SESSION = '''
"""Plays the session that the task's title names: each word is a move."""
import json, os, pathlib, signal, sys, time
from agent.record.journal import Journal

# A drain waits until it is looked for: it neither comes too early nor tears a record.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
folder = pathlib.Path(sys.argv[1])
claim = json.loads((folder / "claim.json").read_text())
told = folder / f"process-{claim['lease']['fence']}.json"
told.with_suffix(".new").write_text(json.dumps([dict(os.environ), os.getcwd(), os.getpid()]))
told.with_suffix(".new").rename(told)
journal = Journal(folder / "journal.jsonl", time.time)
work, seen = pathlib.Path(json.loads((folder / "settings.json").read_text())["workspace"]), None

def leave(kind, code, reason="", **more):
    empty = {"result": None, "question": None, "checkpoint": None, "not_before": None, "files": []}
    turns = sum(event.kind == "settle" for event in journal.events)
    data = {"exit": code, "reason": reason, "turns": turns, "usd_micros": 1000 * turns, **empty, **more}
    journal.append(kind, data)
    sys.exit(code)

if not journal.events:
    journal.append("header", {"task": claim["task"]["id"]})
for move in claim["task"]["title"].split()[len(journal.events) - 1:]:
    turn = len(journal.events)
    if move == "turn":
        journal.append("settle", {"turn": turn, "usd_micros": 1000, "message": {}, "usage": {}})
    elif move == "crash":
        journal.append("settle", {"turn": turn, "usd_micros": 1000, "message": {}, "usage": {}})
        os.kill(os.getpid(), signal.SIGKILL)
    elif move.startswith(("write", "large")):
        work.mkdir(exist_ok=True)
        (work / "sub").mkdir(exist_ok=True)
        if move == "large":
            (work / "large.bin").write_bytes(bytes(10 * 1024 * 1024))
        else:
            (work / "notes.txt").write_text("again" if move == "write-again" else "notes")
            (work / "sub" / "more.bin").write_bytes(bytes(range(256)))
        journal.append("settle", {"turn": turn, "usd_micros": 1000, "message": {}, "usage": {}})
    elif move == "stop":
        leave("suspend", 4, "it waits")
    elif move == "look":
        there = [path for path in sorted(work.rglob("*")) if path.is_file()]
        seen = {str(path.relative_to(work)): path.read_bytes().hex() for path in there}
        journal.append("settle", {"turn": turn, "usd_micros": 1000, "message": {}, "usage": {}})
    elif move == "doomed":
        sys.exit(1)
    elif move == "hang":
        while not (folder / "go").exists():
            if signal.sigtimedwait([signal.SIGTERM], 0.02):
                leave("suspend", 143, "drained")
        journal.append("settle", {"turn": turn, "usd_micros": 1000, "message": {}, "usage": {}})
leave("end", 0, result=json.dumps(seen) if seen is not None else f"{len(journal.events)} records")
'''


class Site:
    """A dashboard that can be away for a while and comes back at the same address, and a daemon's state folder."""

    def __init__(self, state, release, store=None, lease_s=6):
        self.state, self.release, self.store = state, release, store or MemoryStore()
        self._settings = DashboardSettings(lease_s=lease_s, table="eu-west-1/queue" if store else "")
        self._running, self._reserved = contextlib.ExitStack(), contextlib.ExitStack()
        # Also while it is away: another program's by then, it could not come back.
        self._port = self._reserved.enter_context(reserved())
        self.start()
        self.client = Client(self.url, TOKEN, retries=0)

    def start(self):
        app = create(self.store, accepting(TOKEN), self._settings, beside=Beside(host=self.state.name))
        self.url = self._running.enter_context(running(app, port=self._port))

    def stop(self):
        self._running.close()

    def add(self, title):
        return self.client.add_task(NewTask(title=title))

    def folder(self):
        """The folder of the only session."""
        return next((self.state / "sessions").iterdir())

    def process(self, fence=1):
        """The session's process under this fence, once it runs: its environment, working directory and pid."""
        return json.loads(
            self.until(lambda: next(self.state.glob(f"sessions/*/process-{fence}.json"), None)).read_text()
        )

    def gone(self, pid):
        """Whether a process has ended, waited for or not."""
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"

    def until(self, condition, seconds=60):
        """Wait for a condition; return its value. A look at a table takes CPU from what is waited for."""
        deadline, pause = time.monotonic() + seconds, 0.02
        while not (value := condition()):
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(pause)
            pause = min(1.2 * pause, 0.25)
        return value

    @contextlib.contextmanager
    def meanwhile(self, act):
        """Do something in another thread while the daemon's step holds this one; a failure there fails the test."""
        finished = []
        thread = threading.Thread(target=lambda: finished.append(act()), daemon=True)
        thread.start()
        yield
        thread.join(120)
        assert finished


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """A release whose sessions are scripted: our own packages beside the script."""
    app = tmp_path_factory.mktemp("release")
    for package in ("agent", "wire"):
        shutil.copytree(ROOT / package, app / package, ignore=shutil.ignore_patterns("session", "__pycache__"))
    (app / "agent" / "session.py").write_text(SESSION)
    return Release(Path(sys.executable), app)


@pytest.fixture
def site(tmp_path, release):
    site = Site(tmp_path / "state", release)
    yield site
    site.stop()
    site._reserved.close()


@pytest.fixture
def make(site):
    """Make daemons; their signals are this process's while the test runs."""
    with contextlib.ExitStack() as stack:

        def daemon(unproven=lambda: False, notify=None, **settings):
            link = Link(Client(site.url, TOKEN, retries=0))
            return Daemon(
                settings=Settings(dashboard_url=site.url, poll_seconds=1, **settings),
                workspaces=Workspaces(site.state / "workspaces"),
                outboxes=Outboxes(site.state / "sessions", link, Workspaces(site.state / "workspaces")),
                link=link,
                day=Day(site.state / "state.json", time.time),
                claim_key=ClaimKey(site.state / "claim_key.json"),
                breaker=Breaker(lambda: None, boottime),
                signals=stack.enter_context(Signals()),
                notify=notify or Notify(None),
                unproven=unproven,
                spawn=functools.partial(Process, site.release, environment=ENVIRONMENT),
                host="here",
            )

        yield daemon


class Program:
    """The daemon as a process of its own, from the scripted release."""

    def __init__(self, site, tmp_path):
        settings = tmp_path / "jada.toml"
        # An API that is away says nothing about the host: its look finds key, price and sandbox, and lets it claim.
        address = 'claude_url = "http://127.0.0.1:9"'
        settings.write_text(f'[agent]\ndashboard_url = "{site.url}"\n{address}\npoll_seconds = 1\n')
        (tmp_path / "anthropic_api_key").write_text("sk-test\n")
        (tmp_path / "dashboard_token").write_text(TOKEN.reveal() + "\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(site.release.app),
            "CREDENTIALS_DIRECTORY": str(tmp_path),
        }
        self.command = [sys.executable, "-m", "agent", "--settings", str(settings), "--state", str(site.state)]
        self.app, self.processes = site.release.app, []

    def start(self, **environment):
        process = subprocess.Popen(
            self.command, env={**self.environment, **environment}, cwd=self.app, stderr=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def program(site, tmp_path):
    program = Program(site, tmp_path)
    yield program
    program.end()
