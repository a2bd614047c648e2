"""`fab backup` and `fab backup-key`: everything that a host holds and cannot be made anew, as one encrypted file
here.
"""

import getpass
import sys
from pathlib import Path

from invoke.context import Context

from backup import settings
from provision.commands import sealed
from provision.commands.new_file import new_file
from provision.commands.options import ONE_HOST, task
from provision.errors import CommandError
from provision.progress import Progress
from provision.target import load_target
from wire.settings_file import sections
from wire.values import Invalid

APP = "/opt/jada-agent/current"
PROGRAM = ("env", f"--chdir={APP}/app", f"{APP}/venv/bin/python", "-m", "backup")
"""The program on the host, by its current release."""


@task(
    help={
        **ONE_HOST,
        "file": "the new file",
        "recipient": "the public key, age1…, in place of backup.recipients of the settings",
    },
    example="fab backup jada-2026-05-13.age --stack prod",
)
def backup(
    _context: Context, file: str, recipient: str = "", stack: str | None = None, host: str | None = None
) -> None:
    """Save all that a host holds to an encrypted file: the queue with its files, journals, workspaces, the sync's
    memory, Google's token.

    The work goes on meanwhile. Only who has the secret key can open the file, `fab restore`: the host has not. What
    else a host needs is not in it: secrets are given by `fab secrets`, the release by `fab deploy`.
    """
    progress, target, path = Progress(), load_target(stack), Path(file)
    keys = _recipients(recipient, target.source.file)
    cure = "name a new file in a folder of yours: a backup is never written over"
    with new_file(path, cure) as out, target.connected(host, progress) as box:
        words = [word for key in keys for word in ("--recipient", key)]
        size = 0

        def take(content: bytes) -> None:
            nonlocal size
            size += len(content)
            count(len(content))
            out.write(content)

        with progress.counted(f"{box.name}: make the backup and receive it") as count:
            box.stream([*PROGRAM, "make", *words], take)
    said = f"{path}: {size / 1e6:.1f} MB of {box.name}, received to its end; opened by the key of {', '.join(keys)}"
    progress.say(said, "bold")
    progress.say("`fab restore FILE --identity KEYFILE --dry-run` reads it and says what it holds")


def _recipients(given: str, file: Path) -> tuple[str, ...]:
    try:
        if given:
            settings.require_recipients((given,), "--recipient")
            return (given,)
        found = settings.read(sections(file).get("backup", {})).recipients
    except Invalid as error:
        raise CommandError(str(error), "`fab backup-key FILE` makes a pair, and prints the public one") from None
    if not found:
        raise CommandError(
            f"{file.name}: backup.recipients names no public key to encrypt to",
            "`fab backup-key FILE` makes a pair; put the public one there, or give it as --recipient",
        )
    return found


@task(
    name="backup-key",
    help={"file": "the new file of the secret key", "passphrase": "ask for one, and encrypt the file with it"},
    example="fab backup-key jada-backup.key --passphrase",
)
def backup_key(_context: Context, file: str, *, passphrase: bool = False) -> None:
    """Make the pair of keys for backups: the secret one in a new file, which stays with you; the public one is printed.

    Keep the file apart from this machine too: no one opens a backup without it.
    """
    public = sealed.write_key(Path(file), _new_passphrase() if passphrase else "")
    Progress(aside=True).note(f"{file} has the secret key; this is the public one, for backup.recipients:")
    sys.stdout.write(f"{public}\n")


def _new_passphrase() -> str:
    first = getpass.getpass("passphrase: ")
    if not first or first != getpass.getpass("once more: "):
        raise CommandError("the two are not the same, or empty", "run it again")
    return first
