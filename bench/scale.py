"""Simulate several hosts over one table: `python -m bench.scale`. Seeded: the same seed gives the same figures.

What an operation takes is measured (`bench.table`, and a test compares); what DynamoDB allows is its documentation's.
Sessions are as long as keeps the hosts busy to seven tenths, so that the table is what is looked at.
"""

import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table as Shown

HOSTS, RATES = (10, 100, 1000), (1, 10, 100, 1000)
SHARDS, LIMIT = 4, 4
"""Of the indexes; candidates that a claim asks each of them for."""
ADD, CLAIM, BEAT, BATCH, END = 4, 5, 1, 1, 4
"""Write units."""
TURN_S, BEAT_S = 10.0, 40.0
"""A turn of a session, whose batch is some kilobyte, and a heartbeat."""
ASK_READS, CLAIM_READS, ADD_READS, END_READS, BATCH_READS, BEAT_READS = 6, 3, 2, 5, 5, 1
"""Read units: of the indexes that a claim looks at, of the claim itself, and of the rest of a task's life."""
LOOK_READS, LOOK_EVERY_S = 2.5, 30.0
"""Of a look at what runs or was cancelled, beside one for each such task; each host looks so often, for its lease."""
CALL_MS, CLAIM_CALLS = 4.0, 20
POLL_S = 60.0
"""How often a worker without work asks, `[agent] poll_seconds`."""
KEY_WRITES, TABLE_UNITS = 1000, 40_000
"""Units a second: of one key of a table or an index, and of a table on demand that was not raised."""
ENTRY_UNITS = 120 / 4096 / 2
"""Read units of an index's entry."""
BUSY, TICK_S, SECONDS = 0.7, 0.05, 60
SATURATED = 0.6
"""Of what was added, more of which is not claimed yet than waits for a poll."""
WRITE_USD, READ_USD = 0.625e-6, 0.125e-6


@dataclass(slots=True)
class Outcome:
    """What a minute came to; units are those of a second."""

    added: int = 0
    waits: list[float] = field(default_factory=list)
    claims: int = 0
    beaten: int = 0
    writes: float = 0
    reads: float = 0
    hottest: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    left: int = 0

    def wait_s(self, share: float) -> float:
        """Seconds from a task's adding to its claim, for this share of them."""
        found = sorted(self.waits)
        return found[min(len(found) - 1, int(share * len(found)))] if found else float("inf")

    @property
    def usd_a_day(self) -> float:
        """What a day of this costs."""
        return 86_400 * (self.writes * WRITE_USD + self.reads * READ_USD)

    @property
    def breaks(self) -> str:
        """What breaks first, if anything does."""
        name, most = max(self.hottest.items(), key=lambda item: item[1], default=("", 0))
        if self.throttled:
            return f"the key {name}: {most} writes a second"
        if self.reads > TABLE_UNITS:
            return "looks at all that runs: over the table's limit of reads"
        if self.writes > TABLE_UNITS:
            return "the table's limit of writes"
        if self.left > SATURATED * self.added:
            return "the hosts: a session is shorter than a claim takes"
        return "nothing"


