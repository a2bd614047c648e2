"""The certificate authority of this cloud: keys and OpenSSH certificates that open a host for an hour."""

import base64
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

LIFETIME_S = 60 * 60
_SKEW_S = 60
"""How far a host's clock may be behind ours."""
_EXTENSIONS = (
    b"permit-X11-forwarding",
    b"permit-agent-forwarding",
    b"permit-port-forwarding",
    b"permit-pty",
    b"permit-user-rc",
)
_RSA_2048_SIGNATURE = 280
"""Bytes of the signature at the end of a certificate signed by an RSA key of 2048 bits with SHA-2."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An RSA key of 2048 bits that hosts trust. `old` signs with SHA-1, as some of AWS's regions still do."""

    key: rsa.RSAPrivateKey
    old: bool = False

    @classmethod
    def at(cls, path: Path, *, old: bool = False) -> "Authority":
        """Read the key from a file, or make it at first use."""
        if not path.exists():
            # Whole or not at all: hosts made with a key that was lost halfway could never be opened again.
            half = path.with_suffix(".half")
            half.touch(mode=0o600)
            half.write_text(private_pem(new_key()), encoding="ascii")
            half.replace(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{path} holds no RSA key: remove it, and hosts made with it")
        return cls(key, old)

    @property
    def public(self) -> str:
        """The line for a host's TrustedUserCAKeys."""
        return public_line(self.key)

    def certificate(self, key: rsa.RSAPrivateKey, user: str, now: float) -> str:
        """Sign `key` for one user, valid from now for an hour; one line, as an OpenSSH certificate file has it."""
        builder = (
            SSHCertificateBuilder()
            .public_key(key.public_key())
            .serial(int.from_bytes(os.urandom(7), "big"))
            .type(SSHCertificateType.USER)
            .key_id(user.encode())
            .valid_principals([user.encode()])
            # A host whose clock is behind would refuse a certificate that is valid from now on.
            .valid_after(int(now) - _SKEW_S)
            .valid_before(int(now) + LIFETIME_S)
        )
        for extension in _EXTENSIONS:
            builder = builder.add_extension(extension, b"")
        line = builder.sign(self.key).public_bytes().decode()
        return self._signed_with_sha1(line) if self.old else line

    def _signed_with_sha1(self, line: str) -> str:
        """The same certificate in the form `ssh-rsa`, which the library rightly doesn't offer."""
        kind, encoded = line.split()
        # The signature is over all that comes before it, so that a body can be signed again.
        body = base64.b64decode(encoded)[:-_RSA_2048_SIGNATURE]
        signature = self.key.sign(body, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the form AWS's sample has
        whole = body + _field(_field(b"ssh-rsa") + _field(signature))
        return f"{kind} {base64.b64encode(whole).decode()}"


def new_key() -> rsa.RSAPrivateKey:
    """Make a key of the kind and size Lightsail hands out."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """The private key as a PEM text."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def public_line(key: rsa.RSAPrivateKey) -> str:
    """The public key as OpenSSH writes it on one line."""
    form = serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


def host_key_entries(keys: Mapping[str, str], witnessed: float) -> list[dict[str, Any]]:
    """Describe a host's public keys (algorithm → base64) as `GetInstanceAccessDetails` does."""
    return [
        {
            "algorithm": algorithm,
            "publicKey": key,
            "witnessedAt": witnessed,
            "fingerprintSHA1": "SHA1:" + _digest(hashlib.sha1(base64.b64decode(key)).digest()),  # noqa: S324 - a field of the API
            "fingerprintSHA256": "SHA256:" + _digest(hashlib.sha256(base64.b64decode(key)).digest()),
        }
        for algorithm, key in keys.items()
    ]


def _digest(digest: bytes) -> str:
    return base64.b64encode(digest).decode().rstrip("=")


def _field(data: bytes) -> bytes:
    """A string of the SSH protocol: its length in four bytes, then itself."""
    return struct.pack(">I", len(data)) + data
