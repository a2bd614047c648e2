"""The sync beside those who write sheets, on one double: `python -m bench.sync`, part of `make bench`.

Each contender's run is a process of its own: its calls and bytes are counted at the double, its peak memory and its CPU
time are what the kernel says when it ends. All take turns several times, each time from nothing, and the least CPU
counts: what else the machine does only adds to it.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import urllib3
from rich.console import Console
from rich.table import Table

from bench.sheet_peers import PEERS, Rows
from doubles.bookings.dataset import load
from doubles.bookings.generator import season
from doubles.google.services import create
from local.serve import running

COLUMNS = (
    *("id", "hotel", "room_type", "guest", "arrival", "departure", "nights"),
    *("adults", "children", "meal", "country", "channel", "status", "rate"),
)
OURS = "jada sync"
PHASES = ("first", "same", "some")
SAID = {"first": "first load, an empty tab", "same": "nothing changed", "some": "1 % changed"}
TARGETS = {
    "first": "calls ≤ 5, up ≤ 1.7 MB, CPU ≤ gspread × 1.2",
    "same": "1 token + 1 read, 0 writes, ≤ 80 MB, CPU ≤ gspread × 1.2",
    "some": "1 token + 5 calls, ≤ 85 MB, CPU ≤ gspread × 1.2",
}
_HTTP = urllib3.PoolManager()


@dataclass
class Counted:
    """An application that counts what comes and goes; what the bench itself asks (below `/_local`) does not count."""

    app: Callable[..., Any]
    calls: list[str] = field(default_factory=list)
    up: int = 0
    down: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the application does, and count."""
        if scope["type"] != "http" or scope["path"].startswith("/_local"):
            await self.app(scope, receive, send)
            return
        self.calls.append(f"{scope['method']} {scope['path']}")

        async def taken() -> Any:
            message = await receive()
            self.up += len(message.get("body", b""))
            return message

        async def given(message: Any) -> None:
            self.down += len(message.get("body", b""))
            await send(message)

        await self.app(scope, taken, given)

    def begin(self) -> None:
        """Count from nothing."""
        self.calls.clear()
        self.up = self.down = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What a contender is to do in a phase, to which spreadsheet, with which bookings."""

    name: str
    phase: str
    spreadsheet: str
    rows: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run came to."""

    calls: int
    tokens: int
    up: int
    down: int
    cpu: float
    peak: int


