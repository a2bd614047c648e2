"""AWS's own DynamoDB Local as a program on this machine: what it acknowledged is in its folder, also after SIGKILL."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from local.ports import reserved
from local.process import wait_until

STARTS_WITHIN_S = 90.0
"""Three seconds on an idle machine."""
_ENDED_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--") if sys.platform == "linux" else ()
"""Java does not look for its parent: of a program that a signal ended it would stay for ever."""


class NotStarted(RuntimeError):
    """The server did not answer; the text has its last words."""


@contextmanager
def running(library: Path, folder: Path, *, in_memory: bool = False) -> Iterator[str]:
    """Run a server on a free port of this machine, and yield its address; it ends with the thread that runs it.

    It keeps its tables in `folder`, where another one finds them again, or, `in_memory`, nowhere. Its log is there too.
    Raises `NotStarted`.
    """
    log = folder / "server.log"
    with (
        reserved() as port,
        log.open("ab") as out,
        subprocess.Popen(
            [*_ENDED_WITH_US, *command(library, None if in_memory else folder, port)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, env=surroundings(folder),
        ) as process,
    ):  # fmt: skip
        try:
            answered = wait_until(lambda: process.poll() is not None or answers("127.0.0.1", port), STARTS_WITHIN_S)
            if not answered or process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace")[-1000:]
                raise NotStarted(f"DynamoDB Local did not answer within {STARTS_WITHIN_S:.0f} s: {said}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment of a server; with a telemetry file of its own it would also write to the user's home."""
    return {**os.environ, "HOME": str(folder), "DDB_LOCAL_TELEMETRY": "0"}


def command(library: Path, folder: Path | None, port: int) -> list[str]:
    """Return the command line of a server; without a folder it keeps nothing."""
    # Small: a demo and a run of tests have one each. -disableTelemetry: nothing is told to its maker.
    # The quick compiler only: over the minutes that it runs here, the thorough one takes more time than it saves.
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={library}"]
    server = ["-cp", f"{library}/*", "software.amazon.dynamodb.services.local.main.ServerRunner"]
    # -sharedDb: the same tables for every region and key.
    kept = ["-dbPath", str(folder)] if folder else ["-inMemory"]
    return [*java, *server, *kept, "-sharedDb", "-disableTelemetry", "-port", str(port)]


def answers(address: str, port: int) -> bool:
    """Whether something listens there."""
    with suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False
