"""The queue's table in DynamoDB, and the user that may use it and nothing else.

Its key is not made here: whatever Pulumi makes is in its state. `fab table-key` makes it. Stack local has the table
only: DynamoDB Local takes any key, and knows neither users nor tags, backups or encryption.
"""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.settings import Settings

ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What the queue does; a transaction is allowed by what it consists of."""
# What the queue's own code makes for a test, `layout.definition`; a test compares the two.
KEYS = ("pk", "sk")
GONE_AT = "gone"
INDEXES = {"queue": ("rq", "rs", ("ro", "go")), "states": ("lk", "ls", ())}


def make(name: str, settings: Settings, provider: aws.Provider) -> dict[str, pulumi.Input[str]]:
    """Declare table and user; return their line in the inventory."""
    if settings.table_endpoint:
        return {"name": _table(name, settings, provider).name, "endpoint": settings.table_endpoint}
    table = _table(
        name,
        settings,
        provider,
        # Its backup: to any second of the last 35 days.
        point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
        # Under a key of this account's, whose use CloudTrail shows.
        server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True),
        # What is of a day only goes by itself: deleting it would cost a write.
        ttl=aws.dynamodb.TableTtlArgs(attribute_name=GONE_AT, enabled=True),
        # In AWS itself, beside Pulumi's own protection: a console deletes it as little.
        deletion_protection_enabled=settings.protect,
        tags=dict(settings.tags),
    )
    return {"name": table.name, "user": _user(name, table, settings, provider)}


def _table(name: str, settings: Settings, provider: aws.Provider, **safety: Any) -> aws.dynamodb.Table:
    return aws.dynamodb.Table(
        name,
        name=name,
        billing_mode="PAY_PER_REQUEST",
        hash_key=KEYS[0],
        range_key=KEYS[1],
        attributes=[
            aws.dynamodb.TableAttributeArgs(name=each, type="S")
            for each in (*KEYS, *(key for hashed, sorted_by, _ in INDEXES.values() for key in (hashed, sorted_by)))
        ],
        global_secondary_indexes=[
            aws.dynamodb.TableGlobalSecondaryIndexArgs(
                name=index,
                key_schemas=[
                    aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=hashed, key_type="HASH"),
                    aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=sorted_by, key_type="RANGE"),
                ],
                projection_type="INCLUDE" if carried else "KEYS_ONLY",
                non_key_attributes=list(carried) or None,
            )
            for index, (hashed, sorted_by, carried) in INDEXES.items()
        ],
        opts=pulumi.ResourceOptions(provider=provider, protect=settings.protect),
        **safety,
    )


def _user(name: str, table: aws.dynamodb.Table, settings: Settings, provider: aws.Provider) -> pulumi.Output[str]:
    kept = pulumi.ResourceOptions(provider=provider, protect=settings.protect)
    user = aws.iam.User(f"{name}-hosts", name=f"{name}-hosts", tags=dict(settings.tags), opts=kept)
    aws.iam.UserPolicy(
        f"{name}-hosts",
        name=f"{name}-only",
        user=user.name,
        policy=table.arn.apply(policy),
        opts=pulumi.ResourceOptions(provider=provider),
    )
    made: pulumi.Output[str] = user.name
    return made


def policy(arn: str) -> str:
    """Return what the hosts may: the queue's calls on this table and its indexes."""
    statement = {"Effect": "Allow", "Action": list(ACTIONS), "Resource": [arn, f"{arn}/index/*"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
