"""A dashboard as an operator finds it: empty, busy, or in trouble. Each scene is played over the API, by a clock of its
own, and then goes on by the real one. `python -m tests.e2e.page.scenes busy` serves one until its input ends.
"""

import json
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from dashboard.application import create
from dashboard.settings import Notify, Settings
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from sync.failure import REAUTHENTICATE
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import (
    AskedBudget,
    Batch,
    ClaimRequest,
    Event,
    EventKind,
    Exit,
    File,
    NewTask,
    Presence,
    Question,
    SessionEnd,
    SyncOutcome,
    SyncRun,
)

TOKEN = Secret("a-token-of-the-scenes")
HOST = "jada-orchestrator"
TURN_TOKENS, FIRST_TOKENS = 1500, 4000
BROKEN = (
    "The sandbox could not be made.\nCause: bwrap is missing on the host.\n"
    "Cure: deploy again, which installs it: `fab deploy --stack prod`."
)
QUESTION = (
    "The booking of 14 May for room 12 is there twice: once from the web shop (2 guests, 129.00 a night) and once from"
    " the reception (3 guests, 149.00 a night). Both have the same name and telephone number.\n\n"
    "Which of the two is right? If it is the reception's, I shall take the other one out of the list and write to the"
    " housekeeping that a third bed is needed. If both are right, I need a second room for that night, and there is"
    " none free in the same house; the nearest one is in the annex.\n\n"
    "Until you answer I go on with nothing else of this task."
)


class Clock:
    """A time that is set while a scene is played, and then goes on by itself."""

    def __init__(self, days_ago=27):
        self.offset = timedelta(days=-days_ago)
        self.fixed = datetime.now(UTC) + self.offset

    def __call__(self):
        return self.fixed or datetime.now(UTC)

    def go_on(self, **delta):
        self.fixed += timedelta(**delta)

    def run(self):
        self.fixed = None


