"""The worker beside the SDK's own runner, in one sandbox: `python -m bench.worker`, part of `make bench`.

A session of 30 turns, every step durable, against the runner that keeps nothing; what daemon and session take; what the
prompt cache saves over a task of two sessions; what a session sends to the queue. Each run is a process of its own.
"""

import argparse
import csv
import io
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from msgspec import structs
from pypdf import PdfWriter
from rich.console import Console
from rich.table import Table

from agent.record.journal import read
from agent.run import Work
from agent.settings import Settings
from bench import ours
from bench.idle import cpu_s, pss_mb
from bench.model import Model
from bench.relay import relay
from doubles.bookings.generator import season
from doubles.claude.messages import create
from local.serve import running
from wire.types import Budget, Event, EventKind, File, NewTask

TURNS = 30
THINK_S = (0.0, 0.1)
"""Seconds that the model thinks: not at all, which no model does, and a tenth of a second, which is fast for one."""
RUNNER, OURS = "the SDK's tool runner, nothing kept", "a session, every step durable"
MINI = "mini-swe-agent, its trajectory kept"
MOST_RATIO, MOST_PEAK_MB, MOST_IDLE_MB, MOST_CPU_S = 1.0, 85, 15, 1.8
LEAST_READ, MOST_FIRST = 0.8, 10_000
CACHED_FROM = 8
"""The turn from which on the cache is looked at: before it most of a prompt is new."""
BOOKINGS = 1000
DOCUMENT_MB, IMAGES, IMAGE_BYTES = 9, 4, 3_500_000
"""What a session with files is given, and looks at besides: more than a request may have."""
LONGEST_S = 120
IDLE_S = 6
STARTS = 3
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


@dataclass
class Loop:
    """What the runs of one loop took: seconds from first request to last answer, of the whole process; megabytes."""

    spans: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)


