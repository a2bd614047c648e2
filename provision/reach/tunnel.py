"""The sockets of a host's queue and page, brought to this machine by OpenSSH."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from provision.errors import CommandError
from provision.reach.connection import UNREACHED
from provision.reach.keyfiles import KeyFiles

PAGE_SOCKET = "page.sock"
"""The page's socket, beside the queue's."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An open tunnel: `url` leads to the host's queue, for who can open the socket on this machine: its maker."""

    url: str
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait until the connection ends."""
        # One wait without end would not hear a signal that comes just before it: nothing is left to interrupt it.
        while self.process.poll() is None:
            time.sleep(0.2)


def forwards(queue: str, to: Path, page_port: int | None = None) -> list[str]:
    """Return the ssh options that lead from the socket `to`, and a loopback port to the page, to a host's sockets.

    A port is open to every user of this machine, and on the host all come as one user: so it leads to the page only,
    which asks who it is, and the queue's socket is never a port.
    """
    options = ["-L", f"{to}:{queue}"]
    if page_port is not None:
        options += ["-L", f"127.0.0.1:{page_port}:{PurePosixPath(queue).with_name(PAGE_SOCKET)}"]
    return options


@contextmanager
def opened(
    keys: KeyFiles, queue: str, *, at: Path | None = None, page_port: int | None = None, timeout_s: float = 15
) -> Iterator[Tunnel]:
    """Yield a tunnel to a host's `queue`, a socket's path, for the block's duration: from a socket beside the keys or
    `at` a path of this machine; `page_port` leads to its page.
    """
    path = at or keys.folder / "queue.sock"
    command = keys.ssh(
        *("-N", "-o", "ExitOnForwardFailure=yes", "-o", f"ConnectTimeout={timeout_s:g}"),
        *(*forwards(queue, path, page_port), "{host}"),
    )
    # Not by ssh's StreamLocalBindUnlink: that takes away files as well.
    _remove_socket(at)
    with (
        # A file: ssh says a line for each refused connection, and would stand still before a pipe that none reads.
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace", dir=keys.folder) as said,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said) as process,
    ):
        try:
            if not _opens(process, said, path, time.monotonic() + timeout_s):
                raise unopened(keys.address, keys.port, timeout_s)
            yield Tunnel(f"unix:{path}", process)
        finally:
            process.terminate()
            _remove_socket(at)


def is_socket(path: Path) -> bool:
    """Whether a path is a socket itself, and no link to one."""
    return path.is_socket() and not path.is_symlink()


def _remove_socket(path: Path | None) -> None:
    """Remove what a tunnel leaves behind, which would be in the next one's way; what is no socket is someone's file."""
    if path and is_socket(path):
        # Another user's stays: ssh says that it is in use.
        with contextlib.suppress(OSError):
            path.unlink()


def _opens(process: subprocess.Popen[bytes], said: IO[str], path: Path, deadline: float) -> bool:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            raise CommandError(
                f"the tunnel did not open: {said.read().strip()}",
                "is the port free on this machine, and the host reachable?",
            )
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return True
        time.sleep(0.05)  # a login takes some 300 ms
    return False


def unopened(address: str, port: int, timeout_s: float) -> CommandError:
    """Say what is seen of a host to which ssh came to no end: a slow one answers, one behind its firewall does not."""
    seen = f"the tunnel did not open within {timeout_s:g} s"
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError as error:
        return CommandError(f"{seen}, and {address} does not answer on port {port}: {error}", UNREACHED)
    return CommandError(
        f"{seen}, though {address} answers on port {port}",
        "the host or this machine has much to do: run it again, or look with `fab doctor`",
    )
