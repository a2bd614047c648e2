"""Run a program in a sandbox within time, memory and output; nothing of it is alive when the call returns."""

import contextlib
import math
import os
import selectors
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from agent.sandbox import syscalls
from agent.sandbox.command import CERTIFICATES, FILE_SIZE_KB, FIRST_TO_DIE, SMALL_FILE_KB, Mounts, bubblewrap, waiting
from agent.sandbox.egress.proxy import NoProxy, Proxy
from agent.sandbox.memory import Kills
from agent.sandbox.room import Room, free, held
from agent.sandbox.waiting import Job, Waiting
from agent.settings import ToolLimits

REPORT_LIMIT = 64 * 1024
"""Bytes that a program inside may write, at $REPORT_FD, for us and not for the model."""
RESERVE, RESERVE_FILES = 64 * 1024 * 1024, 5000
"""Bytes and files that a call leaves on the workspace's disk: the journal and the queue need room for what comes."""
_CHUNK = 64 * 1024  # what a pipe holds
_BEGINNING = 1000
_LOOK_S = 0.02
"""How long a drain or a disk that fills may go unnoticed: a fast disk takes some 40 MB in this time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: stdout and stderr together, `left_out` bytes less in the middle; its exit code, or None
    when it was ended: its time was up, or the disk was nearly `full`; what it reported; whether the kernel killed for
    want of `memory` meanwhile; what its `connections` came to; whether the workspace is `crowded` by now, so that the
    next call can write small files only.
    """

    head: bytes
    left_out: int
    tail: bytes
    code: int | None
    report: bytes
    full: bool = False
    memory: bool = False
    connections: tuple[dict[str, Any], ...] = ()
    crowded: bool = False


class SandboxUnavailable(Exception):
    """The sandbox itself can't start: a fault of the host, not of what was to run in it."""


