"""Measure what the dashboard takes by itself: CPU of its start, and memory: `python -m bench.idle`."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import ours
from bench.reader import Reader
from wire.types import NewTask

MOST_CPU_S, MOST_MB = 0.6, 32
STARTS, IDLE_S = 5, 10
PAGES, TASKS = ("/", "/tasks", "/add"), 20
"""What is looked at, and how many tasks are worked, before a dashboard is idle again."""


def main() -> int:
    """Start the dashboard some times, look at it, print what it took; returns the exit code."""
    starts: list[float] = []
    idle: list[float] = []
    used: list[float] = []
    own: list[float] = []
    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        with ours.dashboard(folder, folder / "state"):
            pass  # it compiles what it imports
        for _ in range(STARTS):
            with ours.dashboard(folder, folder / "state") as client:
                starts.append(cpu_s(child()))
                # Its first looks, which all come at the start, are over.
                time.sleep(IDLE_S)
                idle.append(pss_mb(child()))
                reader = Reader(client)
                for page in PAGES:
                    reader.look(page)
                for number in range(TASKS):
                    client.add_task(NewTask(title=f"task {number}"))
                ours.Worker(client).work(TASKS)
                time.sleep(IDLE_S)
                used.append(pss_mb(child()))
                own.append(pss_mb(child(), "Anonymous"))
    Console(width=120).print(_table(starts, idle, used, own))
    return 0


def child() -> int:
    """Return the process that this one started last and that still runs: the dashboard."""
    return int(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="utf-8").split()[0])


def cpu_s(process: int, *, ended: bool = False) -> float:
    """CPU seconds that a process has used, user and system; with those of its children that have `ended`."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


def pss_mb(process: int, field: str = "Pss") -> float:
    """Megabytes of a process, shared pages by its share; or only those that are `Anonymous`, whoever else runs."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:"))) / 1024


def _table(starts: list[float], idle: list[float], used: list[float], own: list[float]) -> Table:
    shown = Table("", title=f"the dashboard by itself, {STARTS} starts")
    for heading in ("median", "most", "target"):
        shown.add_column(heading, justify="right")
    for name, figures, most, unit in (
        ("CPU of a start, until it is ready", starts, MOST_CPU_S, "s"),
        (f"memory (PSS) idle, {IDLE_S} s later", idle, MOST_MB, "MB"),
        (f"memory (PSS) idle again, after {len(PAGES)} pages and {TASKS} tasks", used, MOST_MB, "MB"),
        ("of it no other process can share (anonymous)", own, None, "MB"),
    ):
        median = statistics.median(figures)
        target = "" if most is None else f"≤ {most:g} {unit}" + ("" if median <= most else " missed")
        shown.add_row(name, f"{median:.2f} {unit}", f"{max(figures):.2f} {unit}", target)
    return shown


if __name__ == "__main__":
    sys.exit(main())
