"""What an OpenSSH user certificate says, read before it is used: sshd gives the same answer to every wrong one.

Layout: OpenSSH's PROTOCOL.certkeys, versions 01 of RSA, ECDSA and Ed25519.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from paramiko import PKey

from provision.errors import CommandError

PUBLIC_FIELDS = {"ssh-rsa": 2, "ssh-ed25519": 1, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2}
"""How many fields of a certificate are the public key that it certifies."""
SUFFIX = "-cert-v01@openssh.com"
USER = 1
"""A certificate's kind: 1 logs a user in, 2 names a host."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says: the public key (in OpenSSH's wire form), for which users, and from when to when."""

    public_key: bytes
    kind: int
    principals: tuple[str, ...]
    valid_after: datetime
    valid_before: datetime


def parse(text: str) -> Certificate:
    """Read the one line of a `-cert.pub` file; raises `CommandError` when it is not one."""
    try:
        name, encoded = text.split()[:2]
        algorithm = name.removesuffix(SUFFIX)
        return _read(algorithm, base64.b64decode(encoded, validate=True))
    except (ValueError, KeyError, IndexError, struct.error, binascii.Error, OverflowError) as error:
        raise CommandError(
            f"Lightsail's certificate is none that OpenSSH knows: {error}", "run again; report it if it stays"
        ) from error


def _read(algorithm: str, blob: bytes) -> Certificate:
    fields = _Fields(blob)
    if fields.text() != algorithm + SUFFIX:
        raise ValueError("its type and its content differ")
    fields.take()  # nonce
    public = [fields.take() for _ in range(PUBLIC_FIELDS[algorithm])]
    fields.number(8)  # serial
    kind = fields.number(4)
    fields.take()  # key id
    principals = _Fields(fields.take())
    names = []
    while principals.left:
        names.append(principals.text())
    after, before = fields.number(8), fields.number(8)
    plain = b"".join(_framed(part) for part in (algorithm.encode(), *public))
    return Certificate(plain, kind, tuple(names), _utc(after), _utc(before))


class _Fields:
    """The fields of a blob, one after another."""

    def __init__(self, blob: bytes) -> None:
        self.left = blob

    def number(self, size: int) -> int:
        if len(self.left) < size:
            raise ValueError("it is cut short")
        taken, self.left = self.left[:size], self.left[size:]
        return int.from_bytes(taken, "big")

    def take(self) -> bytes:
        size = self.number(4)
        if len(self.left) < size:
            raise ValueError("it is cut short")
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def text(self) -> str:
        return self.take().decode()


def _framed(part: bytes) -> bytes:
    return struct.pack(">I", len(part)) + part


def _utc(seconds: int) -> datetime:
    """A time in seconds; the largest number of all means for ever."""
    return datetime.max.replace(tzinfo=UTC) if seconds >= 2**63 else datetime.fromtimestamp(seconds, UTC)


def require_usable(certificate: Certificate, key: PKey, username: str, now: datetime) -> None:
    """Raise `CommandError` for a certificate that sshd would refuse: sshd itself gives no reason."""
    if certificate.kind != USER:
        raise CommandError("Lightsail's certificate names a host, not a user", "run again; report it if it stays")
    if certificate.public_key != key.asbytes():
        raise CommandError(
            "the certificate does not belong to the private key that came with it",
            "run again: a new pair is made each time; report it if it stays",
        )
    if username not in certificate.principals:
        allowed = ", ".join(certificate.principals) or "no user"
        raise CommandError(
            f"the certificate lets {allowed} in, not {username}", "check the instance's blueprint and login user"
        )
    if now >= certificate.valid_before:
        ended = certificate.valid_before.strftime("%Y-%m-%d %H:%M:%S UTC")
        raise CommandError(
            f"the certificate expired at {ended}", "check this machine's clock (timedatectl), then run again"
        )
    if now < certificate.valid_after:
        begins = certificate.valid_after.strftime("%Y-%m-%d %H:%M:%S UTC")
        raise CommandError(f"the certificate is valid only from {begins}", "check this machine's clock (timedatectl)")