def main() -> int:
    """Measure each contender in each phase, and print the table; exit code 1 when a run failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.sync", description="The sync beside its peers, in one run.")
    parser.add_argument("--rows", type=int, default=10_000, help="bookings of 14 fields and our state (%(default)s)")
    parser.add_argument(
        "--turns", type=int, default=3, help="of each contender, of which the best counts (%(default)s)"
    )
    parser.add_argument(
        "--file", type=Path, help="real bookings in place of made ones: hotel_bookings.csv, as published"
    )
    options = parser.parse_args()
    bookings = _bookings(options.rows, options.file)
    rows = len(bookings[0])
    console = Console(width=120)
    shown = Table(title=f"{rows:,} rows × {len(COLUMNS) + 1} columns, the same double for all")
    for heading in ("", "", "calls", "of them token", "MB up", "MB down", "CPU s", "peak MB"):
        shown.add_column(heading, justify="left" if not heading else "right")
    with tempfile.TemporaryDirectory(prefix="jada-bench-") as folder, _google(Path(folder)) as (counted, url):
        turns = [_turn(Path(folder), counted, url, (number, *bookings)) for number in range(options.turns)]
    for phase in PHASES:
        for name in (OURS, *PEERS):
            best = min((turn[phase, name] for turn in turns), key=lambda found: found.cpu)
            shown.add_row(*_row(name, SAID[phase] if name == OURS else "", best))
        shown.add_section()
    console.print(shown)
    for phase in PHASES:
        console.print(f"target of ours, {SAID[phase]}: {TARGETS[phase]}")
    return 0


def _turn(folder: Path, counted: Counted, url: str, what: tuple[int, Rows, Rows]) -> dict[tuple[str, str], Figures]:
    """Let each contender do each phase, with a spreadsheet of its own for this turn."""
    number, before, after = what
    home, found = folder / str(number), {}
    for phase in PHASES:
        for name in (OURS, *PEERS):
            work = Work(name, phase, _spreadsheet(url, f"{name}-{number}"), after if phase == "some" else before)
            found[phase, name] = (_ours if name == OURS else _peer)(home, counted, url, work)
    return found


def _row(name: str, phase: str, found: Figures) -> list[str]:
    sizes = (f"{found.up / 1e6:.2f}", f"{found.down / 1e6:.2f}", f"{found.cpu:.2f}", f"{found.peak / 1e6:.0f}")
    return [phase, name, str(found.calls), str(found.tokens), *sizes]


@contextmanager
def _google(folder: Path) -> Iterator[tuple[Counted, str]]:
    counted = Counted(create(folder / "google"))
    with running(counted) as url:
        yield counted, url


def _bookings(count: int, file: Path | None) -> tuple[list[list[Any]], list[list[Any]]]:
    """The bookings, so many or those of a file, before and after 1 % of them changed."""
    today = date(2026, 1, 1)
    found = load(file, today) if file else season(1, today, count)
    before = [[getattr(booking, name) for name in COLUMNS] for booking in found]
    cells = [[str(cell) if not isinstance(cell, int) else cell for cell in row] for row in before]
    after = [[*row[:3], f"{row[3]} jr", *row[4:]] if n % 100 == 0 else row for n, row in enumerate(cells)]
    return cells, after


def _ours(home: Path, counted: Counted, url: str, work: Work) -> Figures:
    if work.phase == "first":
        for each in ("state", "secrets"):
            (home / each).mkdir(parents=True)
        token = _HTTP.request("POST", f"{url}/_local/tokens", json={}).json()
        (home / "secrets" / "port_sheet_token.json").write_text(json.dumps(token), encoding="utf-8")
        (home / "secrets" / "dashboard_token").write_text("none", encoding="utf-8")
        (home / "jada.toml").write_text(_settings(home, url, work.spreadsheet), encoding="utf-8")
    with (home / "bookings.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *work.rows])
    command = ["sync", "--settings", str(home / "jada.toml"), "--state", str(home / "state")]
    # No dashboard: the exit code then says that no user was told, and the line before it that the sheet is in step.
    return _measured(command, b"", counted, {"CREDENTIALS_DIRECTORY": str(home / "secrets")}, "in step, verified")


def _settings(home: Path, url: str, spreadsheet: str) -> str:
    return f"""[sync]
spreadsheet_id = "{spreadsheet}"
worksheet = "Sheet1"
sheets_url = "{url}/v4/spreadsheets"
token_url = "{url}/token"
dashboard_url = "unix:{home / "dashboard.sock"}"
columns = {json.dumps(COLUMNS)}
[sync.source]
kind = "file"
path = "{home / "bookings.csv"}"
format = "csv"
"""


def _peer(_home: Path, counted: Counted, url: str, work: Work) -> Figures:
    token = _HTTP.request("POST", f"{url}/_local/tokens", json={}).json()["token"]
    given = {"token": token, "columns": [*COLUMNS, "sync_state"], "rows": [[*row, "live"] for row in work.rows]}
    command = ["bench.sheet_peers", work.name, work.phase, url, work.spreadsheet]
    return _measured(command, json.dumps(given).encode(), counted, {}, "")


def _environment(more: dict[str, str]) -> dict[str, str]:
    """Byte code is kept, as it is on a host: compiling each module anew is not what is measured."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "jada-bench-bytecode"), **more}


def _spreadsheet(url: str, name: str) -> str:
    """Each contender has a spreadsheet of its own; it is made once."""
    key = name.replace(" ", "-")
    _HTTP.request("POST", f"{url}/_local/spreadsheets", json={"id": key})
    return key


def _measured(command: Sequence[str], given: bytes, counted: Counted, env: dict[str, str], proof: str) -> Figures:
    counted.begin()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as fed, tempfile.NamedTemporaryFile() as peak:
        fed.write(given)
        fed.seek(0)
        program = [sys.executable, "-m", "bench.peak", peak.name, *command]
        process = subprocess.Popen(program, stdin=fed, stdout=out, stderr=subprocess.STDOUT, env=_environment(env))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode(errors="replace")
        most = int(Path(peak.name).read_text(encoding="ascii") or 0)
    if proof not in said or (not proof and process.returncode):
        sys.exit(f"bench: {' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    tokens = sum("/token" in call for call in counted.calls)
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(
        calls=len(counted.calls),
        tokens=tokens,
        up=counted.up,
        down=counted.down,
        cpu=cpu,
        peak=most,
    )


if __name__ == "__main__":
    sys.exit(main())
