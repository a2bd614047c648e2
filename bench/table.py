"""Measure what a queue in DynamoDB takes: `python -m bench.table`. AWS's own DynamoDB Local counts the units."""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from rich.console import Console
from rich.table import Table as Shown

from dashboard.overview import Overview
from dashboard.queue import Queue
from dashboard.settings import Settings, WorkLimits
from dashboard.stores.dynamodb import layout
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from local import dynamodb, tools
from local.steps import Steps
from wire.types import AskedBudget, Batch, ClaimRequest, Event, EventKind, Exit, Heartbeat, NewTask, SessionEnd, Wait

AT = "2026-05-13T12:00:00Z"
READS = ("GetItem", "BatchGetItem", "Query")
WRITE_USD, READ_USD = 0.625e-6, 0.125e-6
"""Of one unit on demand, in us-east-1."""


class Taken(NamedTuple):
    """What something took: units written and read, and calls."""

    writes: float
    reads: float
    calls: int


class Meter:
    """Counts the units that a client's calls take, as DynamoDB says."""

    def __init__(self, client: Any) -> None:
        self._units: Counter[str] = Counter()
        self._least = 0.0
        client.meta.events.register("before-parameter-build.dynamodb", self._ask)
        client.meta.events.register("after-call.dynamodb", self._answered)

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"
        keys = [len(each["Keys"]) for each in params.get("RequestItems", {}).values() if "Keys" in each]
        self._least = sum(keys) or (1.0 if params.get("ConsistentRead") else 0.5)

    def _answered(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        found = parsed.get("ConsumedCapacity") or []
        units = sum(each["CapacityUnits"] for each in (found if isinstance(found, list) else [found]))
        is_read = model.name in READS
        # AWS takes half a unit for a look that finds nothing, or a whole one; DynamoDB Local takes none.
        self._units["reads" if is_read else "writes"] += max(units, self._least) if is_read else units
        self._units["calls"] += 1

    def measure(self, do: Callable[[], object]) -> Taken:
        """Do something, and return what it took."""
        before = self._units.copy()
        do()
        took = self._units - before
        return Taken(took["writes"], took["reads"], took["calls"])


@contextmanager
def database() -> Iterator[Any]:
    """Yield the client of a DynamoDB Local that keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        library = tools.dynamodb(Steps(folder / "logs"))
        with dynamodb.running(library, folder, in_memory=True) as url:
            key = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
            client = boto3.client("dynamodb", endpoint_url=url, region_name="us-east-1", **key)
            yield client


def measured(client: Any) -> dict[str, Taken]:
    """Return what each step of a task's life takes, and what looking takes, in a new table of a client's."""
    client.create_table(**layout.definition("bench"))
    settings = Settings(table="us-east-1/bench")
    made = Queue(DynamoStore(Table(client, "bench")), settings, lambda: datetime(2026, 5, 13, 12, tzinfo=UTC))
    meter = Meter(client)
    found = {"a poll that finds nothing": meter.measure(lambda: made.claim(ClaimRequest(host="h"), key="0"))}
    new = NewTask(title="Count the rooms of the harbour hotel")
    found["add"] = meter.measure(lambda: made.add(new))
    claims: list[Any] = []
    found["claim"] = meter.measure(lambda: claims.append(made.claim(ClaimRequest(host="h"), key="1")))
    held = claims[0]
    found["heartbeat"] = meter.measure(lambda: made.heartbeat(held.task.id, Heartbeat(fence=1)))
    event = Event(n=1, at=AT, kind=EventKind.SETTLE, data={"usd_micros": 27_000, "text": "free " * 100})
    found["a batch of the journal"] = meter.measure(
        lambda: made.deliver(held.session.id, Batch(fence=1, events=(event,)))
    )
    end = SessionEnd(fence=1, exit=Exit.FINISHED, result="212 rooms, 14 free")
    found["end"] = meter.measure(lambda: made.end(held.session.id, end))
    key = "0b7e6f2e-6a5c-4f0e-9d2b-2f1f0c9a7a11"
    found["add with an Idempotency-Key"] = meter.measure(lambda: made.add(new, key))
    both = NewTask(title="Count them again", dedupe_key="count")
    found["add with a dedupe key too"] = meter.measure(lambda: made.add(both, f"{key}2"))
    found |= _of_a_subtask(made, meter)
    made.duties.keep()
    found["a look of the watch"] = meter.measure(made.look)
    found["a look of the sender"] = meter.measure(made.due_messages)
    overview = Overview(made, WorkLimits())
    found["the front page's figures"] = meter.measure(overview.figures)
    return found


def _of_a_subtask(made: Queue, meter: Meter) -> dict[str, Taken]:
    """What a subtask's steps take, as the worker makes it; its parent waits for another one as well."""
    parent, _ = made.add(NewTask(title="Count both", priority=9, budget=AskedBudget(sessions=5, usd_micros=5_000_000)))
    claims: list[Any] = [made.claim(ClaimRequest(host="h"), key="parent")]
    ids = [f"{n:026}" for n in range(2)]
    subtasks = [NewTask(title="Count one", priority=9, parent=parent.id, id=name) for name in ids]
    found = {"a subtask: add": meter.measure(lambda: made.add(subtasks[0], "toolu_00"))}
    made.add(subtasks[1], "toolu_01")
    waits = Wait(tool_use_id="toolu_02", tasks=tuple(ids))
    made.end(claims[0].session.id, SessionEnd(fence=1, exit=Exit.SUBTASKS, wait=waits))
    found["a subtask: claim"] = meter.measure(lambda: claims.append(made.claim(ClaimRequest(host="h"), key="child")))
    session = claims[1].session.id
    event = Event(n=1, at=AT, kind=EventKind.SETTLE, data={"usd_micros": 27_000})
    made.deliver(session, Batch(fence=1, events=(event,)))
    end = SessionEnd(fence=1, exit=Exit.FINISHED, usd_micros=27_000, result="212 rooms, 14 free")
    found["a subtask: end, and its parent hears of it"] = meter.measure(lambda: made.end(session, end))
    return found


def main() -> int:
    """Measure and print; returns the exit code."""
    shown = Shown("", "write units", "read units", "calls", "dollars a million", title="A queue in DynamoDB")
    with database() as client:
        found = measured(client)
    for name, took in found.items():
        dollars = (took.writes * WRITE_USD + took.reads * READ_USD) * 1e6
        shown.add_row(name, f"{took.writes:g}", f"{took.reads:g}", f"{took.calls}", f"{dollars:.2f}")
    Console(width=120).print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
