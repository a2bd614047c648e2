"""The section [backup] of jada.<stack>.toml: `wire` only, so that it can be checked on the operator's machine."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

import pyrage
from msgspec import Meta

from wire.values import Invalid, Value, decode

# Only what needs no quoting in a batch of sftp's.
_TARGET = re.compile(
    r"sftp://(?P<user>[a-z0-9_][a-z0-9._-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*)(:(?P<port>[0-9]{1,5}))?(/(?P<folder>[A-Za-z0-9._/-]*))?"
)
_HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Target:
    """Where backups are sent by SFTP: a folder of a user on a host."""

    user: str
    host: str
    port: int
    folder: str

    @property
    def known_as(self) -> str:
        """The host as OpenSSH's known_hosts has it."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"


class Settings(Value, frozen=True, kw_only=True):
    """The section [backup]: to which public keys, where to, by which key the target is known, at which hour (UTC), how
    many backups the target keeps, and after how many hours without one an alarm is raised.
    """

    recipients: tuple[str, ...] = ()
    target: str = ""
    host_key: str = ""
    hour: Annotated[int, Meta(ge=0, le=23)] = 4
    keep: Annotated[int, Meta(ge=0, le=1000)] = 14
    alarm_hours: Annotated[int, Meta(ge=25, le=720)] = 36


def read(section: Any) -> Settings:
    """Make the settings of the section's plain data, those that go together; raises `Invalid`, which names the key."""
    settings = decode(Settings, section, "backup")
    require_recipients(settings.recipients, "backup.recipients")
    if not settings.target:
        return settings
    target(settings)
    if not settings.recipients:
        raise Invalid("backup.recipients", "is empty, and a target is set: `fab backup-key` makes a key")
    if not _HOST_KEY.fullmatch(settings.host_key):
        raise Invalid("backup.host_key", 'must be the target\'s host key, as "ssh-ed25519 AAAA…" (`ssh-keyscan HOST`)')
    return settings


def require_recipients(recipients: tuple[str, ...], where: str) -> None:
    """Raise `Invalid` for what is no public key; a secret one is not repeated."""
    for each in recipients:
        try:
            pyrage.x25519.Recipient.from_str(each)
        except pyrage.RecipientError:
            # Not repeated: a secret one may stand there.
            why = "must be public keys, age1…, as `fab backup-key` prints them; never a secret one"
            raise Invalid(where, why) from None


def target(settings: Settings) -> Target:
    """Return where backups go. Raises `Invalid`."""
    found = _TARGET.fullmatch(settings.target)
    if not found or not 1 <= int(found["port"] or 22) <= 65535 or ".." in (found["folder"] or ""):
        raise Invalid("backup.target", "must be sftp://USER@HOST/FOLDER, of letters, digits, dots, dashes; no password")
    return Target(found["user"], found["host"], int(found["port"] or 22), found["folder"] or ".")
