"""Three real hosts over one table: one is lost at work, a broken release stops at the first, a good one reaches all."""

import contextlib
import json
import shutil

import pytest

from local.demo import LONG
from local.process import wait_until
from tests.e2e.chain.conftest import demo
from wire.types import EventKind, Exit, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain, pytest.mark.timeout(600, func_only=True)]
HOSTS = ("jada-1", "jada-2", "jada-3")


@pytest.fixture(scope="module")
def chain():
    """A demo of three hosts, of which one was lost and started again."""
    with demo("--hosts", "3") as chain:
        yield chain


def releases(chain):
    """The release of each host, and whether its dashboard serves it."""
    found = {}
    for name in HOSTS:
        said = json.loads(chain.fab("status", "--host", name, "--json").stdout)
        found[name] = (said["release"], said["units"]["jada-dashboard.service"]["ActiveState"])
    return found


def finished(client, task, seconds=120):
    assert wait_until(lambda: client.task(task.id).state is State.DONE, seconds, 0.3), client.task(task.id)


@contextlib.contextmanager
def changed(chain, part, file, text):
    """Inside the block the tree that is deployed has another text at the end of a file of a part."""
    folder = chain.folder / part
    source = folder.resolve()
    folder.unlink()
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / file).write_text((folder / file).read_text() + text)
    try:
        yield
    finally:
        shutil.rmtree(folder)
        folder.symlink_to(source)


def test_the_demo_tells_what_became_of_the_lost_hosts_task_and_proves_every_host(chain):
    for words in (
        f"works on “{LONG}”",
        "goes on with the same session",
        "the model was told: this task goes on on another host, because work on the one before broke off",
        "is started again",
    ):
        assert words in chain.told
    assert all(f"{name}  " in chain.told for name in HOSTS)


def test_no_call_of_the_lost_session_began_twice_and_all_work_was_done_once(chain):
    with chain.dashboard() as client:
        for task in client.tasks():
            runs = client.sessions(task.id)
            assert runs[-1].exit is Exit.FINISHED
            for run in runs:
                events = client.events(run.id)
                started = [e.data["tool_use_id"] for e in events if e.kind is EventKind.TOOL_STARTED]
                results = [e.data["tool_use_id"] for e in events if e.kind is EventKind.TOOL_RESULT]
                assert len(set(started)) == len(started)
                assert len(set(results)) == len(results)
                assert set(started) <= set(results)
                assert [event.n for event in events] == [*range(1, len(events) + 1)]


def test_a_broken_release_is_stopped_at_the_first_host_and_the_others_serve(chain):
    before = releases(chain)
    settings = chain.folder / "jada.local.toml"
    good = settings.read_text()
    settings.write_text(good.replace("health_s = 60", "health_s = 15"))
    try:
        with changed(chain, "dashboard", "server.py", "raise SystemExit('broken')\n"):
            refused = chain.fab("deploy", check=False)
    finally:
        settings.write_text(good)
    assert refused.returncode != 0
    lines = (refused.stdout + refused.stderr).splitlines()
    assert [line for line in lines if line.startswith("jada-1  failed: ")]
    assert [line.split("  ")[1] for line in lines if line.startswith(("jada-2  ", "jada-3  "))] == (
        ["not begun, because another host failed"] * 2
    )
    assert releases(chain) == before
    with chain.dashboard() as client:
        finished(client, client.add_task(NewTask(title="Ask about nothing")))


def test_a_release_goes_over_all_hosts(chain):
    before = releases(chain)
    with changed(chain, "wire", "__init__.py", "# another release\n"):
        chain.fab("deploy")
    after = releases(chain)
    assert {release for release, _ in after.values()} != {release for release, _ in before.values()}
    assert len({release for release, _ in after.values()}) == 1
    assert {state for _, state in after.values()} == {"active"}
