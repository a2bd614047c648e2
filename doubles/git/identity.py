"""An authority of its own and a certificate for the server's name, for clients that are told to trust it."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MONTH = dt.timedelta(days=30)


def identity(host: str) -> tuple[bytes, bytes]:
    """Return the authority's certificate, and key and certificate of the server that is `host`, all PEM."""
    now = dt.datetime.now(dt.UTC)
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the git double's authority")])
    own = _signed(name, name, authority, authority, (now, x509.BasicConstraints(ca=True, path_length=0)))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    given = _signed(subject, name, server, authority, (now, x509.SubjectAlternativeName([x509.DNSName(host)])))
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return own, key + given


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    what: tuple[dt.datetime, x509.ExtensionType],
) -> bytes:
    now, extension = what
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _MONTH)
        .not_valid_after(now + _MONTH)
        .add_extension(extension, critical=True)
        .sign(by, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
