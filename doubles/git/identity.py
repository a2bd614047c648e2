"""An authority of its own and a certificate for the server's name, for clients that are told to trust it."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MONTH = dt.timedelta(days=30)
_SIGNS = x509.KeyUsage(
    key_cert_sign=True, digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def identity(host: str) -> tuple[bytes, bytes]:
    """Return the authority's certificate, and key and certificate of the server that is `host`, all PEM."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the git double's authority")])
    own = _signed(name, name, authority, authority, x509.BasicConstraints(ca=True, path_length=0), _SIGNS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    given = _signed(subject, name, server, authority, x509.SubjectAlternativeName([x509.DNSName(host)]))
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return own, key + given


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *what: x509.ExtensionType,
) -> bytes:
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _MONTH)
        .not_valid_after(now + _MONTH)
        # Without these two Python 3.13 believes no certificate (RFC 5280, 4.2.1.1 and 4.2.1.2).
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    for extension in what:
        made = made.add_extension(extension, critical=True)
    return made.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
