"""Our queue, in this process over its store and over HTTP against the program that a host runs."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.contender import DESCRIPTION, TITLE
from dashboard.queue import Queue
from dashboard.settings import Settings
from dashboard.stores.sqlite import SqliteStore
from wire.client import Client
from wire.types import Claim, ClaimRequest, Exit, NewTask, SessionEnd, State, Task

STARTS_WITHIN_S = 30


class Calls(Protocol):
    """The two calls that the queue and its client have in common."""

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Claim the next task."""

    def end(self, session_id: str, end: SessionEnd) -> Task:
        """Complete it."""


class Worker:
    """Claims and completes, through the queue itself or through its client."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def work(self, pairs: int) -> None:
        """Claim and complete so many tasks."""
        for _ in range(pairs):
            claim = self._calls.claim(ClaimRequest(host="bench"))
            if claim is None:
                raise RuntimeError("the queue is empty: it must be filled with more tasks than the rounds take")
            done = self._calls.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=Exit.FINISHED))
            if done.state is not State.DONE:
                raise RuntimeError(f"task {done.id} is {done.state}, not done: the pair was no pair")


@contextmanager
def queue(folder: Path) -> Iterator[Queue]:
    """Open the queue that is kept in a folder."""
    folder.mkdir(exist_ok=True)
    store = SqliteStore(folder / "queue.db")
    try:
        yield Queue(store, Settings(), lambda: datetime.now(UTC))
    finally:
        store.close()


def fill(folder: Path, tasks: int, step: Callable[[], None]) -> None:
    """Queue so many tasks; `step` is called after each."""
    with queue(folder) as filled:
        for n in range(tasks):
            filled.add(NewTask(title=f"{TITLE} {n}", description=DESCRIPTION))
            step()


def copy(filled: Path, to: Path) -> None:
    """Copy a closed queue: filling one takes longer than all that is measured."""
    shutil.copytree(filled, to)


def from_bytecode(folder: Path) -> dict[str, str]:
    """Return the environment of a program that its first start compiles, as a release on a host is: reading source
    takes a second and megabytes.
    """
    return {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}


@contextmanager
def dashboard(folder: Path, state: Path) -> Iterator[Client]:
    """Run `python -m dashboard` over a filled queue and yield a client of it."""
    (folder / "jada.toml").write_text(f'[dashboard]\nsocket = "{folder}/queue.sock"\n')
    command = [sys.executable, "-m", "dashboard", "--settings", str(folder / "jada.toml"), "--state", str(state)]
    log = folder / "dashboard.log"
    with log.open("w") as said, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        (folder / "ready").unlink(missing_ok=True)
        ready.bind(str(folder / "ready"))
        ready.settimeout(STARTS_WITHIN_S)
        env = {**from_bytecode(folder), "NOTIFY_SOCKET": str(folder / "ready")}
        process = subprocess.Popen(command, env=env, stderr=said)
        try:
            _require_ready(ready, log)
            yield Client(f"unix:{folder}/queue.sock")
        finally:
            process.terminate()
            process.wait()


def _require_ready(ready: socket.socket, log: Path) -> None:
    try:
        ready.recv(100)
    except TimeoutError as error:
        raise RuntimeError(f"the dashboard did not start in {STARTS_WITHIN_S} s: {log.read_text()}") from error
