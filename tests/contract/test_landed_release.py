"""Today's release and one that has landed work one queue, both ways: as every deploy and every rollback has them.

landed_release.txt names the commit; where git does not have it, these tests fail.
"""

import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.ports import reserved
from tests import dynamo
from tests.tokens import accepting
from wire.client import Client, Unreachable
from wire.secret import Secret
from wire.types import AskedBudget, ClaimRequest, Exit, NewTask, SessionEnd, State

ROOT = Path(__file__).parents[2]
LANDED = (Path(__file__).parent / "landed_release.txt").read_text().split()[0]
TRANSACTIONS = "9d037e7039526204d0bd666e1477122456d92774"
"""The last release whose families were booked by transactions (decision 102); the landed one has no table."""
TOKEN = Secret("a-token-of-the-tests")
LATER = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
WORK = """
import os, sys
from datetime import UTC, datetime
import wire
from wire.client import Client
from wire.secret import Secret
from wire.types import *
assert wire.__file__.startswith(os.getcwd()), "another release's code was imported"
client = Client(sys.argv[1], Secret(sys.argv[2]))
# Of today: of a run long ago the dashboard raises an alarm, the newest task, as soon as its watch looks.
AT = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
new = NewTask(title=sys.argv[3], priority=9, context=(File(name="a.csv", content=b"1"),))
task = client.add_task(new, key=sys.argv[3])
assert client.add_task(new, key=sys.argv[3]) == task
claim = client.claim(ClaimRequest(host="h"))
assert claim.context[0].content == b"1"
fence = claim.lease.fence
client.heartbeat(claim.task.id, Heartbeat(fence=fence))
client.deliver(claim.session.id, Batch(fence=fence, events=(Event(n=1, at=AT, kind=EventKind.HEADER),)))
end = SessionEnd(fence=fence, exit=Exit.FINISHED, result="done", files=(File(name="r", content=b"2"),))
assert client.end(claim.session.id, end).state == "done"
client.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED))
assert [t.title for t in client.tasks()][0] == sys.argv[3]
assert client.events(claim.session.id)[0].kind == "header"
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory):
    """The landed release's tree."""
    return unpacked(LANDED, tmp_path_factory.mktemp("landed"))


@pytest.fixture(scope="module")
def with_transactions(tmp_path_factory):
    """The tree of the last release with transactions."""
    return unpacked(TRANSACTIONS, tmp_path_factory.mktemp("transactions"))


def unpacked(commit, folder):
    """A release's tree, as git has it."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, f"git does not have the release {commit}: {done.stderr.decode()}"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tree:
        tree.extractall(folder, filter="data")
    return folder


@contextlib.contextmanager
def serving(tree, state, more=""):
    """The dashboard of a tree over a state folder, as a program of its own; yields its URL."""
    with reserved() as port, _serving(tree, state, port, more):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _serving(tree, state, port, more):
    state.mkdir(exist_ok=True)
    settings = f'[dashboard]\nsocket = "{state}/queue.sock"\nlisten = "127.0.0.1:{port}"\n{more}'
    (state / "jada.toml").write_text(settings)
    (state / "table_key").write_text("local:local\n")
    (state / "tokens.json").unlink(missing_ok=True)
    accepting(TOKEN, file=state / "tokens.json")
    command = [sys.executable, "-m", "dashboard", "--settings", str(state / "jada.toml"), "--state", str(state)]
    env = {**os.environ, "PYTHONPATH": str(tree), "CREDENTIALS_DIRECTORY": str(state)}
    with subprocess.Popen(command, env=env, cwd=tree) as process:
        try:
            wait_for(Client(f"http://127.0.0.1:{port}", TOKEN, retries=0), process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(client, process):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(Unreachable):
            return list(client.tasks())
        time.sleep(0.05)
    raise AssertionError("the dashboard did not come up")


def work(tree, url, title):
    """Do all that a worker, a sync and an operator do, with a tree's own client."""
    command = [sys.executable, "-c", WORK, url, TOKEN.reveal(), title]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tree)}, cwd=tree, check=True, timeout=60)