def main() -> int:
    """Measure all of it and print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each loop (default: %(default)s)")
    parser.add_argument("--mini", type=Path, help="a Python that has mini-swe-agent, which is then measured beside")
    parser.add_argument("--folder", type=Path, default="/var/tmp", help="a folder on a real disk (%(default)s)")  # noqa: S108 - kept across a boot, so on a disk
    asked = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir=asked.folder) as name:
        folder = Path(name)
        for think_s in THINK_S:
            loops = _loops(folder / f"think-{think_s}", think_s, asked.rounds, asked.mini)
            console.print(_beside(loops, think_s))
        console.print(
            _by_itself(_starts(folder / "host"), loops[OURS].peaks, _with_files(folder / "files", asked.rounds))
        )
        console.print(_cache(_long_task(folder / "task")))
    return 0


def _loops(folder: Path, think_s: float, rounds: int, mini: Path | None = None) -> dict[str, Loop]:
    """Let the loops have their turns, one after the other: what the machine does meanwhile meets all."""
    contenders: list[tuple[str, Callable[[Path, str], list[str]], Path]] = [
        (RUNNER, _runner, Path(sys.executable)),
        (OURS, _session, Path(sys.executable)),
        *([(MINI, _mini, mini)] if mini else []),
    ]
    loops = {name: Loop() for name, *_ in contenders}
    model = Model(TURNS, think_s)
    with running(model.app()) as url:
        for n in range(rounds):
            for name, command, python in contenders:
                place = folder / f"{n}-{command.__name__}"
                place.mkdir(parents=True)
                _measured(
                    [str(python), "-m", "bench.peak", str(place / "peak"), *command(place, url)],
                    place,
                    model,
                    loops[name],
                )
    return loops


def _measured(argv: Sequence[str], place: Path, model: Model, loop: Loop) -> None:
    (place / "anthropic_api_key").write_text("none\n", encoding="ascii")
    began = time.perf_counter()
    done = subprocess.run(
        argv,
        env={**os.environ, "CREDENTIALS_DIRECTORY": str(place)}, capture_output=True, text=True, check=False,
        timeout=LONGEST_S,
    )  # fmt: skip
    loop.walls.append(time.perf_counter() - began)
    # Each line of the workspace is a call that was run: a loop that stopped early would be fast.
    written = (place / "workspace" / "notes.txt").read_text("utf-8").count("\n")
    if done.returncode or written != TURNS - 1:
        raise RuntimeError(f"{argv}: exit {done.returncode}, {written} calls of {TURNS - 1}: {done.stderr[-2000:]}")
    loop.spans.append(model.span)
    loop.peaks.append(int((place / "peak").read_text("ascii")) / 2**20)


def _runner(place: Path, url: str) -> list[str]:
    (place / "workspace").mkdir()
    return ["bench.worker_peers", url, str(place / "workspace")]


def _mini(place: Path, url: str) -> list[str]:
    (place / "workspace").mkdir()
    return ["bench.worker_mini", url, str(place / "workspace")]


def _session(place: Path, url: str) -> list[str]:
    # One turn more than there are answers: the last one there is would be asked to hand over.
    settings = Settings(claude_url=url, turns=TURNS + 1)
    todo = Work(place, settings, Budget(sessions=1, usd_micros=10_000_000))
    todo.begin("Write the lines.", "", ())
    return ["agent.session", str(todo.prepare())]


@dataclass
class Shown:
    """Peaks of sessions that show files, in megabytes, and the largest request, in bytes."""

    peaks: list[float] = field(default_factory=list)
    largest: int = 0


def _with_files(folder: Path, rounds: int) -> Shown:
    """Let sessions be given a PDF and look at images until a request is as large as it may be."""
    shown = Shown()
    model = Model(2 * IMAGES + 1, call=_draw_or_look)
    document = File(name="rates.pdf", content=_paper(DOCUMENT_MB << 20))
    with running(model.app()) as url:
        for n in range(rounds):
            place = folder / str(n)
            place.mkdir(parents=True)
            (place / "anthropic_api_key").write_text("none\n", encoding="ascii")
            todo = Work(place, Settings(claude_url=url), Budget(sessions=1, usd_micros=90_000_000))
            todo.begin("Look at the files.", "", (document,))
            done = subprocess.run(
                [sys.executable, "-m", "bench.peak", str(place / "peak"), "agent.session", str(todo.prepare())],
                env={**os.environ, "CREDENTIALS_DIRECTORY": str(place)}, capture_output=True, text=True, check=False,
                timeout=LONGEST_S,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"exit {done.returncode}: {done.stderr[-2000:]}")
            shown.peaks.append(int((place / "peak").read_text("ascii")) / 2**20)
    shown.largest = model.largest
    return shown


def _draw_or_look(turn: int) -> tuple[str, dict[str, str]]:
    """Make an image at odd turns, look at it at even ones."""
    name = f"plan-{(turn + 1) // 2}.png"
    if turn % 2 == 0:
        return "str_replace_based_edit_tool", {"command": "view", "path": name}
    head = "".join(f"\\x{byte:02x}" for byte in b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\3\xe8\0\0\3\xe8")
    return "bash", {"command": f"{{ printf '{head}'; head -c {IMAGE_BYTES} /dev/urandom; }} >{name}"}


def _paper(size: int) -> bytes:
    """A PDF of one page that carries so many bytes which nothing makes smaller."""
    writer, out = PdfWriter(), io.BytesIO()
    writer.add_blank_page(300, 300)
    writer.add_attachment("ballast", os.urandom(size))
    writer.write(out)
    return out.getvalue()


@dataclass
class Starts:
    """What daemon and session took by themselves: megabytes idle, before and after a task, and of the latter its own;
    CPU from claim to first request; KB of journal sent, plain and packed.
    """

    idle: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    packed: list[float] = field(default_factory=list)


def _starts(folder: Path) -> Starts:
    """Let a daemon find a task in a queue, some times."""
    # Whoever is first compiles what is imported on the way, and keeps the memory: on a host the deploy compiles.
    _start(folder / "first", Starts(), packs=False)
    starts = Starts()
    for n in range(2 * STARTS):
        _start(folder / str(n), starts, packs=n % 2 == 1)
    return starts


def _start(place: Path, starts: Starts, *, packs: bool) -> None:
    """Start a dashboard and a daemon, give them a task, and add what they took."""
    (place / "state").mkdir(parents=True)
    (place / "anthropic_api_key").write_text("none\n", encoding="ascii")
    with ours.dashboard(place, place / "state") as client:
        used: list[float] = []
        model = Model(TURNS, first=lambda: used.append(_cpu_of_all(daemon)))
        sent = starts.packed if packs else starts.sent
        counting = relay(place / "counted.sock", place / "queue.sock", packed=packs)
        with running(model.app()) as url, counting as counted, _daemon(place, url) as daemon:
            time.sleep(IDLE_S)
            starts.idle.append(pss_mb(daemon))
            before = _cpu_of_all(daemon)
            task = client.add_task(NewTask(title="Write the lines."))
            _until(lambda: client.task(task.id).state == "done")
            time.sleep(IDLE_S)
            starts.again.append(pss_mb(daemon))
            starts.own.append(pss_mb(daemon, "Anonymous"))
        starts.cpu.append(used[0] - before)
        sent.append(counted.journal / 1024)


@contextmanager
def _daemon(place: Path, url: str) -> Iterator[int]:
    """Run the daemon over the queue of a folder; yields its process."""
    settings = [
        "[agent]",
        f'dashboard_url = "unix:{place}/counted.sock"',
        f'claude_url = "{url}"',
        "poll_seconds = 1",
        f"turns = {TURNS + 1}",
        # A way out that no call takes: what it costs must not be in an idle daemon.
        "[agent.egress]",
        'allow = ["packages.example.com"]',
    ]
    (place / "agent.toml").write_text("\n".join(settings))
    command = [sys.executable, "-m", "agent", "--settings", str(place / "agent.toml"), "--state", str(place / "agent")]
    with (place / "agent.log").open("w") as said:
        env = {**ours.from_bytecode(place.parent), "CREDENTIALS_DIRECTORY": str(place)}
        # It compiles what it imports.
        subprocess.run([*command, "--help"], env=env, stdout=subprocess.DEVNULL, check=True)
        process = subprocess.Popen(command, env=env, stderr=said)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _cpu_of_all(process: int) -> float:
    """CPU seconds of a process and of those that it started and that still run, theirs that ended included."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    return cpu_s(process, ended=True) + sum(_cpu_of_all(int(one)) for one in children)


