"""One SSH connection to a host whose key is known beforehand, and what runs over it: commands, programs, bytes."""

import base64
import json
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import paramiko
from fabric import Config, Connection

from provision.errors import CommandError
from provision.reach import programs
from provision.reach.access import Access, private_key

FULL = ("No space left on device", "Disk quota exceeded")
"""What a command says that found no room."""
MEND = "mend the cause on the host, run again"
MAKE_ROOM = "the host's disk is full: `fab ssh --command 'df -h; df -i'`, then make room and run again"
DEAD_S = 20
"""Seconds for which what we sent may go unacknowledged by the host's kernel: then the connection is dead."""


SILENT = "nothing"
"""What a command said that ended with an error, and no word."""


class RemoteCommandFailed(CommandError):
    """A command on the host that ended with an error of its own; `said` is the end of what it said."""

    def __init__(self, host: str, command: Sequence[str], status: int, said: str) -> None:
        full = any(words in said for words in FULL)
        super().__init__(
            f"{host}: `{shlex.join(command)[:80]}` ended with {status}: {said}", MAKE_ROOM if full else MEND
        )
        self.said = said


class ConnectionLost(CommandError):
    """The connection ended, or said nothing for too long, before a command did."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{host}: the connection broke{why}", "run it again: it is safe to")


CHUNK = 1 << 16
"""Bytes that are taken from a command at once."""
PIECE = 1 << 20
"""Bytes that are given to paramiko at once."""
START_S = 60.0
"""How long opening a channel and starting a program may take on a host at its slowest; seen: 30 s at a load of 12."""
LOST = -1
"""What stands for an exit status when the connection ended before the command did."""


class Host:
    """An open connection; made by `connected`. Everything runs as root through `sudo -n`."""

    def __init__(self, name: str, client: paramiko.SSHClient) -> None:
        self.name = name
        self._client = client

    def run(self, command: Sequence[str], stdin: bytes = b"") -> bytes:
        """Run a command as root and return its output; raises `CommandError` with the end of its errors."""
        return b"".join(self.lines(command, stdin))

    def lines(self, command: Sequence[str], stdin: bytes = b"", silence_s: float | None = None) -> Iterator[bytes]:
        """Run a command as root and yield its output line by line, as it comes.

        One that says nothing for `silence_s` counts as cut off: a dead connection is silent as well. Its first word
        may take START_S more: a small host that has used up its share of the processor starts programs slowly. Raises
        `ConnectionLost`, `RemoteCommandFailed`.
        """
        try:
            first_s = None if silence_s is None else silence_s + START_S
            # -n: where sudo wants a password it is to fail, not to wait for one.
            sent, out, err = self._client.exec_command(shlex.join(["sudo", "-n", *command]), timeout=first_s)
            with suppress(OSError):  # a command that ended before it read all says why below
                # In pieces: paramiko copies all that is left for each packet, of a release's wheels 21 GB in all.
                for start in range(0, len(stdin), PIECE):
                    sent.channel.sendall(stdin[start : start + PIECE])
                # Programs read their standard input to its end.
                sent.channel.shutdown_write()
            for line in out.channel.makefile("rb"):  # `out` itself decodes, and raises for what is no UTF-8
                out.channel.settimeout(silence_s)
                yield line
        except (paramiko.SSHException, OSError) as error:
            raise ConnectionLost(self.name, f": {error}" if str(error) else "") from error
        self._require_success(command, out, err)

    def stream(self, command: Sequence[str], write: Callable[[bytes], object]) -> None:
        """Run a command as root and hand on its output, bytes of any length, as it comes.

        Raises `ConnectionLost`, `RemoteCommandFailed`, and what `write` raises.
        """
        with self._connected():
            sent, out, err = self._client.exec_command(shlex.join(["sudo", "-n", *command]))
            sent.channel.shutdown_write()
        while content := self._received(out):
            write(content)
        self._require_success(command, out, err)

    def feed(self, command: Sequence[str], give: Callable[[Any], object]) -> bytes:
        """Run a command as root with what `give` writes as its input, and return its output.

        Raises `ConnectionLost`, `RemoteCommandFailed`, and what `give` raises: the command then finds its input cut
        off.
        """
        with self._connected():
            sent, out, err = self._client.exec_command(shlex.join(["sudo", "-n", *command]))
        with suppress(OSError):  # a command that ended before it read all says why below
            give(sent)
            sent.flush()
            sent.channel.shutdown_write()
        said = b"".join(iter(lambda: self._received(out), b""))
        self._require_success(command, out, err)
        return said

    def _received(self, out: Any) -> bytes:
        with self._connected():
            return bytes(out.channel.recv(CHUNK))

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Say of what the connection raises that it broke."""
        try:
            yield
        except (paramiko.SSHException, OSError) as error:
            raise ConnectionLost(self.name, f": {error}" if str(error) else "") from error

    def _require_success(self, command: Sequence[str], out: Any, err: Any) -> None:
        """Raise for a command that failed, with the end of its errors, or whose connection ended."""
        with self._connected():
            errors = err.read().decode(errors="replace").strip().splitlines()
            status = out.channel.recv_exit_status()
        if status == LOST:
            raise ConnectionLost(self.name, "")
        if status:
            raise RemoteCommandFailed(self.name, command, status, " / ".join(errors[-3:]) or SILENT)

    def program(self, name: str, argument: Any) -> Any:
        """Run a program of `onhost/` with a JSON argument, both over stdin, and return the JSON that it prints."""
        return json.loads(self.run(programs.PYTHON, programs.call(name, argument)))

    def upload(self, path: str, content: bytes) -> None:
        """Write a file that only root can read, making its folder. A torn one is found by its hash."""
        # By stdin: an argument is seen by every user of the host.
        self.run(["install", "-D", "-m", "0600", "/dev/stdin", path], content)


