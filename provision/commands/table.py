"""`fab table-key`: the key by which the hosts reach the queue's table, made and rotated; never in Pulumi's state."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError
from invoke.context import Context

from provision.commands.options import EACH_HOST, task
from provision.commands.secrets import require_started, send
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.inventory import Inventory, Table
from provision.target import load_target
from wire.secret import Secret

KEY = "table_key"
KNOWN_WITHIN_S = 90.0
"""Until all of AWS knows a new key: mostly some ten seconds."""


@task(help={"stack": EACH_HOST["stack"]}, example="fab table-key --stack prod")
def table_key(_context: Context, stack: str | None = None) -> None:
    """Make a new key to the queue's table and give it to each host; then delete the one before. Safe to run again."""
    progress = Progress()
    target = load_target(stack)
    table = require_table(target.inventory)

    def give(key: Secret) -> None:
        for each in target.inventory.hosts:
            with target.connected(each.name, progress) as box:
                answer = send(box, {KEY: key})
            require_started({each.name: answer["failed"]})
            restarted = ", ".join(answer["restarted"]) or "nothing reads it yet"
            progress.say(f"{each.name}: has the new key; restarted: {restarted}")

    if table.endpoint:
        give(any_key(progress))
        return
    with answering(table):
        iam = botocore.session.get_session().create_client("iam", region_name=target.inventory.region)
        with progress.step(f"make a key of {table.user}, and read the table {table.name} by it"):
            before, key = make(iam, table, lambda key: is_known(target.inventory, table, key))
        give(key)
        delete(iam, table, before)
    progress.say(f"deleted: {', '.join(before) or 'none, it is the first'}")


def any_key(progress: Progress) -> Secret:
    """Return a key that was made up here: DynamoDB Local takes any, and has no users whose it could be."""
    progress.say("this stack's table is in DynamoDB Local, which takes any key: one is made up, and none deleted")
    return Secret(f"local{secrets.token_hex(8)}:{secrets.token_hex(16)}\n")


def require_table(inventory: Inventory) -> Table:
    """Return the stack's table; raises `CommandError`."""
    if inventory.table is None:
        raise CommandError("the stack has no table", "set jada:table in its Pulumi file, and run `pulumi up`")
    return inventory.table


def make(iam: Any, table: Table, knows: Callable[[Secret], bool]) -> tuple[list[str], Secret]:
    """Make a key that AWS takes; return the ids of those before it, at most one, and the key."""
    before = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=table.user)["AccessKeyMetadata"]]
    if len(before) > 1:
        # A user has two keys at most: a rotation was cut off. The hosts use the other one, or get the new one now.
        spare = min(before, key=lambda key_id: _last_used(iam, key_id))
        delete(iam, table, [spare])
        before.remove(spare)
    made = iam.create_access_key(UserName=table.user)["AccessKey"]
    key = Secret(f"{made['AccessKeyId']}:{made['SecretAccessKey']}\n")
    if not knows(key):
        delete(iam, table, [made["AccessKeyId"]])
        raise CommandError(
            f"the new key of {table.user} can't read the table {table.name}; it was deleted, the one before stays",
            "is the table there, and its user's policy (pulumi up)? Then run again",
        )
    return before, key


def delete(iam: Any, table: Table, keys: Sequence[str]) -> None:
    """Delete keys."""
    for key_id in keys:
        iam.delete_access_key(UserName=table.user, AccessKeyId=key_id)


def _last_used(iam: Any, key_id: str) -> datetime:
    used = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
    found: datetime = used.get("LastUsedDate", datetime.min.replace(tzinfo=UTC))
    return found


def is_known(inventory: Inventory, table: Table, key: Secret) -> bool:
    """Whether the table can be read by a key; asks until it can, for a while."""
    key_id, _, secret = key.reveal().strip().partition(":")
    client = botocore.session.get_session().create_client(
        "dynamodb", region_name=inventory.region, aws_access_key_id=key_id, aws_secret_access_key=secret
    )
    end = time.monotonic() + KNOWN_WITHIN_S
    while True:
        try:
            client.get_item(TableName=table.name, Key={"pk": {"S": "CONFIG"}, "sk": {"S": "id"}})
        except ClientError:
            if time.monotonic() > end:
                return False
            time.sleep(2)
        else:
            return True


@contextmanager
def answering(table: Table) -> Iterator[None]:
    """Say what AWS refuses as a `CommandError`; nothing of it shows a key."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        cure = "run `pulumi up`" if code == "NoSuchEntity" else "docs/iam/table.json has what it takes"
        raise CommandError(f"AWS refused a key of {table.user} ({code})", cure) from error
    except BotoCoreError as error:
        raise CommandError(f"AWS could not be asked: {error}", "log in, and run again") from error