def _until(met: Callable[[], bool], seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not met():
        if time.monotonic() > ends:
            raise RuntimeError(f"it did not come to that in {seconds:.0f} s")
        time.sleep(0.1)


def _long_task(folder: Path) -> list[list[Event]]:
    """Let a task outlast a session, at the double of Claude, whose usage counts a prompt cache; return the journals."""
    folder.mkdir()
    bookings = File(name="bookings.csv", content=_bookings())
    with running(create(folder)) as url:
        settings = Settings(claude_url=url)
        todo = Work(folder, settings, Budget(sessions=2, usd_micros=20_000_000))
        todo.begin("Check every booking", "Check bookings.csv.", (bookings,))
        (folder / "anthropic_api_key").write_text("none\n", encoding="ascii")
        while True:
            session = todo.prepare()
            subprocess.run(
                [sys.executable, "-m", "agent.session", str(session)],
                env={**os.environ, "CREDENTIALS_DIRECTORY": str(folder)}, capture_output=True, check=False,
            )  # fmt: skip
            last = read(session / "journal.jsonl")[-1]
            if last.data["exit"] != 1 or not todo.go_on(str(last.data["checkpoint"])):
                break
    return [read(path) for path in sorted(folder.glob("session-*/journal.jsonl"))]


def _bookings() -> bytes:
    text = io.StringIO()
    rows = [structs.asdict(booking) for booking in season(1, date(2026, 1, 1), BOOKINGS)]
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read_share(events: Sequence[Event], first: int = CACHED_FROM) -> float:
    """Return which part of a session's input, from its turn `first` on, was read from the cache."""
    usages = [event.data["usage"] for event in events if event.kind is EventKind.SETTLE][first - 1 :]
    whole = sum(usage.get(name) or 0 for usage in usages for name in _INPUT)
    return sum(usage.get("cache_read_input_tokens") or 0 for usage in usages) / whole if whole else math.nan


def first_request(events: Sequence[Event]) -> int:
    """Return the tokens of a session's first request."""
    usage = next(event.data["usage"] for event in events if event.kind is EventKind.SETTLE)
    return sum(usage.get(name) or 0 for name in _INPUT)


def _beside(loops: dict[str, Loop], think_s: float) -> Table:
    shown = Table("", title=f"{TURNS} turns with a bash call each, a model that thinks for {think_s * 1000:.0f} ms")
    for heading in ("first request to last answer", "ms a turn", "× runner", "target", "whole process", "peak"):
        shown.add_column(heading, justify="right")
    for name, loop in loops.items():
        span = statistics.median(loop.spans)
        ratio = statistics.median(one / other for one, other in zip(loop.spans, loops[RUNNER].spans, strict=True))
        target = _judged(f"≤ {MOST_RATIO:g} ×", ratio <= MOST_RATIO) if name == OURS else ""
        wall, peak = statistics.median(loop.walls), max(loop.peaks)
        turn = (span - think_s * TURNS) * 1000 / TURNS
        shown.add_row(name, f"{span:.2f} s", f"{turn:.1f}", f"{ratio:.2f}", target, f"{wall:.2f} s", f"{peak:.0f} MB")
    return shown


def _by_itself(starts: Starts, peaks: Sequence[float], files: Shown) -> Table:
    shown = Table("", title=f"daemon and session, {STARTS} starts")
    for heading in ("median", "most", "target"):
        shown.add_column(heading, justify="right")
    for name, figures, most, unit in (
        (f"memory (PSS) of the daemon, idle, {IDLE_S} s after its start", starts.idle, MOST_IDLE_MB, "MB"),
        (f"the same, {IDLE_S} s after a task", starts.again, MOST_IDLE_MB, "MB"),
        ("of it no other process can share (anonymous)", starts.own, None, "MB"),
        ("CPU from the claim to the first request, daemon and session", starts.cpu, MOST_CPU_S, "s"),
        (f"peak memory of a session of {TURNS} turns", peaks, MOST_PEAK_MB, "MB"),
        (f"the same with files, requests of {files.largest / 1e6:.0f} MB", files.peaks, MOST_PEAK_MB, "MB"),
        (f"journal sent to the queue by a session of {TURNS} turns, as it is", starts.sent, None, "KB"),
        ("the same, packed", starts.packed, None, "KB"),
    ):
        median = statistics.median(figures)
        target = "" if most is None else _judged(f"≤ {most:g} {unit}", max(figures) <= most)
        shown.add_row(name, f"{median:.2f} {unit}", f"{max(figures):.2f} {unit}", target)
    return shown


def _cache(journals: Sequence[Sequence[Event]]) -> Table:
    shown = Table("", title="a task of two sessions, at the double of Claude with its prompt cache")
    for heading in ("turns", f"input read from the cache, from turn {CACHED_FROM} on", "first request"):
        shown.add_column(heading, justify="right")
    for n, events in enumerate(journals, start=1):
        turns = sum(event.kind is EventKind.SETTLE for event in events)
        share, tokens = read_share(events), first_request(events)
        # A session that ends before has nothing to be judged by: its share is no number.
        cached = (
            f"{share:.0%}, {_judged(f'≥ {LEAST_READ:.0%}', not share < LEAST_READ)}" if turns >= CACHED_FROM else ""
        )
        first = f"{tokens:,} tokens, {_judged(f'≤ {MOST_FIRST:,}', tokens <= MOST_FIRST)}"
        shown.add_row(f"session {n}", str(turns), cached, first)
    return shown


def _judged(target: str, met: bool) -> str:  # noqa: FBT001 - the one thing that it says
    return target + ("" if met else " missed")


if __name__ == "__main__":
    sys.exit(main())