@contextmanager
def connected(access: Access, timeout_s: float) -> Iterator[Host]:
    """Log in with the certificate to a host with the right key, or raise `CommandError` with what was wrong."""
    connection = _connection(access, timeout_s)
    try:
        _open(connection, access, timeout_s)
        yield Host(access.name, connection.client)
    finally:
        connection.close()
        connection.client.close()


def _connection(access: Access, timeout_s: float) -> Connection:
    options = {
        "pkey": private_key(access),
        "allow_agent": False,
        "look_for_keys": False,
        # paramiko's own limits for these two are 15 and 30 s, whatever the operator sets.
        "banner_timeout": timeout_s,
        "auth_timeout": timeout_s,
    }
    # The operator's own ~/.ssh/config must not lead elsewhere.
    config = Config(overrides={"load_ssh_configs": False})
    connection = Connection(
        access.address, user=access.username, port=access.port, config=config,
        connect_timeout=timeout_s, connect_kwargs=options,
    )  # fmt: skip
    known = connection.client.get_host_keys()
    for algorithm, blob in access.host_keys:
        known.add(access.known_as, algorithm, paramiko.PKey.from_type_string(algorithm, base64.b64decode(blob)))
    # Fabric's own policy takes any key of an unknown host.
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    return connection


def _notice_death(sock: socket.socket) -> None:
    """Have the kernel end a connection whose other end is gone: by itself it tries for a quarter of an hour."""
    # Not on macOS, where only the keepalive notices it, later.
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):
        sock.setsockopt(socket.IPPROTO_TCP, option, DEAD_S * 1000)


def _open(connection: Connection, access: Access, timeout_s: float) -> None:
    who = f"{access.name} ({access.address})"
    try:
        connection.open()
        # A step of the installer may be silent for minutes, and routers forget silent connections.
        connection.transport.set_keepalive(15)
        _notice_death(connection.transport.sock)
    except paramiko.BadHostKeyException as error:
        raise CommandError(
            f"{who} shows another host key ({error.key.get_name()}) than Lightsail saw: it may not be that machine",
            "don't log in. If the instance was rebuilt or its keys were changed, reboot it; Lightsail reads them again",
        ) from error
    except paramiko.AuthenticationException as error:
        raise not_let_in(who, error) from error
    except (paramiko.SSHException, EOFError, ConnectionResetError, BrokenPipeError) as error:
        # An EOFError says nothing: of a host that goes down, or of one that agrees upon no keys in paramiko's 15 s.
        raise CommandError(
            f"{who}: SSH failed: {str(error) or 'the connection ended before it was open'}",
            "does it start or stop just now? Then again; else: does sshd run there, with keys that Lightsail has seen?",
        ) from error
    except OSError as error:
        raise CommandError(
            f"{who} does not answer on port {access.port} within {timeout_s:g} s: {str(error) or 'no answer'}",
            UNREACHED,
        ) from error


UNREACHED = "is your address in the firewall's CIDRs (pulumi config), and has the host finished booting?"


def not_let_in(who: str, error: paramiko.AuthenticationException) -> CommandError:
    """Say what a login came to: paramiko has one class for a refusal, for no answer, and for a connection that ends."""
    if isinstance(error, paramiko.BadAuthenticationType) or str(error) == "Authentication failed.":
        return CommandError(
            f"{who} refuses the certificate, though it is valid by this machine's clock: the host's own is wrong, or "
            "its sshd does not trust the CA that signed it",
            "look with Lightsail's console: `date`, then TrustedUserCAKeys and CASignatureAlgorithms in `sshd -T`",
        )
    return CommandError(
        f"{who} neither took nor refused the certificate: {error}",
        "does it start or stop just now, or has it much to do? Then again: it is safe to",
    )
