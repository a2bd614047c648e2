"""Service accounts: programs with a key of their own, which they prove by a signed assertion instead of a consent."""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from doubles.database import Database

TABLES = "CREATE TABLE IF NOT EXISTS service_account (email TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;"
"""What the double's database holds for `ServiceAccounts`."""
AUDIENCE = "https://oauth2.googleapis.com/token"
"""What an assertion must be meant for: Google's own address, also where the token endpoint is called at another one."""
_LONGEST_S, _SKEW_S = 3600, 300
"""What an assertion may live, and how far a caller's clock may be off."""
_PROJECT = "jada-local"


class AssertionRefused(Exception):
    """An assertion that gets no token: the endpoint's `error`, and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


class ServiceAccounts:
    """All service accounts: the double keeps their public keys only, as Google does."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def make(self, name: str) -> dict[str, str]:
        """Make an account with a new key and return the key file that the console would offer for download."""
        email = f"{name}@{_PROJECT}.iam.gserviceaccount.com"
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._database.write("REPLACE INTO service_account VALUES (?, ?)", email, public.decode())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": _PROJECT,
            "private_key_id": secrets.token_hex(20),
            "private_key": private.decode(),
            "client_email": email,
            "client_id": str(secrets.randbelow(10**21)),
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": AUDIENCE,
            "universe_domain": "googleapis.com",
        }

    def delete(self, email: str) -> bool:
        """End an account, and so all assertions by its key; false when there is none."""
        return self._database.write("DELETE FROM service_account WHERE email = ?", email).rowcount > 0

    def admit(self, assertion: str) -> tuple[str, tuple[str, ...]]:
        """Return the account and the scopes of a good assertion. Raises `AssertionRefused`."""
        try:
            head, body, signature = (_decoded(part) for part in assertion.split("."))
            kind, claims = json.loads(head), json.loads(body)
        except (ValueError, binascii.Error):
            raise AssertionRefused("invalid_grant", "Invalid JWT: Failed to parse the assertion.") from None
        if not isinstance(claims, dict) or not isinstance(kind, dict) or kind.get("alg") != "RS256":
            raise AssertionRefused("invalid_grant", "Invalid JWT: only RS256 is accepted.")
        self._require_signature(claims, assertion, signature)
        self._require_time(claims)
        if claims.get("aud") != AUDIENCE:
            raise AssertionRefused("invalid_grant", "Invalid JWT: Failed audience check.")
        scopes = tuple(str(claims.get("scope") or "").split())
        if not scopes or not all(re.fullmatch(r"https://[\x21-\x7e]+|openid|email", scope) for scope in scopes):
            raise AssertionRefused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return str(claims["iss"]), scopes

    def _require_signature(self, claims: Mapping[str, Any], assertion: str, signature: bytes) -> None:
        found = self._database.row("SELECT key FROM service_account WHERE email = ?", str(claims.get("iss")))
        if found is None:
            raise AssertionRefused("invalid_grant", "Invalid grant: account not found")
        key = serialization.load_pem_public_key(found[0].encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("service accounts have RSA keys")
        signed = assertion.rpartition(".")[0].encode()
        try:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise AssertionRefused("invalid_grant", "Invalid JWT Signature.") from None

    def _require_time(self, claims: Mapping[str, Any]) -> None:
        begin, end, now = claims.get("iat", ""), claims.get("exp", ""), self._clock()
        whole = isinstance(begin, int) and isinstance(end, int)
        if not whole or not 0 < end - begin <= _LONGEST_S or begin > now + _SKEW_S or end < now - _SKEW_S:
            sentence = (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim."
            )
            raise AssertionRefused("invalid_grant", sentence)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
