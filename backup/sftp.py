"""Sending a backup to its target by OpenSSH's sftp, which every SSH server and many storage services answer.

The target's host key is the one of the settings; our key comes from systemd as a file, so that no secret is in a
command.
"""

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backup.make import BackupFailed
from backup.settings import Target

SEND_S = 6 * 3600
"""For a large backup over a thin line: less than a day, so that the next one can begin."""
NAME = re.compile(r"jada-[A-Za-z0-9-]+-[0-9]{8}T[0-9]{6}Z\.age")
"""The names that are ours at a target: others are never removed."""


@dataclass(frozen=True, slots=True)
class Sftp:
    """A session with a target: `key` is our private key's file, `known` the file with the target's host key."""

    target: Target
    key: Path
    known: Path

    def command(self) -> list[str]:
        """Return the command that carries out a batch on its standard input, and ends at its first failure."""
        options = {
            # Only this key: those of an agent would be tried before it, and a server ends the connection after a few.
            "IdentityFile": str(self.key),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known),
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": "30",
            "ServerAliveInterval": "30",
            # Less hides why a login was refused; more says what is no error.
            "LogLevel": "ERROR",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        # -F: the configuration of whoever runs this must not lead elsewhere.
        return ["sftp", "-b", "-", "-F", "/dev/null", *words, "-P", str(self.target.port), self._where()]

    def _where(self) -> str:
        return f"{self.target.user}@{self.target.host}"


Run = Callable[[Sequence[str], str], str]


def upload(file: Path, name: str, folder: str) -> str:
    """Return the batch that sends a file: it has its name only when all of it is there."""
    half = f"{folder}/.{name}.half"
    # The leading dash: a folder that is there already is no failure.
    return f"-mkdir {folder}\nput {file} {half}\nrename {half} {folder}/{name}\nls -ln {folder}/{name}\n"


def size_of(listing: str, name: str) -> int | None:
    """Read a file's size from what `ls -ln` printed; None where it is not listed."""
    for line in listing.splitlines():
        words = line.split()
        if len(words) >= 9 and words[-1].rpartition("/")[2] == name and words[4].isdigit():
            return int(words[4])
    return None


def too_old(listing: str, keep: int) -> list[str]:
    """Return our backups in what `ls -1` printed that are beyond the newest `keep`; 0 keeps all."""
    ours = sorted(
        (name for line in listing.splitlines() if NAME.fullmatch(name := line.strip().rpartition("/")[2])),
        key=lambda name: name[-len("20260513T030000Z.age") :],
    )
    return ours[:-keep] if keep else []


def send(sftp: Sftp, file: Path, name: str, keep: int, run: Run) -> None:
    """Send a file, see that all of it arrived, then remove what is too old. Raises `BackupFailed`."""
    folder = sftp.target.folder
    listing = run(sftp.command(), upload(file, name, folder))
    arrived = size_of(listing, name)
    if arrived != file.stat().st_size:
        raise BackupFailed(f"the target lists {name} with {arrived} bytes, and {file.stat().st_size} were sent")
    # Only now: a target that takes nothing new must not lose what it has.
    if old := too_old(run(sftp.command(), f"ls -1 {folder}\n"), keep):
        run(sftp.command(), "".join(f"-rm {folder}/{each}\n" for each in old))


def run_batch(command: Sequence[str], batch: str) -> str:
    """Carry out a batch; raises `BackupFailed` with what sftp said."""
    try:
        done = subprocess.run(command, input=batch, capture_output=True, text=True, check=False, timeout=SEND_S)
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"the target did not take it within {SEND_S // 3600} hours") from None
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line]
        raise BackupFailed(
            f"the target did not take it: {' / '.join(said[-3:]) or f'sftp ended with {done.returncode}'}"
        )
    return done.stdout


def known_hosts(folder: str, target: Target, host_key: str) -> Path:
    """Write the target's host key as a file of known hosts."""
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix="known-", delete=False, encoding="ascii") as out:
        out.write(f"{target.known_as} {host_key}\n")
    return Path(out.name)
