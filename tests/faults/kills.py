"""A sweep of kills: a worker of the queue's store is killed at any moment, again and again, and nothing that it was
told is ever untrue afterwards. `python -m tests.faults.kills --kills 3000`, or `make faults`.

The worker is forked from this process, and says through a pipe what was acknowledged to it. After each kill the file is
opened anew, as a restart does, and what was acknowledged is looked for: by id, by its words, by label and by cost. What
is kept beside the records (budgets, what lists find tasks by) must say the same as the records do.
"""

import argparse
import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
import traceback
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ulid import ULID

from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores import Sort, TaskFilter
from dashboard.stores.retention import Before
from dashboard.stores.sqlite import SqliteStore, quick_check
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, NewTask, SessionEnd, State

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
OF_ONE_FILE = 100
"""Kills of one file; then another is begun, so that all of it can be compared each time."""
LONGEST_S = 0.05
"""Until a kill, after the worker's first word: some dozens of writes."""


def main():
    """Kill so many workers; return 1 when anything was untrue."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description="Kills of the store's process.")
    parser.add_argument("--kills", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began, violations, acknowledged = time.monotonic(), [], 0
    for done in range(0, args.kills, OF_ONE_FILE):
        found, heard = sweep(min(OF_ONE_FILE, args.kills - done), random.Random(args.seed + done))
        violations += found
        acknowledged += heard
        sys.stderr.write(f"{done + OF_ONE_FILE} of {args.kills} kills, {len(violations)} violations\n")
    took = time.monotonic() - began
    sys.stdout.write(
        f"{args.kills} kills, {acknowledged} acknowledged writes, {len(violations)} violations ({took:.0f} s)\n"
    )
    for violation in violations[:20]:
        sys.stdout.write(f"  {violation}\n")
    return 1 if violations else 0


def sweep(kills, chance, work=None):
    """Kill so many workers of one file; return the violations, and how many writes were acknowledged."""
    violations, heard = [], []
    with TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "queue.db"
        SqliteStore(path).close()
        for kill in range(kills):
            heard += killed(path, kill, chance, work or worker)
            with closing(SqliteStore(path)) as store:
                found = untrue(store, heard)
            violations += [f"kill {kill}: {each}" for each in found]
            if violations:
                break
        with closing(sqlite3.connect(path)) as db:
            violations += [f"the file is broken: {broken}"] if (broken := quick_check(db)) else []
            db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    return violations, len(heard)


def killed(path, kill, chance, work):
    """Fork a worker, kill it, and return what was acknowledged to it."""
    reading, writing = os.pipe()
    seed, wait = chance.random(), chance.uniform(0, LONGEST_S)
    process = os.fork()
    if not process:
        os.close(reading)
        # Ids of one millisecond are counted on from the last: two forks of one process would make the same.
        ULID.from_timestamp(0)
        try:
            work(path, kill, random.Random(seed), lambda **said: os.write(writing, json.dumps(said).encode() + b"\n"))
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(1)
    os.close(writing)
    # However long that takes: a kill before it has nothing to look for.
    select.select([reading], [], [], 60)
    time.sleep(wait)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as pipe:
        # A line that was cut off was not heard.
        said = [json.loads(line) for line in pipe.read().split(b"\n")[:-1]]
    if not said:
        raise RuntimeError("a worker ended by itself, or stood still for a minute, without a word")
    return said


def worker(path, kill, chance, say):
    """Work a queue for ever: add, claim, deliver, end, cancel, delete."""
    store = SqliteStore(path)
    queue = Queue(store, Settings(lease_s=5), lambda: NOW)
    for number in range(10**6):
        name = f"w{kill}x{number}"
        labels = (f"l{kill}x{number}",) if number % 2 else ()
        task, _ = queue.add(
            NewTask(title=f"harbour {name}", labels=labels, priority=chance.randrange(10)), f"key-{name}"
        )
        say(id=task.id, word=name, labels=labels)
        if held := queue.claim(ClaimRequest(host="h")):
            say(id=held.task.id, fence=held.lease.fence)
            events = (Event(n=1, at="2026-05-13T12:00:00Z", kind=EventKind.MESSAGE),)
            queue.deliver(held.session.id, Batch(fence=held.lease.fence, events=events))
            say(session=held.session.id, events=1)
            code = chance.choice([Exit.FINISHED, Exit.FAULT, Exit.DRAINED])
            cost = chance.randrange(1000)
            end = SessionEnd(fence=held.lease.fence, exit=code, usd_micros=cost)
            ended = queue.end(held.session.id, end)
            say(id=ended.id, cost=ended.usd_micros_spent, state=ended.state.value, version=ended.version)
        if chance.random() < 0.1:
            cancelled = queue.cancel(task.id) if queue.get(task.id).state is State.QUEUED else None
            if cancelled:
                say(id=task.id, version=cancelled.version)
        if chance.random() < 0.02:
            # All that is finished: nothing is older.
            store.prune(Before(journals=(NOW + timedelta(days=1)).timestamp()))


def untrue(store, heard):
    """Return what was acknowledged and is not so, and what is kept beside the records and says something else."""
    records = {record.task.id: record for record in all_records(store)}
    found = []
    for said in heard:
        if "session" in said:
            continue
        record = records.get(said["id"])
        if record is None:
            found.append(f"{said} was acknowledged, and its task is not there")
            continue
        task = record.task
        if task.fence < said.get("fence", 0) or task.version < said.get("version", 0):
            found.append(f"{said} was acknowledged, and its task is in version {task.version}, fence {task.fence}")
        if task.usd_micros_spent < said.get("cost", 0):
            found.append(f"{said} was acknowledged, and {task.usd_micros_spent} is kept")
    # Those of the last worker: the ones before were looked for then.
    for said in [said for said in heard if "word" in said][-20:]:
        for which in (TaskFilter(words=said["word"]), *(TaskFilter(label=label) for label in said["labels"])):
            listed = [record.task.id for record in store.listing(which).records]
            if listed != [said["id"]]:
                found.append(f"{which} finds {listed}, not {said['id']}")
    return found + unequal(store, records)


def all_records(store):
    cursor = None
    while True:
        part = store.listing(cursor=cursor, limit=1000)
        yield from part.records
        if (cursor := part.cursor) is None:
            return


def unequal(store, records):
    """Compare what is kept beside the records with what they say."""
    costs = {(r.task.usd_micros_spent, r.task.id) for r in records.values() if r.task.usd_micros_spent}
    labels = {(label, r.task.id) for r in records.values() for label in r.task.labels}
    budgets = {
        r.root: (r.granted.sessions - r.task.sessions_used, r.granted.usd_micros - r.task.usd_micros_spent - r.reserved)
        for r in records.values()
    }
    by_words = sorted(record.task.id for record in store.listing(TaskFilter(words="harbour"), limit=10**6).records)
    by_cost = [record.task.id for record in store.listing(sort=Sort.COST, limit=10**6).records]
    for name, held, meant in (
        ("listed", {name for (name,) in store._rows("SELECT task FROM listed")}, set(records)),
        ("words", by_words, sorted(records)),
        ("costs", set(store._rows("SELECT usd_micros, task FROM costs")), costs),
        ("by cost", by_cost, [task for _, task in sorted(costs, reverse=True)]),
        ("labels", set(store._rows("SELECT label, task FROM labels")), labels),
        ("budgets", {r: (s, u) for r, s, u in store._rows("SELECT root, sessions, usd_micros FROM budgets")}, budgets),
    ):
        if held != meant:
            return [f"{name} says something else than the records"]
    return []


if __name__ == "__main__":
    sys.exit(main())
