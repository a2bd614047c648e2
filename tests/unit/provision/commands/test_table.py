"""A key of the table's user: rotated so that a host always has one that works; IAM is held by botocore's own model."""

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from dashboard.stores.dynamodb import connect
from provision.commands import table
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach.inventory import Inventory, Table

TABLE = Table(name="jada-queue", user="jada-queue-hosts")
USER = {"UserName": TABLE.user}
OLD, SPARE, NEW = "AKIAOLDOLDOLDOLDOLD1", "AKIASPARESPARESPARE2", "AKIANEWNEWNEWNEWNEW3"


@pytest.fixture
def iam():
    client = boto3.client("iam", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def listed(*keys):
    return {"AccessKeyMetadata": [{**USER, "AccessKeyId": key, "Status": "Active"} for key in keys]}


def created():
    return {"AccessKey": {**USER, "AccessKeyId": NEW, "SecretAccessKey": "s3cr3t", "Status": "Active"}}


def used(at):
    when = {"LastUsedDate": at} if at else {}
    return {"AccessKeyLastUsed": {"ServiceName": "dynamodb", "Region": "us-east-1", **when}}


def test_a_new_key_is_made_beside_the_one_that_is_in_use(iam):
    client, stub = iam
    stub.add_response("list_access_keys", listed(OLD), USER)
    stub.add_response("create_access_key", created(), USER)
    before, key = table.make(client, TABLE, lambda _: True)
    assert (before, key.reveal()) == ([OLD], f"{NEW}:s3cr3t\n")
    assert "s3cr3t" not in repr(key)


def test_a_rotation_that_was_cut_off_loses_the_key_that_no_host_uses(iam):
    client, stub = iam
    stub.add_response("list_access_keys", listed(SPARE, OLD), USER)
    stub.add_response("get_access_key_last_used", used(None), {"AccessKeyId": SPARE})
    stub.add_response("get_access_key_last_used", used(datetime(2026, 5, 13, tzinfo=UTC)), {"AccessKeyId": OLD})
    stub.add_response("delete_access_key", {}, {**USER, "AccessKeyId": SPARE})
    stub.add_response("create_access_key", created(), USER)
    assert table.make(client, TABLE, lambda _: True)[0] == [OLD]


def test_a_key_that_cannot_read_the_table_is_given_to_no_host_and_deleted(iam):
    client, stub = iam
    stub.add_response("list_access_keys", listed(OLD), USER)
    stub.add_response("create_access_key", created(), USER)
    stub.add_response("delete_access_key", {}, {**USER, "AccessKeyId": NEW})
    with pytest.raises(CommandError, match="the one before stays"):
        table.make(client, TABLE, lambda _: False)


def test_what_aws_refuses_is_said_with_its_cure(iam):
    client, stub = iam
    stub.add_client_error("list_access_keys", "NoSuchEntity")
    with pytest.raises(CommandError, match="refused a key of jada-queue-hosts") as refused, table.answering(TABLE):
        table.make(client, TABLE, lambda _: True)
    assert "pulumi up" in str(refused.value.cure)


def test_a_stack_without_a_table_says_how_to_make_one():
    with pytest.raises(CommandError, match="no table"):
        table.require_table(Inventory(region="us-east-1"))


def test_the_key_to_a_table_on_this_machine_is_made_up_and_the_dashboard_takes_it():
    key = table.any_key(Progress(aside=True))
    assert connect.client(connect.place("http://10.77.0.1:8704/jada-queue"), key)
    assert table.any_key(Progress(aside=True)).reveal() != key.reveal()
