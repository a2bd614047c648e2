"""A sandbox that is made before there is something to run in it: making one takes ten times as long as starting a
program in one that stands.

What it is to run is brought into a folder that it sees, and a line on a pipe starts it. It runs one job and ends with
it. One that never gets a job ends when it is closed, or with the process that made it; then nothing of it is left.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """A program for the sandbox: its argv, what it reads on stdin, files to show it at /run/jada (name → content), and
    whether it may go out where settings open a way.
    """

    argv: Sequence[str]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    network: bool = False


class Waiting:
    """One sandbox, being made from its beginning on. `command` gives its argv for: the folder of what is brought, the
    descriptors of report, life, filter, and info where it `has_way_out`. Raises OSError where no process can be
    started.

    Make it in the main thread: bubblewrap's --die-with-parent follows the thread that starts it.
    """

    def __init__(
        self,
        folder: Path,
        filter_: bytes,
        command: Callable[[Path, int, int, int | None, int | None], list[str]],
        *,
        has_way_out: bool = False,
    ) -> None:
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as passed:
            self._brought = Path(tempfile.mkdtemp(dir=folder))
            undo.callback(shutil.rmtree, self._brought, ignore_errors=True)
            self.report, report = _pipe(undo, passed)
            self._life = undo.enter_context(contextlib.ExitStack())
            life, _ = _pipe(passed, self._life)
            calls = passed.enter_context(_memory_file(filter_)) if filter_ else None
            self._info: int | None = None
            info = None
            if has_way_out:
                self._info, info = _pipe(undo, passed)
            self.process = subprocess.Popen(
                command(self._brought, report, life, calls, info),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[fd for fd in (report, life, calls, info) if fd is not None],
                env={"PATH": os.defpath},
                process_group=0,
            )
            kept = undo.pop_all()
        try:
            # Can be read once its first process is gone.
            self.gone = os.pidfd_open(self.process.pid)
        except OSError:
            _end(self.process, kept)
            raise
        kept.callback(os.close, self.gone)
        # Also when the interpreter ends: a sandbox must not outlive its session, not even half made.
        self.close = weakref.finalize(self, _end, self.process, kept)
        """End it, whatever it does, and remove what was brought to it."""

    def has_ended(self) -> bool:
        """Whether its first process is gone. Where that was killed while it made the sandbox, the rest of it would wait
        for ever, or run without it, with our pipes open: it is killed.
        """
        if not select.select([self.gone], [], [], 0)[0]:
            return False
        _kill(self.process)
        # The rest may stand already, in a session of its own, and then looks for this end.
        self._life.close()
        return True

    def process_inside(self) -> int | None:
        """Return the number of the first process inside, as bubblewrap says it; None of one that could not be made."""
        said = b""
        while self._info is not None:
            # In several pieces, and the end does not come: bubblewrap keeps it open.
            ready = select.select([self._info, self.gone], [], [])[0]
            more = os.read(self._info, 4096) if self._info in ready else b""
            if not more:
                return None
            said += more
            with contextlib.suppress(ValueError):
                return int(json.loads(said)["child-pid"])
        return None

    def start(self, job: Job) -> bool:
        """Let it run a job; False when it has died meanwhile, and the job did not begin. Raises OSError."""
        if self.has_ended():
            return False
        argv = b"".join(os.fsencode(word) + b"\0" for word in job.argv)
        for name, content in {**job.files, "argv": argv, "stdin": job.stdin}.items():
            (self._brought / name).write_bytes(content)
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.close()
        except BrokenPipeError:
            return False
        return True


def _end(process: subprocess.Popen[bytes], kept: contextlib.ExitStack) -> None:
    """Kill a sandbox whether it is made or not. Made, it is a pid namespace that dies with bwrap. Before that, bwrap's
    second process waits for a uid map that only the first one writes: for ever, unless the whole group is killed.
    """
    _kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        # Closing flushes what is still to be written, and its reader is gone.
        with contextlib.suppress(BrokenPipeError):
            if pipe:
                pipe.close()
    kept.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)  # its number is its own until it is waited for


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    reader, writer = os.pipe()
    reading.callback(os.close, reader)
    writing.callback(os.close, writer)
    return reader, writer


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    fd = os.memfd_create("jada", os.MFD_CLOEXEC)
    try:
        os.write(fd, content)
        # A child shares the offset, and would begin to read at the end.
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
