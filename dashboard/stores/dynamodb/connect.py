"""From the setting `table` and the key of its user to the table itself."""

import re
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from wire.secret import Secret
from wire.values import Invalid

KEY = "table_key"
"""The credential's name; `fab table-key` makes it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table is: in a region of AWS, or, `endpoint`, at a DynamoDB Local."""

    name: str
    region: str
    endpoint: str | None = None


def place(table: str) -> Place:
    """Read the setting: `us-east-1/jada-queue`, or `http://10.0.0.5:8000/jada-queue`."""
    where, _, name = table.rpartition("/")
    return Place(name, "us-east-1", where) if where.startswith("http://") else Place(name, where)


def client(at: Place, key: Secret) -> Any:
    """Return boto3's client, which makes no call yet; raises `Invalid` for a key that is none."""
    found = re.fullmatch(r"([!-~]{3,128}):([!-~]{3,128})", key.reveal().strip())
    if not found:
        raise Invalid(KEY, "is no key, written as ID:SECRET: make one by `fab table-key`")
    return boto3.session.Session().client(
        "dynamodb",
        region_name=at.region,
        endpoint_url=at.endpoint,
        aws_access_key_id=found[1],
        aws_secret_access_key=found[2],
        config=Config(
            connect_timeout=3,
            read_timeout=5,
            # A write that is sent again finds that it was done.
            retries={"mode": "standard", "total_max_attempts": 4},
            max_pool_connections=40,
        ),
    )
