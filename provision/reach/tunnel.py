"""The dashboard's loopback port of a host, brought to this machine's loopback by OpenSSH."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provision.errors import CommandError
from provision.reach.keyfiles import KeyFiles
from provision.system.secrets import FOLDER
from wire.secret import Secret


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An open tunnel: `url` leads to the host's dashboard."""

    url: str
    keys: KeyFiles
    process: subprocess.Popen[str]

    def wait(self) -> None:
        """Wait until the connection ends."""
        self.process.wait()

    def token(self) -> Secret:
        """Read the queue's token from the host, through the connection that is there."""
        command = self.keys.ssh("{host}", "sudo", "-n", "cat", f"{FOLDER}/dashboard_token")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(f"{self.keys.name} has no dashboard token: {done.stderr.strip()}", "run `fab secrets`")
        return Secret(done.stdout.strip())


@contextmanager
def opened(keys: KeyFiles, queue: str, *, port: int = 0, timeout_s: float = 15) -> Iterator[Tunnel]:
    """Yield a tunnel from `port` on this machine (0: any free one) to `queue` on the host, for the block's duration."""
    port = port or free_port()
    command = keys.ssh(
        # A master: the token is read through this connection, without a second login.
        *("-M", "-N", "-o", "ExitOnForwardFailure=yes", "-o", f"ConnectTimeout={timeout_s:g}"),
        *("-L", f"127.0.0.1:{port}:{queue}", "{host}"),
    )
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait(process, port, time.monotonic() + timeout_s)
            yield Tunnel(f"http://127.0.0.1:{port}", keys, process)
        finally:
            process.terminate()


def _wait(process: subprocess.Popen[str], port: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = process.stderr.read().strip() if process.stderr else ""
            raise CommandError(
                f"the tunnel did not open: {said}", "is the port free on this machine, and the host reachable?"
            )
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # a login takes some 300 ms
    raise CommandError("the tunnel did not open in time", "is your address in the firewall's CIDRs?")


def free_port() -> int:
    """Return a port of this machine's loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
