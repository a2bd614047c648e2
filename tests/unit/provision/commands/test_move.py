"""The command line by which a host moves its queue; what it does is in tests/contract/test_move.py."""

import pytest
from invoke.context import Context

from dashboard import move as program
from provision.commands import move
from provision.errors import CommandError
from provision.onhost.pauses import ALL, QUEUE
from provision.reach.inventory import Inventory
from wire.values import decode


def test_the_mover_runs_as_the_queues_user_with_the_tables_key_and_alone():
    command = move.command("us-east-1/jada-queue", "table")
    assert "--unit=jada-move-queue" in command
    assert "--property=User=jada-dashboard" in command
    assert "--property=LoadCredential=table_key:/home/jada/secrets/table_key" in command
    assert command[-6:] == ["--state", "/var/lib/jada-dashboard", "--table", "us-east-1/jada-queue", "--to", "table"]


def test_the_program_takes_what_it_is_given(capsys):
    words = move.command("us-east-1/jada-queue", "file")
    assert program.main(words[words.index("dashboard.move") + 1 :]) == 1
    assert "table_key: is missing" in capsys.readouterr().err


def test_all_that_could_write_the_queue_is_paused():
    assert QUEUE in ALL


def test_another_place_is_refused_before_anything_is_asked():
    with pytest.raises(CommandError, match="no place of a queue"):
        move.move_queue(Context(), to="sqlite")


def test_a_queue_that_hosts_share_is_not_taken_into_the_file_of_one():
    host = {"username": "admin", "address": "192.0.2.7", "private_address": "10.0.0.7"}
    hosts = [{"name": "jada-1", **host}, {"name": "jada-2", **host}]
    two = decode(Inventory, {"region": "us-east-1", "hosts": hosts}, "inventory")
    move.require_one_host(two, "table")
    with pytest.raises(CommandError, match="jada-1, jada-2 share the queue, and a file is one host's"):
        move.require_one_host(two, "file")
