"""An access as files, for programs that want them (ssh, pytest): made in a folder of one's own, and removed."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from provision.reach.access import Access, known_hosts


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The folder with key, certificate, known_hosts and `config`; `name` is the host's alias in it, `address` and
    `port` are where it answers.
    """

    folder: Path
    name: str
    address: str
    port: int

    @property
    def config(self) -> Path:
        """The ssh_config to give as `ssh -F`."""
        return self.folder / "config"

    def ssh(self, *words: str) -> list[str]:
        """Return an ssh command to the host; options and remote command as `words`, `{host}` where its name goes."""
        return ["ssh", "-F", str(self.config), *(self.name if word == "{host}" else word for word in words)]


def contents(access: Access, folder: Path) -> dict[str, str]:
    """Return name → content of the files, as pure text."""
    return {
        "key": access.key.reveal(),
        "key-cert.pub": access.certificate + "\n",
        "known_hosts": known_hosts(access),
        "config": _config(access, folder),
    }


def _config(access: Access, folder: Path) -> str:
    options = {
        "HostName": access.address,
        "Port": str(access.port),
        "User": access.username,
        "IdentityFile": str(folder / "key"),
        "CertificateFile": str(folder / "key-cert.pub"),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        # A key that this machine once learnt must not stand in for the one that Lightsail saw.
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "PasswordAuthentication": "no",
        "ControlPath": str(folder / "mux"),
        "ServerAliveInterval": "15",
    }
    return "".join([f"Host {access.name}\n", *(f"  {key} {value}\n" for key, value in options.items())])


@contextmanager
def materialised(access: Access) -> Iterator[KeyFiles]:
    """Yield the files (0600 in a 0700 folder); they are gone afterwards, also after Ctrl-C or SIGTERM."""
    with ended_by_signals(), tempfile.TemporaryDirectory(prefix="jada-") as name:
        folder = Path(name)
        for file, content in contents(access, folder).items():
            descriptor = os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.write(content)
        yield KeyFiles(folder, access.name, access.address, access.port)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the block by an exception: their default would leave the files."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