def simulate(hosts: int, rate: float, seed: int = 1, seconds: int = SECONDS) -> Outcome:
    """Let hosts work on tasks that come at a rate; every host is its own dashboard over the table."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    length_s = BUSY * hosts / rate
    # As after a while: seven tenths at work, the others between two polls.
    free_at = [draw.uniform(0, length_s if n < BUSY * hosts else POLL_S) for n in range(hosts)]
    working = [n < BUSY * hosts for n in range(hosts)]
    ready: list[list[float]] = [[] for _ in range(SHARDS)]
    looked = [draw.uniform(-LOOK_EVERY_S, 0) for _ in range(hosts)]
    outcome, heat = Outcome(), Counter[str]()
    for tick in range(int(seconds / TICK_S)):
        now = tick * TICK_S
        if tick % int(1 / TICK_S) == 0:
            _cool(outcome, heat)
        for _ in range(_poisson(draw, rate * TICK_S)):
            shard = draw.randrange(SHARDS)
            ready[shard].append(now)
            _write(outcome, heat, ADD, f"ready#{shard}", f"queued#{shard}")
            outcome.reads += ADD_READS
            outcome.added += 1
        runs = sum(working)
        outcome.reads += _living(runs) * TICK_S
        outcome.writes += runs * (BATCH / TURN_S + BEAT / BEAT_S) * TICK_S
        for host in [n for n in range(hosts) if free_at[n] <= now]:
            if working[host]:
                _write(outcome, heat, END, f"running#{draw.randrange(SHARDS)}", f"done#{draw.randrange(SHARDS)}")
                outcome.reads += END_READS
                working[host] = False
            if now - looked[host] >= LOOK_EVERY_S:
                outcome.reads, looked[host] = outcome.reads + LOOK_READS + runs * (1 + ENTRY_UNITS), now
            working[host] = _claim(outcome, heat, draw, ready, now)
            free_at[host] = now + (draw.expovariate(1 / length_s) if working[host] else POLL_S)
    _cool(outcome, heat)
    outcome.writes, outcome.reads = outcome.writes / seconds, outcome.reads / seconds
    outcome.left = sum(map(len, ready))
    return outcome


def _claim(outcome: Outcome, heat: Counter[str], draw: random.Random, ready: list[list[float]], now: float) -> bool:
    """Let a host ask for a task; return whether it got one."""
    outcome.reads += ASK_READS
    seen = [(shard, at) for shard in range(SHARDS) for at in ready[shard][:LIMIT]]
    if not seen:
        return False
    outcome.claims += 1
    # Others of this tick take some of the same candidates: as many as there are claims in flight in their calls' time.
    rivals = outcome.claims / max(now, 1.0) * CLAIM_CALLS * CALL_MS / 1000
    tries = 1
    while tries < len(seen) and draw.random() < min(0.9, rivals / max(1, sum(map(len, ready)) + rivals)):
        tries += 1
    outcome.beaten += tries - 1
    shard, at = seen[draw.randrange(len(seen))]
    ready[shard].remove(at)
    delay = _write(outcome, heat, CLAIM + tries - 1, f"ready#{shard}", f"queued#{shard}", f"running#{shard}")
    outcome.reads += CLAIM_READS
    outcome.waits.append(now - at + (CLAIM_CALLS + 3 * (tries - 1)) * CALL_MS / 1000 + delay)
    return True


def _write(outcome: Outcome, heat: Counter[str], units: int, *keys: str) -> float:
    """Count a write and the index keys that it touches; return the seconds that it waits for the hottest of them."""
    outcome.writes += units
    heat.update(keys)
    over = max(heat[key] for key in keys) - KEY_WRITES
    outcome.throttled += over > 0
    return max(0, over) / KEY_WRITES


def _cool(outcome: Outcome, heat: Counter[str]) -> None:
    for key, count in heat.items():
        outcome.hottest[key] = max(outcome.hottest[key], count)
    heat.clear()


def _living(runs: int) -> float:
    """Read units a second of what runs: its heartbeats and batches look at fence and journal."""
    return runs * (BATCH_READS / TURN_S + BEAT_READS / BEAT_S)


def _poisson(draw: random.Random, mean: float) -> int:
    count, left = 0, draw.expovariate(1)
    while left < mean:
        count, left = count + 1, left + draw.expovariate(1)
    return count


def rows() -> Iterator[tuple[int, int, Outcome]]:
    """Yield the outcome for each number of hosts and each rate."""
    for hosts in HOSTS:
        for rate in RATES:
            yield hosts, rate, simulate(hosts, rate)


def main() -> int:
    """Simulate and print; returns the exit code."""
    shown = Shown(title="One table, a minute each, hosts busy to seven tenths")
    for heading in ("hosts", "tasks/s", "claimed after, median", "of 99 %", "beaten", "writes/s", "reads/s", "$ a day"):
        shown.add_column(heading, justify="right")
    shown.add_column("hottest key")
    shown.add_column("breaks first")
    for hosts, rate, found in rows():
        key, most = max(found.hottest.items(), key=lambda item: item[1])
        shown.add_row(
            f"{hosts}", f"{rate}", f"{found.wait_s(0.5):.2f} s", f"{found.wait_s(0.99):.2f} s",
            f"{found.beaten / max(1, found.claims):.1%}", f"{found.writes:,.0f}", f"{found.reads:,.0f}",
            f"{found.usd_a_day:,.2f}", f"{key} {most}/s", found.breaks,
        )  # fmt: skip
    Console(width=150).print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
