"""Two hosts with a daemon each, and a dashboard each over one table: a deploy of one hands its session to the other."""

from contextlib import ExitStack, closing

import pytest

from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from tests import dynamo
from tests.contract.daemon.conftest import Program, Site
from wire.types import EventKind, Exit, State

LEASE_S = 120


class Host:
    """A site over the table, and its daemon as a program."""

    def __init__(self, folder, release, store):
        folder.mkdir()
        # No load lets a heartbeat wait so long: what is lost goes on elsewhere, and here only a deploy may cause that.
        self.site = Site(folder / folder.name, release, store, lease_s=LEASE_S)
        self.program = Program(self.site, folder)

    def end(self):
        self.program.end()
        self.site.stop()


@pytest.fixture
def hosts(tmp_path, release):
    client = dynamo.client(dynamo.address())
    with dynamo.table(client) as name, ExitStack() as stack:

        def host(folder):
            store = stack.enter_context(closing(DynamoStore(Table(client, name))))
            made = Host(tmp_path / folder, release, store)
            stack.callback(made.end)
            return made

        yield host("one"), host("two")


def test_a_deploy_of_one_host_hands_its_session_to_the_other_with_its_journal_and_nothing_runs_twice(hosts):
    one, two = hosts
    task = one.site.add("write hang look")
    before = one.program.start()
    session = one.site.process()[2]
    one.site.until(lambda: len(one.site.client.events(one.site.client.sessions(task.id)[0].id)) == 2)
    # As a deploy: it is asked to stop, and begins again under its new release once the other has gone on.
    before.terminate()
    assert before.wait(60) == 0
    assert one.site.gone(session)
    waits = two.site.client.task(task.id)
    assert (waits.state, waits.sessions_used) == (State.QUEUED, 1)
    drained = two.site.client.events(two.site.client.sessions(task.id)[0].id)
    two.program.start()
    two.site.until(lambda: two.site.client.task(task.id).fence == 2)
    one.program.start()
    done = two.site.until(lambda: (seen := two.site.client.task(task.id)).state is State.DONE and seen)

    (run,) = one.site.client.sessions(task.id)
    events = one.site.client.events(run.id)
    assert (run.exit, done.fence, done.sessions_used) == (Exit.FINISHED, 2, 1)
    # Its journal is the first host's, word for word, and goes on from there; what was in the workspace came along.
    assert events[: len(drained)] == drained
    assert [event.n for event in events] == [*range(1, len(events) + 1)]
    assert [event.kind for event in events] == [
        EventKind.HEADER,
        EventKind.SETTLE,
        EventKind.SUSPEND,
        EventKind.SETTLE,
        EventKind.END,
    ]
    assert "notes.txt" in done.result
    assert [path.name for path in one.site.state.glob("sessions/*/process-*.json")] == ["process-1.json"]
