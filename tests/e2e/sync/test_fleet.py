"""Two hosts over one table: each with its own dashboard, memory and secrets; one sheet, and one sync at a time."""

import contextlib
import shutil
import signal
from dataclasses import replace

import pytest

from dashboard.application import create as dashboard
from dashboard.stores.dynamodb.store import DynamoStore
from dashboard.stores.dynamodb.table import Table
from local.serve import running
from sync.held import GOOGLE_S
from sync.lease import TTL_S
from tests import dynamo
from tests.e2e.sync import conftest
from tests.e2e.sync.conftest import TOKEN, ended
from tests.tokens import accepting
from wire.secret import Secret


class Fleet:
    """Two hosts; `clock` is the one by which their dashboards see a lease end."""

    def __init__(self, a, b, clock):
        self.a, self.b, self._clock = a, b, clock

    def lease_ends(self):
        self._clock[0] += TTL_S + GOOGLE_S + 1

    def killed(self, when):
        """A run of the first host, killed at a write that `when` holds of, which Google carries out all the same."""
        process = self.a.start()

        def kill():
            if when(self.a.watched.calls):
                process.kill()
                process.wait()
                return
            self.a.watched.before_write = kill

        self.a.watched.calls.clear()
        self.a.watched.before_write = kill
        assert ended(process).returncode == -9


@pytest.fixture
def fleet(tmp_path):
    clock = [1000.0]
    made = dynamo.client(dynamo.address())
    with dynamo.table(made) as name, contextlib.ExitStack() as stack:
        town = stack.enter_context(conftest.opened(tmp_path / "town"))
        conftest._furnish(town)
        hosts = []
        for host in "ab":
            folder = tmp_path / host
            shutil.copytree(town.folder / "secrets", folder / "secrets")
            (folder / "state").mkdir()
            store = stack.enter_context(contextlib.closing(DynamoStore(Table(made, name))))
            app = dashboard(store, accepting(Secret(TOKEN)), boottime=lambda: clock[0])
            here = replace(town, folder=folder, dashboard=stack.enter_context(running(app)))
            here.configure()
            with (folder / "jada.toml").open("a") as file:
                file.write('\n[dashboard]\ntable = "eu-west-1/queue"\n')
            hosts.append(here)
        assert hosts[0].run().returncode == 0
        town.watched.calls.clear()
        yield Fleet(*hosts, clock)


def test_a_host_that_does_not_have_the_sync_ends_quietly_and_the_next_run_goes_on(fleet):
    key = fleet.a.rows()[3]["id"]
    fleet.a.book(key, rate="321.50")
    beside = []
    fleet.a.watched.before_write = lambda: beside.append(fleet.b.run())
    assert fleet.a.run().returncode == 0
    assert (beside[0].returncode, beside[0].stderr) == (0, "")
    assert "has the sync" in beside[0].stdout
    assert fleet.a.rows()[3]["rate"] == 321.5
    assert len(fleet.b.reports()) == 2
    # The user's edit is known for one only by what the other host settled.
    fleet.a.person(range="Bookings!D3", value="Countess Ada")
    assert fleet.b.run().returncode == 0
    assert [run.outcome for run in fleet.a.reports()] == ["unchanged", "changed", "changed"]
    assert fleet.b.alarms() == []


@pytest.mark.parametrize("writes", [1, 2])
def test_a_host_that_is_killed_is_followed_by_another(fleet, writes):
    """At its write, of which only the copy tells then, and when it deletes the copy."""
    key = fleet.a.rows()[3]["id"]
    fleet.a.book(key, rate="321.50")
    fleet.killed(lambda calls: sum(map(conftest.is_write, calls)) == writes)
    calls = len(fleet.a.watched.calls)
    assert fleet.b.run().returncode == 0
    assert len(fleet.a.watched.calls) == calls
    fleet.lease_ends()
    done = fleet.b.run()
    assert done.returncode == 0, done.stderr
    assert [row["rate"] for row in fleet.b.rows()].count(321.5) == 1
    assert len(fleet.b.rows()) == 40
    assert fleet.b.alarms() == []


def test_a_host_that_is_frozen_while_it_writes_wakes_to_nothing_more(fleet):
    """Its one write comes after another host's, under the same id for its copy: Google refuses it."""
    key = fleet.a.rows()[3]["id"]
    fleet.a.book(key, rate="111")
    process = fleet.a.start()
    since = []

    def freeze():
        process.send_signal(signal.SIGSTOP)
        fleet.b.book(key, rate="222")
        assert "has the sync" in fleet.b.run().stdout
        fleet.lease_ends()
        assert fleet.b.run().returncode == 0
        since.append(len(fleet.a.watched.calls))
        process.send_signal(signal.SIGCONT)

    fleet.a.watched.before_write = freeze
    done = ended(process)
    assert done.returncode == 0, done.stderr
    assert "another host took the sync over" in done.stdout
    assert [call for call in fleet.a.watched.calls[since[0] :] if conftest.is_write(call)] == []
    assert fleet.b.rows()[3]["rate"] == 222
    assert [run.outcome for run in fleet.b.reports()] == ["changed", "changed"]
    assert fleet.b.alarms() == []


def test_a_plan_that_was_to_be_written_and_was_not_fails(fleet):
    fleet.a.book(fleet.a.rows()[3]["id"], rate="111")
    name = fleet.b.run("--dry-run").stdout.rpartition("--plan ")[2].split()[0]
    beside = []
    fleet.a.watched.before_write = lambda: beside.append(fleet.b.run("--plan", name))
    assert fleet.a.run().returncode == 0
    assert (beside[0].returncode, "has the sync" in beside[0].stderr) == (75, True)


def test_a_host_that_remains_alone_goes_on_from_the_last_run_of_any(fleet):
    """Its queue went back to a file, which has what the sync kept: a user's edit since then is no conflict."""
    key = fleet.a.rows()[1]["id"]
    fleet.a.book(key, rate="321.50")
    assert fleet.b.run().returncode == 0
    fleet.a.person(range="Bookings!N3", value="77")
    fleet.a.configure()
    assert fleet.a.run().returncode == 0
    assert (fleet.a.rows()[1]["rate"], fleet.a.report().conflicts) == (77, 0)


def test_without_its_dashboard_a_host_reads_and_writes_nothing(fleet):
    fleet.b.dashboard = "http://127.0.0.1:9"
    fleet.b.configure()
    with (fleet.b.folder / "jada.toml").open("a") as file:
        file.write('\n[dashboard]\ntable = "eu-west-1/queue"\n')
    fleet.b.fails("lease_unknown")
    assert fleet.b.watched.calls == []
