"""Bookings of a program's output: it runs within the sync's own walls, and says itself that it is complete.

The program has the unit's user, limits and network, no more. It gets no variable of ours; the secret comes on its
standard input. Should memory run out, the kernel takes it and not the sync.
"""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from sync.failure import SyncFailed
from sync.source.file import LINE_BYTES, parsed
from sync.source_settings import Command
from wire.secret import Secret

_GO_FIRST = 'echo 1000 > /proc/self/oom_score_adj; exec "$@"'
"""Said by a shell before the program: set from outside it would come too late."""
_CHUNK = 64 * 1024
_OUTPUT_BYTES = 64 * 2**20
"""Of its whole output: its records are in memory together, and the unit has 300 MB."""
_TAIL = 2000
"""Bytes kept of what it says as errors: the end has the reason."""
_RUN = 'run it by hand on the host as jada-sync; it must print JSON lines and at last {"complete": N}'


def records(source: Command, secret: Secret | None, clock: Callable[[], float]) -> Iterator[Any]:
    """Yield the records of a program that ended well and told their number. Raises `SyncFailed`, also at the end."""
    count, complete = 0, None
    for line in _output(source, secret, clock):
        if complete is not None:
            raise _failed(source, "printed more after it said that it was complete")
        found = parsed(line)
        if isinstance(found, dict) and found.keys() == {"complete"}:
            complete = found["complete"]
            continue
        count += 1
        yield found
    if complete is None:
        raise _failed(source, f'ended after {count} records without the line {{"complete": {count}}}')
    if complete != count or isinstance(complete, bool):
        raise _failed(source, f"printed {count} records, and says that {complete} are complete")


def environment() -> dict[str, str]:
    """Return the variables that the program gets: none of the sync's own."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}


def argv(command: Sequence[str]) -> list[str]:
    """Return the command that runs the program as the first that the kernel takes."""
    return ["/bin/sh", "-c", _GO_FIRST, "sh", *command]


def _output(source: Command, secret: Secret | None, clock: Callable[[], float]) -> Iterator[str]:
    deadline = clock() + source.timeout_s
    process = subprocess.Popen(
        argv(source.command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        # A group of its own, so that what it started ends with it.
        process_group=0,
    )
    said = bytearray()
    try:
        _hand_over(process, secret)
        yield from _lines(source, process, said, lambda: deadline - clock())
        status = process.wait(timeout=max(1.0, deadline - clock()))
    except subprocess.TimeoutExpired:
        raise _timed_out(source) from None
    finally:
        _end(process)
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"ended with {status}"
        more = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
        raise _failed(source, f"{how}{more}: {said.decode(errors='replace').strip()[-300:] or 'it said nothing'}")


def _hand_over(process: subprocess.Popen[bytes], secret: Secret | None) -> None:
    if process.stdin:
        # One that reads no secret may have closed it, or be gone.
        with suppress(BrokenPipeError):
            process.stdin.write((secret.reveal() if secret else "").encode() + b"\n")
            process.stdin.close()


def _lines(
    source: Command, process: subprocess.Popen[bytes], said: bytearray, left: Callable[[], float]
) -> Iterator[str]:
    """Yield its lines as they come; both pipes are emptied, or a program that complains much would stand still."""
    rest, size = b"", 0
    for stream, chunk in _chunks(source, process, left):
        if stream is process.stderr:
            said += chunk
            del said[:-_TAIL]
            continue
        size += len(chunk)
        if size > _OUTPUT_BYTES:
            raise _failed(source, f"printed more than {_OUTPUT_BYTES // 2**20} MB in all")
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES:
            raise _failed(source, f"printed a line of more than {LINE_BYTES // 2**20} MB")
        yield from (line.decode(errors="surrogateescape") for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="surrogateescape")


def _chunks(
    source: Command, process: subprocess.Popen[bytes], left: Callable[[], float]
) -> Iterator[tuple[IO[bytes], bytes]]:
    with selectors.DefaultSelector() as ready, _exit_of(process) as ended:
        ready.register(ended, selectors.EVENT_READ)
        for pipe in (process.stdout, process.stderr):
            if pipe:
                ready.register(pipe, selectors.EVENT_READ)
        while len(ready.get_map()) > (ended in ready.get_map()):
            events = ready.select(timeout=max(0.0, left()))
            if not events and left() <= 0:
                raise _timed_out(source)
            for key, _ in events:
                stream: Any = key.fileobj
                if stream is ended:
                    # What it left running holds the pipes open, and would be waited for.
                    ready.unregister(ended)
                    _kill_group(process)
                elif chunk := os.read(stream.fileno(), _CHUNK):
                    yield stream, chunk
                else:
                    ready.unregister(stream)


def _exit_of(process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Return what becomes readable when the process ends."""
    return os.fdopen(os.pidfd_open(process.pid), "rb", buffering=0)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill_group(process)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def _timed_out(source: Command) -> SyncFailed:
    return _failed(source, f"was not complete after {source.timeout_s} s (sync.source.timeout_s)")


def _failed(source: Command, what: str) -> SyncFailed:
    return SyncFailed("bookings_command", f"the bookings' program {source.command[0]} {what}", _RUN)
