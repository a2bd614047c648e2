"""Key pairs: CreateKeyPair, ImportKeyPair, GetKeyPair, GetKeyPairs, DeleteKeyPair."""

import base64
import binascii
import hashlib
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from doubles.lightsail.access import new_key, private_pem, public_line
from doubles.lightsail.calls.answers import identity, operation, page, tags
from doubles.lightsail.calls.tags import read
from doubles.lightsail.cloud import Cloud, new_id
from doubles.lightsail.records import KeyPair
from doubles.lightsail.refusal import invalid


def create_key_pair(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Make a key; the answer is the only place its private half is ever told. Texts are plain, whatever their names."""
    cloud.need_free_name(request["keyPairName"])
    key = new_key()
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    fingerprint = hashlib.sha1(der).digest().hex(":")  # noqa: S324 - the vendor's form of a fingerprint
    made = _kept(cloud, request, public_line(key), fingerprint)
    return {
        "keyPair": _told(cloud, made),
        "publicKeyBase64": made.public,
        "privateKeyBase64": private_pem(key),
        "operation": _noted(cloud, made, "CreateKeyPair"),
    }


def import_key_pair(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Keep somebody's own public key: an ssh-rsa line, plain or in base64."""
    cloud.need_free_name(request["keyPairName"])
    line = _line(request["publicKeyBase64"])
    der = _rsa(line).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = hashlib.md5(der).digest().hex(":")  # noqa: S324 - the vendor's form of a fingerprint
    made = _kept(cloud, request, line, fingerprint)
    return {"operation": _noted(cloud, made, "ImportKeyPair")}


def get_key_pair(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Tell one."""
    return {"keyPair": _told(cloud, cloud.key_pair(request["keyPairName"]))}


def get_key_pairs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """List them; there is no default key pair here, since no host is opened by one."""
    listed, rest = page(cloud.store.all(KeyPair), request.get("pageToken"))
    return {"keyPairs": [_told(cloud, one) for one in listed], **rest}


def delete_key_pair(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Forget one; hosts made with it keep it."""
    pair = cloud.key_pair(request["keyPairName"])
    if request.get("expectedFingerprint", pair.fingerprint) != pair.fingerprint:
        raise invalid(f"expectedFingerprint is not that of {pair.name}.")
    cloud.store.drop(pair)
    return {"operation": _noted(cloud, pair, "DeleteKeyPair")}


def _kept(cloud: Cloud, request: dict[str, Any], public: str, fingerprint: str) -> KeyPair:
    given = read(request.get("tags", ()))
    made = KeyPair(request["keyPairName"], new_id(), cloud.clock(), public, fingerprint, given)
    cloud.store.put(made)
    return made


def _noted(cloud: Cloud, pair: KeyPair, details: str) -> dict[str, Any]:
    """An operation without a type: the contract's list of types has none for key pairs."""
    return operation(cloud, cloud.began("", pair, "Succeeded", details))


def _told(cloud: Cloud, pair: KeyPair) -> dict[str, Any]:
    return {**identity(cloud, pair), "tags": tags(pair.tags), "fingerprint": pair.fingerprint}


def _line(given: str) -> str:
    if given.startswith("ssh-"):
        return given.strip()
    try:
        return base64.b64decode(given, validate=True).decode("ascii").strip()
    except (binascii.Error, UnicodeDecodeError):
        raise invalid(
            "publicKeyBase64 must be a public key: one line that begins with ssh-rsa, or its base64."
        ) from None


def _rsa(line: str) -> rsa.RSAPublicKey:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise invalid(f"publicKeyBase64 is not a public key of OpenSSH: {error}") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise invalid("publicKeyBase64 must be an ssh-rsa key.")
    return key