def stamp(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Play:
    """Somebody who works a queue through its API."""

    def __init__(self, client, clock):
        self.client, self.clock = client, clock

    @property
    def now(self):
        return stamp(self.clock())

    def add(self, title, description="", **fields):
        self.clock.go_on(seconds=1)
        return self.client.add_task(NewTask(title=title, description=description, **fields))

    def begin(self):
        self.clock.go_on(seconds=20)
        return self.client.claim(ClaimRequest(host=HOST))

    def work(self, held, turns, first=1, commands=("ls -la",), last=True, batch=1):
        """Deliver turns as a session does, `batch` at once; without `last` the last command has no result yet."""
        n = len(self.client.events(held.session.id))
        waiting = []
        for turn in range(first, first + turns):
            self.clock.go_on(seconds=25)
            command = commands[(turn - 1) % len(commands)]
            size = FIRST_TOKENS + turn * TURN_TOKENS
            usage = {"input_tokens": 300, "cache_creation_input_tokens": TURN_TOKENS, "output_tokens": 400}
            usage["cache_read_input_tokens"] = size - sum(usage.values())
            price = round(size * 0.3 + TURN_TOKENS * 3.75 + 400 * 15)
            call = {"type": "tool_use", "id": f"u{turn}", "name": "bash", "input": {"command": command}}
            said = {"type": "text", "text": f"I look at the next part: step {turn}."}
            kinds = [
                *([(EventKind.HEADER, {"model": "claude-sonnet-5-5"})] if n == 0 else []),
                *([(EventKind.MESSAGE, {"content": held.task.description or held.task.title})] if n == 0 else []),
                (EventKind.RESERVE, {"turn": turn, "usd_micros": price * 2}),
                (
                    EventKind.SETTLE,
                    {"turn": turn, "usd_micros": price, "usage": usage, "message": {"content": [said, call]}},
                ),
                (EventKind.TOOL_STARTED, {"tool_use_id": f"u{turn}", "name": "bash", "input": call["input"]}),
            ]
            if last or turn < first + turns - 1:
                rows = "\n".join(f"2026-05-{day:02}  room {day % 9 + 1:>2}  2 guests  129.00" for day in range(1, 25))
                kinds.append(
                    (EventKind.TOOL_RESULT, {"tool_use_id": f"u{turn}", "content": rows, "is_error": turn == 4})
                )
            waiting += [Event(n=n + i, at=self.now, kind=k, data=d) for i, (k, d) in enumerate(kinds, 1)]
            n += len(kinds)
            if (turn - first + 1) % batch == 0 or turn == first + turns - 1:
                self.client.deliver(held.session.id, Batch(fence=held.lease.fence, events=tuple(waiting)))
                waiting = []
        return sum(
            round((FIRST_TOKENS + t * TURN_TOKENS) * 0.3 + TURN_TOKENS * 3.75 + 6000) for t in range(1, first + turns)
        )

    def end(self, held, code, turns=0, usd_micros=0, **fields):
        self.clock.go_on(seconds=5)
        end = SessionEnd(fence=held.lease.fence, exit=code, turns=turns, usd_micros=usd_micros, **fields)
        return self.client.end(held.session.id, end)

    def session(self, turns, code, **fields):
        """Work a session from its beginning to its end, delivered at once: each of its requests costs as much as it."""
        held = self.begin()
        return self.end(held, code, turns, self.work(held, turns, batch=turns), **fields)

    def sync(self, outcome=SyncOutcome.UNCHANGED, **fields):
        self.client.report(
            SyncRun(started_at=self.now, finished_at=self.now, outcome=outcome, rows_read=1284, **fields)
        )

    def history(self, days, hits_each=3):
        """Some weeks of work: each day a short task and a long one, some of which hit their turn limit."""
        for day in range(days):
            self.add("Check the arrivals of tomorrow", priority=6)
            self.session(9 + day % 5, Exit.FINISHED, result="All 14 arrivals have a room and a key.")
            self.add("Write the week's occupancy report")
            if day % hits_each == 0:
                self.session(30, Exit.TURN_LIMIT, checkpoint="Asked: the report. Done: Monday to Thursday.")
                self.session(6 + day % 11, Exit.FINISHED, result="The report is written.")
            else:
                self.session(17, Exit.FINISHED, result="The report is written.")
            self.clock.go_on(days=1, seconds=-int((self.clock() - self.clock().replace(hour=6)).total_seconds()))


def empty(_):
    """A queue on its first day: a worker is there, nothing was added, and no sync has run."""


def busy(play):
    """A usual day: one task runs, one asks, some are queued, the sheet is in step."""
    play.history(26)
    synced(play)
    now = datetime.now(UTC)
    play.clock.fixed = max(now - timedelta(minutes=55), now.replace(hour=0, minute=0, second=1))
    play.add("Check the arrivals of tomorrow", priority=6)
    play.session(
        12,
        Exit.FINISHED,
        result="All 17 arrivals have a room and a key.",
        files=(File(name="arrivals.csv", content=b"room\n12\n"),),
    )
    asks = play.add("Clear up the double booking of room 12", "Two bookings collide; find out which is right.")
    play.session(7, Exit.ASKED, question=Question(tool_use_id="u7", text=QUESTION))
    play.add(
        "Write the week's occupancy report",
        "Take bookings.csv; one line a day, the sum at the end.",
        context=(File(name="bookings.csv", content=b"day,rooms\n" * 400),),
    )
    held = play.begin()
    play.add("Compare the prices of May with those of last year", priority=4)
    play.add("Translate the house rules into Portuguese", priority=2)
    play.client.add_task(NewTask(title="Read the meter readings of the annex", parent=held.task.id))
    play.clock.fixed = datetime.now(UTC) - timedelta(minutes=6)
    commands = (
        "ls -la",
        "head -40 bookings.csv",
        "python3 report.py --week 20 --out report.csv",
        "grep -c 'room 12' bookings.csv",
    )
    play.work(held, 11, commands=commands, last=False)
    play.clock.run()
    return {"task": held.task.id, "asks": asks.id, "session": held.session.id}


def trouble(play):
    """A bad night: the sync failed, a task too, others are out of budget or stuck, and many hit the limit."""
    play.history(26, hits_each=1)
    synced(play)
    play.clock.fixed = datetime.now(UTC) - timedelta(minutes=95)
    failed = play.add("Send the arrivals to the housekeeping")
    play.session(
        3,
        Exit.FAULT,
        reason=BROKEN,
    )
    play.add("Sum up the season", budget=AskedBudget(sessions=1, usd_micros=1_000_000))
    play.session(
        30,
        Exit.TURN_LIMIT,
        reason="It came as far as August.",
        checkpoint="Asked: a summary of the season. Done: May to August.",
    )
    play.add("Clear up the double booking of room 12")
    play.session(7, Exit.ASKED, question=Question(tool_use_id="u7", text=QUESTION))
    stuck = play.add("Order towels from the laundry")
    play.session(4, Exit.STUCK, reason="The model refused to go on: the order needs a signature.")
    # After the last success, which was half an hour ago.
    play.clock.fixed = datetime.now(UTC) - timedelta(minutes=1)
    play.sync(
        SyncOutcome.FAILED,
        error="token_dead",
        cause="Google no longer accepts the token: it was revoked, or its consent screen is in testing mode.",
        cure=REAUTHENTICATE,
    )
    play.clock.run()
    return {"failed": failed.id, "stuck": stuck.id}


def synced(play):
    play.clock.fixed = datetime.now(UTC) - timedelta(hours=23)
    for run in range(46):
        outcome = SyncOutcome.CHANGED if run % 5 == 0 else SyncOutcome.UNCHANGED
        if run == 20:
            play.sync(
                SyncOutcome.FAILED, error="Unavailable", cause="Sheets answered 503.", cure="nothing: it is tried again"
            )
        else:
            play.sync(outcome, **({"added": 3, "changed": 2} if outcome is SyncOutcome.CHANGED else {}))
        play.clock.go_on(minutes=30)


SCENES = {"empty": empty, "busy": busy, "trouble": trouble}


FRESH_S = 300
_played: dict[str, tuple[float, dict[Path, bytes], dict[str, str]]] = {}


def played(name):
    """The files of a scene's queue, and the ids of what it shows: played once, because that takes a second and more of
    CPU. After some minutes it is played anew: its times are those of now.
    """
    if name not in _played or time.monotonic() - _played[name][0] > FRESH_S:
        clock = Clock()
        if name == "empty":
            clock.run()
        with TemporaryDirectory() as folder:
            with served(folder, clock) as (_, client):
                named = SCENES[name](Play(client, clock)) or {}
            files = {each.relative_to(folder): each.read_bytes() for each in Path(folder).rglob("*") if each.is_file()}
        _played[name] = time.monotonic(), files, named
    return _played[name][1:]


@contextmanager
def served(folder, clock):
    """A dashboard over the queue in a folder: its address and its client."""
    settings = Settings(keep_tasks_days=0, keep_journals_days=0, notify=Notify(targets=("ops-mail",)))
    store = SqliteStore(Path(folder) / "queue.db")
    with running(create(store, accepting(TOKEN), settings, clock)) as url:
        yield url, Client(url, TOKEN)
    store.close()


@contextmanager
def application(name):
    """Yield a scene's address and its client, and the ids of what it shows; what is done to it, no other sees."""
    files, named = played(name)
    clock = Clock()
    clock.run()
    with TemporaryDirectory() as folder:
        for path, content in files.items():
            Path(folder, path).parent.mkdir(exist_ok=True)
            Path(folder, path).write_bytes(content)
        with served(folder, clock) as (url, client):
            client.present(Presence(host=HOST))
            yield url, client, named


def sign_in(page, url, client):
    """Press the button behind a link that signs in, as an operator does."""
    page.goto(url + client.invite("anna").path)
    page.get_by_role("button", name="Sign in").click()


if __name__ == "__main__":
    with application(sys.argv[1]) as (url, client, named):
        print(json.dumps({"url": url, "path": client.invite("anna").path, **named}), flush=True)  # noqa: T201 - it is read
        sys.stdin.read()
