"""Measure the page of a task with a long journal: `python -m bench.journal`."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench import ours
from bench.idle import child
from bench.reader import Reader
from wire.types import Batch, ClaimRequest, Event, EventKind, NewTask

MEGABYTES, READERS, LOOKS = 20, 20, 60
BATCH = 1_000_000
"""Bytes that an agent sends at once."""
TURNS = 30


def main() -> int:
    """Deliver a long journal, read its task's page, print figures; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        with ours.dashboard(folder, folder / "state") as client:
            client.add_task(NewTask(title="long"))
            held = client.claim(ClaimRequest(host="bench"))
            if held is None:
                raise RuntimeError("the task that was added cannot be claimed")
            for batch in _batches():
                client.deliver(held.session.id, Batch(fence=held.lease.fence, events=batch))
            _report(Reader(client), f"/tasks/{held.task.id}")
    return 0


def _batches() -> Iterator[tuple[Event, ...]]:
    """A session of 30 turns whose tools say much, in batches as they are sent."""
    words = " ".join(f"row {n}: 2026-05-13, room {n % 40}, 129.00" for n in range(3000))
    size = MEGABYTES * 1_000_000 // TURNS
    batch: list[Event] = []
    length = n = 0
    for turn in range(1, TURNS + 1):
        calls = [{"type": "tool_use", "id": f"u{turn}-{i}", "name": "bash", "input": {"command": "ls"}} for i in (1, 2)]
        message = {"content": [{"type": "text", "text": "I look."}, *calls]}
        results = [{"tool_use_id": f"u{turn}-{i}", "content": words[: size // 4]} for i in (1, 2)]
        stream = [{"events": [{"type": "delta", "text": words[:10_000]}]}] * (size // 20_000)
        kinds: list[tuple[EventKind, dict[str, Any]]] = [
            (EventKind.RESERVE, {"turn": turn, "usd_micros": 9}),
            *[(EventKind.STREAM, data) for data in stream],
            (EventKind.SETTLE, {"turn": turn, "usd_micros": 7, "message": message}),
            *[(EventKind.TOOL_RESULT, data) for data in results],
        ]
        for kind, data in kinds:
            n += 1
            event = Event(n=n, at="2026-05-13T12:00:00Z", kind=kind, data=data)
            if length > BATCH - 200_000:
                yield tuple(batch)
                batch, length = [], 0
            batch.append(event)
            length += len(str(data))
    yield tuple(batch)


def _report(reader: Reader, path: str) -> None:
    process = child()
    first, size = reader.look(path)
    before, took = _peak(process), sorted(reader.look(path)[0] for _ in range(LOOKS))
    with ThreadPoolExecutor(READERS) as readers:
        crowd = sorted(readers.map(lambda _: reader.look(path)[0], range(READERS * 3)))
    sys.stdout.write(
        f"a journal of {MEGABYTES} MB, a page of {size / 1000:.0f} kB: first {first:.0f} ms,"
        f" median {statistics.median(took):.0f} ms, p95 {took[int(LOOKS * 0.95)]:.0f} ms;"
        f" {READERS} readers at once: p95 {crowd[int(len(crowd) * 0.95)]:.0f} ms,"
        f" {_peak(process) - before:.0f} MB more at the peak than after one look ({before:.0f} MB)\n"
    )


def _peak(process: int) -> float:
    line = next(
        line
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
