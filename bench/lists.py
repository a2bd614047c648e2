"""Measure lists, search and a task's page in a large queue: `python -m bench.lists`."""

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from ulid import ULID

from bench import ours
from bench.disk import require_disk
from bench.idle import child, cpu_s
from bench.reader import Reader
from dashboard import rules
from dashboard.record import Record
from dashboard.stores import sqlite as store_module
from dashboard.stores.sqlite import SqliteStore
from wire.client import Client
from wire.types import Batch, ClaimRequest, Event, EventKind, Exit, NewTask, SessionEnd, State

MOST_MS, MOST_MB, MOST_CPU_S = 60, 32, 0.6
"""Targets: of a look's 99th percentile, of the idle dashboard's memory (PSS), and of a start's CPU."""
DAYS = 300
"""Over how many days the tasks were added: retention keeps all of them."""
STATES = (*[State.DONE] * 12, *[State.QUEUED] * 6, State.FAILED, State.CANCELLED)
QUIET_S = 0.1
"""CPU seconds in two, under which a dashboard counts as idle."""
PER_SESSION = 100
"""Records of one session's journal."""


def main() -> int:
    """Fill a queue, or take the one that is kept, ask it all kinds of lists, print the table; returns the exit code."""
    args = _arguments()
    require_disk(args.folder.resolve(), Path("/proc/self/mounts").read_text(encoding="utf-8"))
    kept = nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory(prefix="jada-lists-", dir=args.folder)
    console = Console(width=120)
    with kept as name:
        folder = Path(name)
        state = folder / "state"
        state.mkdir(exist_ok=True, parents=True)
        with Progress(console=console, transient=True) as progress:
            if not (state / "queue.db").exists():
                _fill(state, args.tasks, args.events, progress)
        with ours.dashboard(folder, state) as client:
            console.print(_table(client, state, args.looks))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description="Lists of a large queue.")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="tasks in the queue (%(default)s)")
    parser.add_argument("--events", type=int, default=500_000, help="journal records in the queue (%(default)s)")
    parser.add_argument("--looks", type=int, default=300, help="looks of each kind (%(default)s)")
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="a folder on a real disk (%(default)s)")  # noqa: S108 - kept across a boot, so on a disk
    parser.add_argument("--keep", type=Path, help="a folder in which the queue is kept for the next time")
    return parser.parse_args()


def _fill(state: Path, tasks: int, events: int, progress: Progress) -> None:
    """Write tasks by the thousand in a transaction, and journals through the API's own calls."""
    store = SqliteStore(state / "queue.db")
    chance = random.Random(1)  # noqa: S311 - the same queue each time
    bar = progress.add_task("tasks", total=tasks)
    for first in range(0, tasks, 2000):
        with store._writing() as db:  # noqa: SLF001 - each in a transaction of its own would take a quarter of an hour
            for number in range(first, min(first + 2000, tasks)):
                store_module._insert(db, _record(number, tasks, chance))  # noqa: SLF001
        progress.advance(bar, 2000)
    store.close()
    bar = progress.add_task("journals", total=events)
    with ours.queue(state) as queue:
        for _ in range(events // PER_SESSION):
            queue.add(NewTask(title="A session with a journal", priority=9))
            held = queue.claim(ClaimRequest(host="bench"))
            if held is None:
                raise RuntimeError("the task that was added cannot be claimed")
            queue.deliver(held.session.id, Batch(fence=held.lease.fence, events=_journal()))
            queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.FINISHED, usd_micros=4321))
            progress.advance(bar, PER_SESSION)


def _record(number: int, tasks: int, chance: random.Random) -> Record:
    """A task as an operator's programs queue it: words some of which are in all, in half, in few and in one."""
    at = datetime.now(UTC) - timedelta(days=DAYS) * (1 - number / tasks)
    words = " ".join(f"w{int(chance.paretovariate(0.7))}" for _ in range(60))
    parity = "even" if number % 2 else "odd"
    title = f"Sort the harbour post, {parity} number {number}"
    labels = ("nightly",) if number % 2 else (f"room-{number % 100_000}",) if number % 10 == 0 else ()
    new = NewTask(title=title, labels=labels, priority=chance.randrange(10))
    made = rules.draft(new, str(ULID.from_datetime(at)), at)
    state = chance.choice(STATES)
    spent = chance.randrange(5_000_000) if state in (State.DONE, State.FAILED) else 0
    task = replace(made.task, description=words, state=state, usd_micros_spent=spent, result=None)
    return replace(made, task=task)


