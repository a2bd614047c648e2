"""The queue's copies on a host: made, listed, and put back with the worker going on."""

import json

from wire.types import NewTask


def test_a_copy_is_put_back_by_one_command_and_the_worker_goes_on(chain):
    far = "2090-01-01T00:00:00Z"
    with chain.dashboard() as client:
        before = client.add_task(NewTask(title="before the copy", not_before=far))
    made = json.loads(chain.fab("queue.backup", "--json").stdout)
    assert made["name"] in chain.fab("queue.list").stdout
    with chain.dashboard() as client:
        after = client.add_task(NewTask(title="after the copy", not_before=far))
    said = chain.fab("queue.restore").stdout
    assert f"{made['name']} is in place; what was there is kept as: queue.db.before-" in said
    with chain.dashboard() as client:
        ids = {task.id for task in client.tasks()}
        assert (before.id in ids, after.id in ids) == (True, False)
        client.cancel(before.id)
        assert chain.host("systemctl is-active jada-agent").strip() == "active"


def test_a_copy_that_is_not_there_is_named_and_nothing_changes(chain):
    since = "systemctl show --property=InvocationID --value jada-dashboard jada-agent"
    before = chain.host(since)
    refused = chain.fab("queue.restore", "--backup", "20010101T000000Z.db", check=False)
    assert refused.returncode != 0
    assert "holds no copy 20010101T000000Z.db\n  → it holds 2" in refused.stdout + refused.stderr
    assert chain.host(since) == before
