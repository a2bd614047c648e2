"""Measure what pages that stay open cost: `python -m bench.streams`.

So many browsers read the live front page and nothing happens; then the dashboard is told to end.
"""

import os
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import ours
from bench.reader import Reader

READERS = 500
MOST_MB, MOST_S = 50, 3
"""What the readers may take together, and how long an end may take that they are open at."""


def main() -> int:
    """Open the streams, print what they cost; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir="/var/tmp") as name, ExitStack() as held:
        folder = Path(name)
        (folder / "state").mkdir()
        with ours.dashboard(folder, folder / "state") as client:
            process = Path("/proc") / Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()[0]
            cookie = Reader(client).cookie
            held.enter_context(_reader(folder, cookie))  # what the first one loads is no reader's cost
            before = _megabytes(process)
            for _ in range(READERS - 1):
                held.enter_context(_reader(folder, cookie))
            time.sleep(15)
            more, cpu = _megabytes(process) - before, _cpu_s(process)
            time.sleep(20)
            cpu = (_cpu_s(process) - cpu) / 20
            ending = time.monotonic()
        took = time.monotonic() - ending
    sys.stdout.write(
        f"{READERS} idle readers of the live front page: {more:.1f} MB more (PSS) than one, at most {MOST_MB};"
        f" {cpu:.1%} of a CPU; the dashboard, told to end, ended in {took:.1f} s, at most {MOST_S}\n"
    )
    return 0 if more <= MOST_MB and took <= MOST_S else 1


def _reader(folder: Path, cookie: str) -> socket.socket:
    """Open a stream and wait for its first news."""
    reader = socket.socket(socket.AF_UNIX)
    reader.settimeout(30)
    reader.connect(str(folder / "queue.sock"))
    reader.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
    heard = b""
    while b"event: standing" not in heard:
        part = reader.recv(65536)
        if not part:
            raise RuntimeError(f"a stream ended: {heard[:200]!r}")
        heard += part
    return reader


def _megabytes(process: Path) -> float:
    lines = (process / "smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def _cpu_s(process: Path) -> float:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