def _journal() -> tuple[Event, ...]:
    kinds = (EventKind.RESERVE, EventKind.SETTLE, EventKind.TOOL_STARTED, EventKind.TOOL_RESULT)
    text = "row: 2026-05-13, room 12, 129.00. " * 20
    data: dict[EventKind, dict[str, Any]] = {
        EventKind.RESERVE: {"turn": 1, "usd_micros": 9},
        EventKind.SETTLE: {"turn": 1, "usd_micros": 7, "message": {"content": [{"type": "text", "text": text}]}},
        EventKind.TOOL_STARTED: {"tool_use_id": "u", "name": "bash", "input": {"command": "ls"}},
        EventKind.TOOL_RESULT: {"tool_use_id": "u", "content": text},
    }
    events = (kinds[n % len(kinds)] for n in range(PER_SESSION))
    return tuple(Event(n=n, at="2026-05-13T12:00:00Z", kind=kind, data=data[kind]) for n, kind in enumerate(events, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A kind of look: a path for each number."""

    name: str
    path: Callable[[int], str]


def _asked(ids: Sequence[str]) -> Iterator[Asked]:
    days = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (DAYS // 2, DAYS // 2 - 30)]

    def listed(query: str) -> Callable[[int], str]:
        return lambda n: "/tasks?" + query.format(n=n, id=ids[n % len(ids)], number=n * 3301 % 1_000_000)

    for name, query in {
        "list, newest": "",
        "list, deep in it": "cursor={id}",
        "list, failed": "state=failed",
        "list, a common label": "label=nightly&cursor={id}",
        "list, a rare label": "label=room-{n}0",
        "list, costliest": "sort=cost",
        "list, costliest failed with a label": "sort=cost&state=failed&label=nightly",
        "list, of a span of time and a cost": f"since={days[0]}&until={days[1]}&least=4.9",
        "search, one word in all": "words=harbour",
        "search, one word in all, deep in it": "words=harbour&cursor={id}",
        "search, two words, each in half": "words=even+odd",
        "search, a word in one": "words={number}",
        "search, three common words": "words=w1+w2+w3",
        "search, a common word, failed, with a label": "words=harbour&state=failed&label=nightly",
        "search, a common word and a rare label": "words=harbour&label=room-{n}0",
        "search, a word in none": "words=nowhere{n}",
    }.items():
        yield Asked(name=name, path=listed(query))
    yield Asked(name="front page", path=lambda _: "/")
    yield Asked(name="page of a task", path=lambda n: f"/tasks/{ids[n % len(ids)]}")


def _wait_for_its_first_looks(process: int) -> None:
    """Wait while a dashboard that was just started reads all its records for what is to be deleted."""
    before = -1.0
    while (now := cpu_s(process)) - before > QUIET_S:
        before = now
        time.sleep(2)


def _table(client: Client, state: Path, looks: int) -> Table:
    with sqlite3.connect(f"file:{state / 'queue.db'}?mode=ro", uri=True) as db:
        counts = db.execute("SELECT (SELECT count(*) FROM tasks), (SELECT sum(last) FROM deliveries)").fetchone()
        sampled = db.execute("SELECT task FROM listed WHERE n % 9973 = 7 UNION ALL SELECT task FROM sessions LIMIT 400")
        ids = [name for (name,) in sampled]
        journals = [name for (name,) in db.execute("SELECT id FROM tasks WHERE session IS NOT NULL LIMIT 100")]
    shown = Table(
        "", title=f"{counts[0]:,} tasks, {counts[1] or 0:,} journal records; milliseconds of a page over HTTP"
    )
    for heading in ("median", "p99", "most", "target", "CPU", "kB"):
        shown.add_column(heading, justify="right")
    reader = Reader(client)
    process = child()
    _wait_for_its_first_looks(process)
    for asked in [
        *_asked(ids),
        Asked(name="page of a task with a journal", path=lambda n: f"/tasks/{journals[n % 100]}"),
    ]:
        before = cpu_s(process)
        taken = [reader.look(asked.path(n)) for n in range(looks)]
        # What else the machine does counts into times, and not into this.
        cpu_ms = (cpu_s(process) - before) * 1000 / looks
        took = sorted(ms for ms, _ in taken)
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        size = max(size for _, size in taken) / 1000
        target = f"≤ {MOST_MS}" + ("" if p99 <= MOST_MS else " missed")
        shown.add_row(
            asked.name,
            f"{took[len(took) // 2]:.1f}",
            f"{p99:.1f}",
            f"{took[-1]:.1f}",
            target,
            f"{cpu_ms:.1f}",
            f"{size:.0f}",
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