def test_each_ones_client_works_with_the_others_dashboard(landed, tmp_path):
    for server, client in ((landed, ROOT), (ROOT, landed)):
        with serving(server, tmp_path / server.name) as url:
            work(client, url, f"{client.name} at {server.name}")


def test_each_ones_dashboard_is_reached_over_its_socket_by_todays_client(landed, tmp_path):
    # While a deploy or a rollback restarts one unit after the other, today's worker meets the landed dashboard.
    for server in (landed, ROOT):
        state = tmp_path / server.name
        with serving(server, state):
            client = Client(f"unix:{state}/queue.sock")
            client.add_task(NewTask(title="over the socket"))
            assert client.claim(ClaimRequest(host="h")).task.title == "over the socket"


def test_one_queue_goes_from_one_to_the_other_and_back(landed, tmp_path):
    for number, tree in enumerate((landed, ROOT, landed, ROOT)):
        with serving(tree, tmp_path / "state") as url:
            client = Client(url, TOKEN)
            work(tree, url, f"whole {number}")
            if number:
                claim = client.claim(ClaimRequest(host="h"))
                assert claim.task.title == f"left {number - 1}"
            client.add_task(NewTask(title=f"left {number}", description="goes on in the other release"))
            done = {task.title for task in client.tasks(State.DONE) if task.title.startswith("whole")}
            assert done == {f"whole {each}" for each in range(number + 1)}


@pytest.fixture
def table():
    """A new table, as the settings name it, and no caps of the day."""
    with dynamo.table(dynamo.client(dynamo.address())) as name:
        place = f"{dynamo.address()}/{name}"
        yield f'table = "{place}"\n[dashboard.fleet]\nsessions_per_day = 0\nusd_per_day = 0\n'


def claimed(clients):
    """Claim by all of them at once, then one by one, until there is nothing more; return what was claimed, by whom."""

    def until_none(number):
        found = []
        while claim := clients[number].claim(ClaimRequest(host=f"h{number}")):
            found.append((claim, number))
        return found

    with ThreadPoolExecutor(len(clients)) as pool:
        at_once = [each for some in pool.map(until_none, range(len(clients))) for each in some]
    # At once one may find nothing because another is just about to take it, or not.
    return at_once + [each for number in range(len(clients)) for each in until_none(number)]


def test_both_book_a_familys_dollars_at_once_and_give_back_what_the_other_took(with_transactions, table, tmp_path):
    """Over one table, as while a fleet is deployed host by host."""
    trees = (with_transactions, ROOT)
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(serving(tree, tmp_path / f"host-{n}", table)) for n, tree in enumerate(trees)]
        # Two of each, so that each meets itself and the other.
        clients = [Client(url, TOKEN) for url in urls * 2]
        for first, second in ((0, 1), (1, 0)):
            new = NewTask(title="family", not_before=LATER, budget=AskedBudget(sessions=40, usd_micros=3_000_000))
            parent = clients[first].add_task(new).id
            child = functools.partial(NewTask, parent=parent, budget=AskedBudget(usd_micros=1_000_000))
            for n in range(8):
                clients[n % 2].add_task(child(title=f"child {n}"))
            spent = 0
            for reserved in ([1_000_000] * 3, [1_000_000, 1_000_000, 400_000], [1_000_000, 800_000]):
                taken = claimed(clients)
                assert sorted((claim.session.usd_micros for claim, _ in taken), reverse=True) == reserved
                for claim, number in taken:
                    cost, fence = 200_000, claim.lease.fence
                    # The other release ends what this one claimed.
                    end = SessionEnd(fence=fence, exit=Exit.FINISHED, result="counted", turns=1, usd_micros=cost)
                    clients[number ^ 1].end(claim.session.id, end)
                    spent += cost
            assert claimed(clients) == []
            for client in clients[:2]:
                family = [task for task in client.tasks() if parent in (task.id, task.parent)]
                assert [task.state for task in family].count(State.DONE) == 8
                assert sum(task.usd_micros_spent for task in family) == spent
            assert clients[second].cancel(parent).state is State.CANCELLED
