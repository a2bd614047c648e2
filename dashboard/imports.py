"""What the dashboard's process imports first of all: libraries, without what they bring along and it never uses.

The dashboard speaks HTTP over sockets of its own host: no TLS. Yet asyncio, anyio, uvicorn and hashlib import OpenSSL
wherever it is installed, and that is 5 MB all day. Whoever imports one of the modules that are held back here later on
finds the real one: boto3 does, which calls a queue in DynamoDB.
"""

import importlib.util
from pathlib import Path

from dashboard.lean import absent, reduced

with absent("ssl"), absent("_hashlib"):
    # These do without, as where Python was built without OpenSSL: hashlib has digests of its own.
    import asyncio
    import hashlib
    import hmac
    import http.client

# These can't. They ask for constants, and for a class of which they say that it may be passed to them.
with reduced("ssl", PROTOCOL_TLS_SERVER=17, CERT_NONE=0, SSLContext=object):
    import anyio._backends._asyncio
    import uvicorn.config


def installed(distribution: str) -> str:
    """Return a distribution's version, by the name of its folder, as `importlib.metadata.version` does: that brings
    readers of zip, CSV and mail along.
    """
    spec = importlib.util.find_spec("ulid")
    folders = Path(spec.origin or "").parents[1].glob(f"{distribution.replace('-', '_')}-*.dist-info") if spec else ()
    return next((folder.stem.partition("-")[2] for folder in folders), "unknown")


with reduced("importlib.metadata", version=installed):
    import ulid

__all__ = ["anyio", "asyncio", "hashlib", "hmac", "http", "ulid", "uvicorn"]