class Sandbox:
    """Runs jobs over one workspace. `clock` is a monotonic time in seconds; `until` says by when all must have ended,
    asked again and again, because a drain moves it forward; `kills` counts what the kernel killed for want of memory;
    `proxy` lets out jobs that may; `shown` are more folders to read: path inside → path of the host; `mounts` says what
    else a sandbox has that is made now.
    """

    def __init__(  # noqa: PLR0913 - what a sandbox depends on, each passed in
        self,
        workspace: Path,
        limits: ToolLimits,
        clock: Callable[[], float],
        until: Callable[[], float],
        kills: Callable[[], int] | None = None,
        *,
        proxy: Proxy | None = None,
        shown: Mapping[str, Path] | None = None,
        mounts: Callable[[], Mounts] = Mounts,
    ) -> None:
        self._workspace = workspace
        self._limits = limits
        self._clock = clock
        self._kills = kills or Kills()
        self._filter = syscalls.compiled()
        self._proxy = proxy
        self._shown = {inside: str(path) for inside, path in (shown or {}).items()}
        self._mounts = mounts
        self._room: Room | None = None
        self._crowded = False
        self._own_proc = True
        self._ahead: Waiting | None = None
        # Beside the workspace, which is all that a call can write. A killed process may have left what it brought.
        self._brought = workspace.with_name(f".{workspace.name}.calls")
        shutil.rmtree(self._brought, ignore_errors=True)
        self._brought.mkdir(mode=0o700)
        # Tried without the caller's end: one that has come already says nothing about the host.
        self._until: Callable[[], float] = lambda: math.inf
        self._own_proc = self._starts()
        self._room = Room(limits.workspace_mb << 20, lambda: held(workspace), lambda: free(workspace))
        self._until = until

    def prepare(self) -> None:
        """Begin to make the next call's sandbox, so that it stands when the model has thought."""
        if self._ahead is None:
            # What is wrong is said by the call that needs one.
            with contextlib.suppress(SandboxUnavailable):
                self._ahead = self._make()

    def close(self) -> None:
        """End the sandbox that was made ahead, if there is one; nothing of it is left."""
        if self._ahead:
            self._ahead.close()
            self._ahead = None

    def run(self, job: Job, into: tuple[BinaryIO, int] | None = None) -> Outcome:
        """Run a job to its end, or to the end of its time. Its output is kept as far as settings say; or so many bytes
        of it go `into` a file, and the outcome has the first of them.
        """
        killed = self._kills()
        sandbox, admitted = self._started(job)
        output = _ToFile(*into) if into else _HeadAndTail(self._limits.output_kb * 1024)
        try:
            outcome = self._collect(sandbox, output, killed)
        finally:
            sandbox.close()
            # After its end: until then a connection may still come to something.
            connections = self._proxy.ended(admitted) if self._proxy and admitted else ()
        self._crowded = self._room is not None and self._room.is_used_up()
        return replace(outcome, connections=tuple(connections), crowded=self._crowded)

    def _started(self, job: Job) -> tuple[Waiting, int]:
        """Return a sandbox that runs a job, and its number at the proxy, 0 without: the one made ahead, unless it has
        died, or a fresh one.
        """
        ahead, self._ahead = self._ahead, None
        if ahead:
            started, admitted = self._begin(ahead, job)
            if started:
                return ahead, admitted
            ahead.close()
        fresh = self._make()
        # One that can't be made ends at once; what it said is its outcome.
        return fresh, self._begin(fresh, job)[1]

    def _begin(self, sandbox: Waiting, job: Job) -> tuple[bool, int]:
        """Let a sandbox run a job, its way out made before; return whether it began, and its number at the proxy."""
        admitted = 0
        try:
            if self._proxy and job.network and (inside := sandbox.process_inside()):
                job = replace(job, files={**job.files, CERTIFICATES: self._proxy.certificate})
                admitted = self._proxy.admit(inside)
            began = sandbox.start(job)
        except NoProxy as error:
            sandbox.close()
            raise SandboxUnavailable(str(error)) from error
        if not began and self._proxy and admitted:
            self._proxy.ended(admitted)
            admitted = 0
        return began, admitted

    def _make(self) -> Waiting:
        try:
            return Waiting(self._brought, self._filter, self._command, has_way_out=self._proxy is not None)
        except OSError as error:
            raise SandboxUnavailable(f"no program can be started on this host: {error}") from error

    def _command(self, brought: Path, report: int, life: int, calls: int | None, info: int | None) -> list[str]:
        memory = self._limits.memory_mb
        inside = waiting(
            memory_mb=memory,
            pids=self._limits.pids,
            life=life,
            file_kb=SMALL_FILE_KB if self._crowded else FILE_SIZE_KB,
        )
        walls = bubblewrap(
            str(self._workspace),
            inside,
            memory_mb=memory,
            own_proc=self._own_proc,
            report=report,
            brought=str(brought),
            filter_=calls,
            info=info,
            mounts=replace(more := self._mounts(), read={**self._shown, **more.read}),
        )
        return [*FIRST_TO_DIE, *walls]

    def _collect(self, sandbox: Waiting, output: "_HeadAndTail", killed: int) -> Outcome:
        """Read what comes until all are gone, or the time is up."""
        report = _HeadAndTail(REPORT_LIMIT)
        ends = self._clock() + self._limits.seconds
        process = sandbox.process
        with selectors.DefaultSelector() as open_ends:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            open_ends.register(process.stdout, selectors.EVENT_READ, output)
            open_ends.register(sandbox.report, selectors.EVENT_READ, report)
            # A program may close both and go on: it is over when its process is.
            open_ends.register(sandbox.gone, selectors.EVENT_READ)
            full = False
            while open_ends.get_map() and (left := min(ends, self._until()) - self._clock()) > 0:
                if full := self._is_full():
                    break
                for key, _ in open_ends.select(min(left, _LOOK_S)):
                    over = sandbox.has_ended() if key.data is None else not key.data.take(os.read(key.fd, _CHUNK))
                    if over:
                        open_ends.unregister(key.fileobj)
            in_time = not open_ends.get_map()
        return Outcome(
            bytes(output.head),
            output.left_out,
            bytes(output.tail),
            _code(process.wait()) if in_time else None,
            bytes(report.head + report.tail),
            full=full and not in_time,
            memory=self._kills() > killed,
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


class _ToFile(_HeadAndTail):
    """Bytes as they come, into a file; of them the first `_BEGINNING` are kept, for a program that says what failed."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        super().__init__(2 * _BEGINNING)
        self._file = file
        self._room = most

    def take(self, data: bytes) -> int:
        """As for head and tail; what is beyond the file's room is left out."""
        self.head += data[: _BEGINNING - len(self.head)]
        fits = data[: self._room]
        self._file.write(fits)
        self._room -= len(fits)
        self.left_out += len(data) - len(fits)
        return len(data)


def _code(status: int) -> int:
    """Return an exit code as shells have it: 137 for a sandbox that was killed as a whole."""
    return 128 - status if status < 0 else status
