"""Run a program in a sandbox within time, memory and output; nothing of it is alive when the call returns."""

import contextlib
import math
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from agent.sandbox.command import FIRST_TO_DIE, bubblewrap, limited
from agent.settings import ToolLimits

REPORT_LIMIT = 64 * 1024
"""Bytes that a program inside may write, at $REPORT_FD, for us and not for the model."""
RESERVE, RESERVE_FILES = 64 * 1024 * 1024, 5000
"""Bytes and files that a call leaves on the workspace's disk: the journal and the queue need room for what comes."""
_CHUNK = 64 * 1024  # what a pipe holds
_LOOK_S = 0.02
"""How long a drain or a disk that fills may go unnoticed: a fast disk takes some 40 MB in this time."""


@dataclass(frozen=True, slots=True)
class Job:
    """A program for the sandbox: its argv, what it reads on stdin, files to show it (path inside → content)."""

    argv: Sequence[str]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: stdout and stderr together, `left_out` bytes less in the middle; its exit code, or None
    when it was ended: its time was up, or the disk was nearly `full`; what it reported.
    """

    head: bytes
    left_out: int
    tail: bytes
    code: int | None
    report: bytes
    full: bool = False


class SandboxUnavailable(Exception):
    """The sandbox itself can't start: a fault of the host, not of what was to run in it."""


class Sandbox:
    """Runs jobs over one workspace. `clock` is a monotonic time in seconds; `until` says by when all must have ended,
    asked again and again, because a drain moves it forward.
    """

    def __init__(
        self, workspace: Path, limits: ToolLimits, clock: Callable[[], float], until: Callable[[], float]
    ) -> None:
        self._workspace = workspace
        self._limits = limits
        self._clock = clock
        self._own_proc = True
        # Tried without the caller's end: one that has come already says nothing about the host.
        self._until: Callable[[], float] = lambda: math.inf
        self._own_proc = self._starts()
        self._until = until

    def run(self, job: Job, keep: int | None = None) -> Outcome:
        """Run a job to its end, or to the end of its time; `keep` bytes of output (from settings unless given)."""
        with contextlib.ExitStack() as files:
            stdin = files.enter_context(_memory_file(job.stdin))
            data = [(files.enter_context(_memory_file(content)), path) for path, content in job.files.items()]
            reader, writer = _pipe(files)
            life, _ours = _pipe(files)
            process = self._start(job, stdin, data, writer.fileno(), life.fileno())
            # Our own end must be closed, or the reader would never see the report's end.
            writer.close()
            return self._collect(process, reader.fileno(), keep or self._limits.output_kb * 1024)

    def _start(
        self, job: Job, stdin: int, data: Sequence[tuple[int, str]], report: int, life: int
    ) -> subprocess.Popen[bytes]:
        memory = self._limits.memory_mb
        inside = limited(job.argv, memory_mb=memory, pids=self._limits.pids, life=life)
        walls = bubblewrap(
            str(self._workspace), inside, memory_mb=memory, own_proc=self._own_proc, report=report, data=data
        )
        argv = [*FIRST_TO_DIE, *walls]
        passed = [report, life, *(fd for fd, _ in data)]
        out, err, env = subprocess.PIPE, subprocess.STDOUT, {"PATH": os.defpath}
        try:
            return subprocess.Popen(
                argv, stdin=stdin, stdout=out, stderr=err, pass_fds=passed, env=env, process_group=0
            )
        except OSError as error:
            raise SandboxUnavailable(f"no program can be started on this host: {error}") from error

    def _collect(self, process: subprocess.Popen[bytes], reader: int, keep: int) -> Outcome:
        """Read what comes until all are gone, or kill them all."""
        output, report = _HeadAndTail(keep), _HeadAndTail(REPORT_LIMIT)
        ends = self._clock() + self._limits.seconds
        with process, selectors.DefaultSelector() as open_ends:
            assert process.stdout is not None  # noqa: S101 - it is a pipe, by the line above
            open_ends.register(process.stdout, selectors.EVENT_READ, output)
            open_ends.register(reader, selectors.EVENT_READ, report)
            full = False
            while open_ends.get_map() and (left := min(ends, self._until()) - self._clock()) > 0:
                if full := self._is_full():
                    break
                for key, _ in open_ends.select(min(left, _LOOK_S)):
                    if not key.data.take(os.read(key.fd, _CHUNK)):
                        open_ends.unregister(key.fileobj)
            in_time = not open_ends.get_map()
            if not in_time:
                _kill(process)
        return Outcome(
            bytes(output.head),
            output.left_out,
            bytes(output.tail),
            process.returncode if in_time else None,
            bytes(report.head + report.tail),
            full=full and not in_time,
        )

    def _is_full(self) -> bool:
        disk = os.statvfs(self._workspace)
        return disk.f_bavail * disk.f_frsize < RESERVE or (disk.f_files > 0 and disk.f_favail < RESERVE_FILES)

    def _starts(self) -> bool:
        """Try a sandbox with a /proc of its own; where that is refused, one without must work."""
        if self.run(Job(["/bin/true"])).code == 0:
            return True
        self._own_proc = False
        outcome = self.run(Job(["/bin/true"]))
        if outcome.code != 0:
            said = outcome.head.decode(errors="replace").strip()
            raise SandboxUnavailable(f"no sandbox can be made on this host, is bubblewrap installed? {said}")
        return False


class _HeadAndTail:
    """Bytes as they come, of which head and tail stay: `yes` for a minute takes no more memory than its limit."""

    def __init__(self, keep: int) -> None:
        self._half = max(keep // 2, 1)
        self.head = bytearray()
        self.tail = bytearray()
        self.left_out = 0

    def take(self, data: bytes) -> int:
        """Take what was read; 0 at the end of the stream."""
        room = self._half - len(self.head)
        self.head += data[:room]
        self.tail += data[room:] if room < len(data) else b""
        if (over := len(self.tail) - self._half) > 0:
            del self.tail[:over]
            self.left_out += over
        return len(data)


def _kill(bwrap: subprocess.Popen[bytes]) -> None:
    """Kill a sandbox whether it is made or not. Made, it is a pid namespace that dies with bwrap. Before that, bwrap's
    second process waits for a uid map that only the first one writes: for ever, unless the whole group is killed.
    """
    os.killpg(bwrap.pid, signal.SIGKILL)  # its number is its own until it is waited for


def _pipe(files: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return files.enter_context(os.fdopen(reader, "rb", 0)), files.enter_context(os.fdopen(writer, "wb", 0))


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    fd = os.memfd_create("jada", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        # A child shares the offset, and would begin to read at the end.
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
