"""Today's release and one that has landed work one queue, both ways: as every deploy and every rollback has them.

landed_release.txt names the commit; where git does not have it, these tests fail.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from local.ports import reserved
from tests.tokens import accepting
from wire.client import Client, Unreachable
from wire.secret import Secret
from wire.types import ClaimRequest, NewTask, State

ROOT = Path(__file__).parents[2]
LANDED = (Path(__file__).parent / "landed_release.txt").read_text().split()[0]
TOKEN = Secret("a-token-of-the-tests")
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
    """The landed release's tree, as git has it."""
    done = subprocess.run(["git", "archive", LANDED], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, f"git does not have the landed release {LANDED}: {done.stderr.decode()}"
    folder = tmp_path_factory.mktemp("landed")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tree:
        tree.extractall(folder, filter="data")
    return folder


@contextlib.contextmanager
def serving(tree, state):
    """The dashboard of a tree over a state folder, as a program of its own; yields its URL."""
    with reserved() as port, _serving(tree, state, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _serving(tree, state, port):
    state.mkdir(exist_ok=True)
    settings = f'[dashboard]\nsocket = "{state}/queue.sock"\nlisten = "127.0.0.1:{port}"\n'
    (state / "jada.toml").write_text(settings)
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
