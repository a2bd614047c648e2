"""`python -m agent.sandbox.egress.authority HOST…`: make an authority and its only certificate, for these hosts.

A process of its own, which ends at once: the authority's key ends with it, and so does the memory that making it takes.
"""

import datetime as dt
import json
import sys
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.sandbox.egress.identity import Identity

_DAYS = dt.timedelta(days=2)
"""Longer than any session, and a clock that is a little off does no harm."""
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jada's sandbox, one session")])
_SIGNS = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def issue(hosts: Sequence[str], now: dt.datetime) -> Identity:
    """Make an authority, and a key and certificate by which a server is all of the hosts."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = (
        _begun(_NAME, authority.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
        .sign(authority, hashes.SHA256())
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    leaf = (
        _begun(x509.Name([]), server.public_key(), now)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(own.public_bytes(pem).decode(), (key + leaf.public_bytes(pem)).decode())


def _begun(subject: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAYS)
        .not_valid_after(now + _DAYS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


if __name__ == "__main__":
    made = issue(sys.argv[1:], dt.datetime.now(dt.UTC))
    json.dump({"authority": made.authority, "own": made.own}, sys.stdout)
