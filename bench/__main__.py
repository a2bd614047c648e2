"""Measure the queue beside a peer: `python -m bench`, or `make bench`, which brings what it needs."""

import argparse
import os
import platform
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench import ours, postgres
from bench.contender import Contender
from bench.disk import OnMemory, require_disk
from bench.figures import Round, Target, in_turn, table
from bench.floor import Floor
from bench.peer import peer

STORE, HTTP, PEER, FLOOR = "store", "over HTTP", "procrastinate", "two bare commits"
TARGETS = {STORE: Target(ratio=3, cpu_ms=0.6), HTTP: Target(ratio=0.9)}


def main() -> int:
    """Fill every queue, work them in turns, print the table; returns the exit code."""
    args = _arguments()
    # Without this a SIGTERM would leave the cluster and the dashboard running.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    console = Console(width=120)
    try:
        require_disk(args.folder.resolve(), Path("/proc/self/mounts").read_text(encoding="utf-8"))
        with _contenders(args, console) as (contenders, version):
            results = _rounds(contenders, args, console)
    except (OnMemory, postgres.NoPostgres) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    console.print(table(results, PEER, TARGETS))
    console.print(
        f"{args.rounds} rounds of {args.pairs} after one that does not count, {args.tasks:,} tasks queued at first; "
        "ratios round by round: their median, and between what half of them lie; "
        f"{os.cpu_count()} CPUs, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {version}"
    )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The queue beside a peer, in one run.")
    parser.add_argument("--tasks", type=int, default=10_000, help="queued before the first round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (%(default)s)")
    parser.add_argument("--pairs", type=int, default=100, help="claims and completions in a turn (%(default)s)")
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="a folder on a real disk (%(default)s)")  # noqa: S108 - kept across a boot, so on a disk
    args = parser.parse_args()
    if args.rounds < 1 or args.pairs < 1 or args.tasks < (args.rounds + 1) * args.pairs:
        parser.error("there must be at least one round, one pair, and as many tasks as all rounds take, the first too")
    return args


@contextmanager
def _contenders(args: argparse.Namespace, console: Console) -> Iterator[tuple[Mapping[str, Contender], str]]:
    """Yield the filled queues by their names, and the peer's database; nothing of them is left afterwards."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="jada-bench-", dir=args.folder)))
        folder.chmod(0o711)  # the cluster runs as another user, which must get through to its own folder
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("filling the queue", total=args.tasks)
            ours.fill(folder / "store", args.tasks, lambda: progress.advance(task))
        ours.copy(folder / "store", folder / "http")
        cluster = ends.enter_context(postgres.cluster(folder / "postgres"))
        floor = Floor(folder / "floor", args.tasks)
        ends.callback(floor.close)
        contenders: dict[str, Contender] = {
            STORE: ours.Worker(ends.enter_context(ours.queue(folder / "store"))),
            PEER: ends.enter_context(peer(cluster.conninfo, args.tasks)),
            HTTP: ours.Worker(ends.enter_context(ours.dashboard(folder, folder / "http"))),
            FLOOR: floor,
        }
        yield contenders, cluster.version


def _rounds(contenders: Mapping[str, Contender], args: argparse.Namespace, console: Console) -> dict[str, list[Round]]:
    """Let each contender have its turn, round after round: what the machine does meanwhile then meets all of them.

    The first round does not count: each queue's log grows to its size then, and the peer's statements are prepared.
    """
    results: dict[str, list[Round]] = {name: [] for name in contenders}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=(args.rounds + 1) * len(contenders))
        for number in range(args.rounds + 1):
            for name in in_turn([*contenders], number):
                measured = _measured(contenders[name], args.pairs)
                if number:
                    results[name].append(measured)
                progress.advance(task)
    return results


def _measured(contender: Contender, pairs: int) -> Round:
    began, cpu = time.perf_counter(), time.process_time()
    contender.work(pairs)
    return Round(pairs=pairs, seconds=time.perf_counter() - began, cpu_seconds=time.process_time() - cpu)


if __name__ == "__main__":
    sys.exit(main())
