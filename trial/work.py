"""What the box must be able to do: one small task with the model, and one sheet in step with the bookings."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from trial.box import ROOT, Box
from trial.transcript import Transcript
from wire.client import Client, RequestRefused, Unreachable
from wire.types import AskedBudget, NewTask, State, SyncOutcome, SyncRun

TASK_LIMIT_S = 900
TUNNEL_LIMIT_S = 60
LOOK_EVERY_S = 1
ENDED = (State.DONE, State.FAILED, State.CANCELLED, State.NEEDS_YOU)
DESCRIPTION = """Write a file answer.txt whose only line is the sum of 19 and 23.
Look at it once with a command, and finish with that file."""


@dataclass
class Spent:
    """What the model has cost, as far as the queue has been told; it counts also when the trial fails afterwards."""

    model_usd: float = 0.0


class NotProven(Exception):
    """The box did not do what it must; the message says what it did instead."""


@contextlib.contextmanager
def queue(box: Box) -> Iterator[Client]:
    """Open the operator's tunnel to the box and yield a client of its queue."""
    log = (box.folder / "tunnel.log").open("wb")
    with log, _reserved() as port, tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/queue.sock"
        client = Client(f"unix:{path}", retries=5)
        command = ["fab", "dashboard", "--stack", box.stack, "--port", str(port), "--socket", path]
        with subprocess.Popen(command, env=box.env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True) as tunnel:
            try:
                _require_answer(client, tunnel, log.name)
                yield client
            finally:
                tunnel.terminate()


@contextlib.contextmanager
def _reserved() -> Iterator[int]:
    """Yield a port that is no other program's for the block: bound, not listened on, which ssh takes no offence at."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _require_answer(client: Client, tunnel: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + TUNNEL_LIMIT_S
    while tunnel.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(Unreachable, RequestRefused):
            if client.health().status == "ok":
                return
        time.sleep(LOOK_EVERY_S)
    raise NotProven(f"no tunnel to the queue: see {log}")


def one_task(client: Client, usd: float, spent: Spent, transcript: Transcript) -> None:
    """Have one task worked to its end; raises `NotProven` for any other end than done."""
    budget = AskedBudget(sessions=1, usd_micros=round(usd * 1_000_000))
    task = client.add_task(NewTask(title="Real check", description=DESCRIPTION, budget=budget))
    transcript.say(f"queued: {task.id}")
    deadline = time.monotonic() + TASK_LIMIT_S
    while task.state not in ENDED and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        task = client.task(task.id)
        spent.model_usd = task.usd_micros_spent / 1e6
    if task.state is not State.DONE:
        why = task.waiting.text if task.waiting else task.reason
        raise NotProven(f"the task came to {task.state}: {why or f'not ended in {TASK_LIMIT_S} s'}")
    transcript.say(f"done for ${spent.model_usd:.4f}: {task.result}")


def one_run(box: Box, client: Client, transcript: Transcript) -> SyncRun:
    """Run the sync as cron does, whatever it comes to; raises `NotProven` where it reports nothing."""
    before = client.sync_runs()[:1]
    box.fab(transcript, "ssh", "--command", "sudo systemctl start port-sheet-sync.service || true")
    run = client.sync_runs()[:1]
    if run == before:
        raise NotProven("the sync did not report a run: see `journalctl -u port-sheet-sync` on the box")
    return run[0]


def one_sheet(box: Box, client: Client, transcript: Transcript) -> None:
    """Run the sync twice, as cron does: the second run finds nothing to do, so the sheet is in step."""
    for expected in ((SyncOutcome.CHANGED, SyncOutcome.UNCHANGED), (SyncOutcome.UNCHANGED,)):
        run = one_run(box, client, transcript)
        transcript.say(f"{run.outcome}: {run.rows_read} bookings read, {run.added} added, {run.changed} changed")
        if run.outcome not in expected:
            raise NotProven(f"the sync came to {run.outcome}: {run.cause or ''} {run.cure or ''}")
