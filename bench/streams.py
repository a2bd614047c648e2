"""Measure what pages that stay open cost: `python -m bench.streams`.

So many browsers read the live front page and nothing happens; then the dashboard is told to end.
"""

import os
import re
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import urllib3

from bench import ours
from dashboard.signin import COOKIE
from wire.client import Client

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
            port, cookie = _signed_in(client)
            held.enter_context(_reader(port, cookie))  # what the first one loads is no reader's cost
            before = _megabytes(process)
            for _ in range(READERS - 1):
                held.enter_context(_reader(port, cookie))
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


def _signed_in(client: Client) -> tuple[int, str]:
    url = client._url  # noqa: SLF001 - the page has no client
    code = client.invite("bench").path.rpartition("/")[2]
    headers = {"Origin": url, "Content-Type": "application/x-www-form-urlencoded"}
    answer = urllib3.request("POST", f"{url}/sign-in", body=f"code={code}", headers=headers, redirect=False)
    found = re.match(rf"{COOKIE}=([^;]+);", answer.headers.get("Set-Cookie", ""))
    if not found:
        raise RuntimeError(f"signing in was answered by {answer.status}")
    return int(url.rpartition(":")[2]), found[1]


def _reader(port: int, cookie: str) -> socket.socket:
    """Open a stream and wait for its first news."""
    reader = socket.create_connection(("127.0.0.1", port), timeout=30)
    reader.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {COOKIE}={cookie}\r\n\r\n".encode())
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
