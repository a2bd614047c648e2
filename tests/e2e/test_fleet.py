"""Three real hosts over one table: one is lost at work, a broken release stops at the first, a good one reaches all."""

import contextlib
import json
import re
import shutil
import subprocess

import pytest

from local import loss
from local.demo import LONG
from local.process import wait_until
from local.site import DYNAMODB
from provision.progress import Progress
from provision.target import load_target
from tests.e2e.chain.conftest import demo
from tests.newcomer import newcomer
from wire.types import EventKind, Exit, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain, pytest.mark.timeout(600, func_only=True)]
HOSTS = ("jada-1", "jada-2", "jada-3")
CURRENT = ["readlink", "/opt/jada-agent/current"]


@pytest.fixture(scope="module")
def user():
    """Who has the demo made, by sudo, from a clone at home."""
    with newcomer() as account:
        yield account


@pytest.fixture(scope="module")
def chain(user):
    """A demo of three hosts, of which one was lost and started again; all that is done to it is done as its user."""
    with demo("HOSTS=3", newcomer=user, limit_s=1500) as chain:
        # Three deploys, one after the other.
        chain.limit_s = 580
        yield chain


def releases(chain):
    """The release of each host, and whether its dashboard serves it."""
    target, found = load_target("local", chain.env, chain.folder), {}
    for name in HOSTS:
        with target.connected(name, Progress(aside=True)) as box:
            is_active = ["systemctl", "show", "--value", "--property=ActiveState", "jada-dashboard.service"]
            found[name] = tuple(box.run(words).decode().strip() for words in (CURRENT, is_active))
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


def places(told):
    """What the closing page names, without its notes."""
    lines = told.partition("Where to look")[2].partition("What next")[0].splitlines()
    return [word for line in lines for word in re.split(r"\s{2,}", line.strip())[1:] if not word.startswith("(")]


def test_all_that_the_closing_page_names_works_in_the_users_own_shell(chain, user):
    named = places(chain.told)
    page, proofs = "fab dashboard", ("fab verify", "pulumi up")  # by the next tests; by the demo itself, as the user
    assert {page, *proofs, "fab status", "pulumi stack"} < set(named)
    (first,) = [line for line in named if "make env" in line]
    (sheet,) = [line for line in named if line.startswith("http")]
    commands = [line for line in named if line not in (first, page, *proofs, sheet)]
    done = user.shell("\n".join([first, *commands, "fab task.list"]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert LONG in done.stdout
    assert list(user.home.glob("*/occupancy.csv"))


def test_env_prints_exports_and_nothing_else(chain, user):
    done = user.shell(f"make env JADA_SITE={chain.site.name}")
    assert (done.returncode, done.stderr) == (0, "")
    *exports, there = done.stdout.splitlines()
    assert [line for line in exports if not line.startswith("export ")] == []
    assert there == f"cd {chain.folder}"


def test_all_that_was_made_for_the_user_is_the_users(chain, user):
    assert user.not_its_own(user.clone) == []


def test_what_tests_by_sudo_leave_in_the_users_checkout_is_the_users(chain, user):
    done = user.sudo(".venv/bin/pytest", "-n", "1", "tests/unit/test_settings.py", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert (user.clone / ".pytest_cache").is_dir()
    assert user.not_its_own(user.clone) == []


def test_no_call_of_the_lost_session_began_twice_and_all_work_was_done_once(chain):
    with chain.dashboard() as client:
        for task in client.tasks():
            runs = client.sessions(task.id)
            assert runs[-1].exit is Exit.FINISHED
            for run in runs:
                require_all_once(client.events(run.id))


def require_all_once(events):
    """Each call began once and ended, and no record is missing."""
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


@contextlib.contextmanager
def at_work(chain):
    """A task whose session has done something, and whose model keeps silent inside the block."""
    # Each time that it is asked: after two minutes without a word the session asks again, and a deploy can take longer.
    loss._order(chain.site, "POST", {"hold": True, "match": "Roll over", "turn": 2})
    try:
        with chain.dashboard() as client:
            task = client.add_task(NewTask(title="Roll over"))

            def has_looked():
                runs = client.sessions(task.id)
                return runs and EventKind.TOOL_RESULT in {event.kind for event in client.events(runs[0].id)}

            assert wait_until(has_looked, 120, 0.3)
        yield task
    finally:
        loss.release_answers(chain.site)


def test_a_release_goes_over_all_hosts_and_what_runs_goes_on_from_where_it_was(chain):
    before = releases(chain)
    with at_work(chain) as task, changed(chain, "wire", "__init__.py", "# another release\n"):
        chain.fab("deploy")
    with chain.dashboard() as client:
        finished(client, task)
        (run,) = client.sessions(task.id)
        events = client.events(run.id)
        require_all_once(events)
        assert (client.task(task.id).sessions_used, run.exit) == (1, Exit.FINISHED)
        assert client.task(task.id).fence > 1
        assert EventKind.SUSPEND in {event.kind for event in events}
    after = releases(chain)
    assert {release for release, _ in after.values()} != {release for release, _ in before.values()}
    assert len({release for release, _ in after.values()}) == 1
    assert {state for _, state in after.values()} == {"active"}


@contextlib.contextmanager
def cut_off_from_the_table(chain, name):
    """Inside the block what a host sends to the table is dropped on its way."""
    said = chain.run("pulumi", "stack", "output", "inventory", "--json", "--stack", "local").stdout
    address = next(each["private_address"] for each in json.loads(said)["hosts"] if each["name"] == name)
    nft = ["nsenter", f"--net=/run/netns/{chain.site.edge}", "nft"]
    rules = (
        "add table ip cut\nadd chain ip cut off { type filter hook input priority 0; }\n"
        f"add rule ip cut off ip saddr {address} tcp dport {DYNAMODB} drop\n"
    )
    subprocess.run([*nft, "--file", "-"], input=rules, text=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*nft, "delete", "table", "ip", "cut"], check=True)


def test_a_host_that_is_cut_off_from_the_table_is_passed_over_and_the_others_work_on(chain):
    with cut_off_from_the_table(chain, "jada-1"):
        added = chain.fab("task.add", "--title", "Ask about nothing")
        assert "jada-1 is passed over" in added.stderr
        assert "jada-2 is asked" in added.stderr
        task_id = added.stdout.strip()
        with chain.dashboard("--host", "jada-2") as client:
            finished(client, client.task(task_id))
    assert wait_until(lambda: "passed over" not in chain.fab("task.list").stderr, 60, 1)
    with chain.dashboard() as client:
        (run,) = client.sessions(task_id)
        assert (client.task(task_id).fence, run.exit) == (1, Exit.FINISHED)
