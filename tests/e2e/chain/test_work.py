"""The three tasks came to what they should, and no death of a process or of the host loses or repeats work."""

import collections
import contextlib
import csv
import datetime as dt
import decimal
import io
import re
import shutil

import pytest
import urllib3

from local.hosts import container
from local.process import wait_until
from local.site import BOOKINGS, CLAUDE
from tests.browser import Browser
from wire.types import Budget, EventKind, Exit, File, NewTask, State

pytestmark = [pytest.mark.root, pytest.mark.chain]
LONG = "Check every booking"


@pytest.fixture(scope="module", autouse=True)
def worked(chain):
    """The demo's tasks are done, wherever these tests run."""
    chain.have_worked()


@pytest.fixture
def client(chain):
    with chain.dashboard() as client:
        yield client


def finished(client, task, seconds=180):
    """Wait until a task is done; returns it."""
    assert wait_until(lambda: client.task(task.id).state in (State.DONE, State.FAILED, State.NEEDS_YOU), seconds, 0.3)
    return client.task(task.id)


def titled(client, title):
    """The demo's own task: other tests have later ones of the same title, by which the script is chosen."""
    return [task for task in client.tasks() if task.title == title][-1]


def bookings(chain):
    token = (chain.site.state / "secrets" / "bookings_token").read_text()
    url = f"{chain.site.url(BOOKINGS)}/v1/bookings.csv"
    return urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"}).data


def swept(text):
    """Occupancy by hotel and month, from the comings and goings alone: never a list of nights."""
    changes = collections.defaultdict(collections.Counter)
    for row in csv.DictReader(io.StringIO(text)):
        if row["status"] not in ("cancelled", "no_show") and row["arrival"] < row["departure"]:
            changes[row["hotel"]][dt.date.fromisoformat(row["arrival"])] += 1
            changes[row["hotel"]][dt.date.fromisoformat(row["departure"])] -= 1
    return {hotel: _months(days) for hotel, days in changes.items()}


def _months(days):
    occupied, most, months = 0, 0, collections.Counter()
    day = min(days)
    while day <= max(days):
        occupied += days[day]
        most = max(most, occupied)
        if occupied:
            months[day.strftime("%Y-%m")] += occupied
        day += dt.timedelta(days=1)
    return most, months


def test_the_occupancy_is_right_by_another_way(chain, client):
    report = client.result_file(titled(client, "Season occupancy").id, "occupancy.csv").decode()
    rows = list(csv.DictReader(io.StringIO(report)))
    expected = swept(bookings(chain).decode())
    seen = {hotel: (0, collections.Counter()) for hotel in expected}
    for row in rows:
        seen[row["hotel"]][1][row["month"]] = int(row["room_nights"])
        rooms, nights = expected[row["hotel"]][0], int(row["nights"])
        share = decimal.Decimal(100 * int(row["room_nights"])) / (rooms * nights)
        assert decimal.Decimal(row["occupancy_percent"]) == share.quantize(decimal.Decimal("0.1"), "ROUND_HALF_UP")
        assert int(row["rooms"]) == rooms
    assert {h: months for h, (_, months) in seen.items()} == {h: months for h, (_, months) in expected.items()}


def test_the_turn_limit_hands_over_and_a_second_session_finishes(client):
    first, second = client.sessions(titled(client, LONG).id)
    assert (first.exit, first.turns) == (Exit.TURN_LIMIT, 30)
    assert second.exit is Exit.FINISHED
    asked = [event for event in client.events(first.id) if event.kind is EventKind.RESERVE]
    assert len(asked) == 30


def test_the_question_is_answered_in_the_same_session(client):
    task = titled(client, "Ask about the group booking")
    (session,) = client.sessions(task.id)
    assert session.exit is Exit.FINISHED
    assert "Keep them until Friday" in task.result


def test_the_transcript_is_readable_on_the_page(chain):
    with chain.tunnel() as tunnel:
        browser = Browser(f"http://127.0.0.1:{tunnel.port}")
        browser.open(tunnel.link)
        page = browser("GET", f"/tasks/{titled(tunnel.client, 'Season occupancy').id}").data.decode()
    assert "occupancy.csv" in page
    assert "python3" in page
    assert re.findall(r"<script(?! src=\"/assets/)", page) == []  # ours are files; the model's words are text


def test_the_daemon_is_small_and_never_imports_the_sdk(chain):
    pid = chain.host("systemctl show -P MainPID jada-agent").strip()
    kilobytes = int(chain.host(f"grep ^Pss: /proc/{pid}/smaps_rollup").split()[1])
    assert kilobytes < 30 * 1024
    assert "anthropic" not in chain.host(f"cat /proc/{pid}/maps")


@contextlib.contextmanager
def waiting_for_an_answer(chain, client):
    """A task of two sessions that waits for the model after some finished calls, and cannot go on inside the block."""
    faults = f"{chain.site.url(CLAUDE)}/_local/faults"
    held = {"hold": True, "times": 1, "match": LONG, "turn": 6}
    assert urllib3.request("POST", faults, json=held).status == 200
    try:
        new = NewTask(
            title=LONG,
            context=(File(name="bookings.csv", content=bookings(chain)),),
            budget=Budget(sessions=5),
        )
        task = client.add_task(new)
        assert wait_until(lambda: urllib3.request("GET", faults).json()["held"] == 1, 60)
        assert [session.exit for session in client.sessions(task.id)] == [None]
        yield task
    finally:
        urllib3.request("DELETE", faults)


def require_each_call_once(client, task):
    """The task is done in two sessions, as without a death; no call began twice, none is without its result."""
    done = finished(client, task)
    assert done.state is State.DONE, done
    assert [session.exit for session in client.sessions(task.id)] == [Exit.TURN_LIMIT, Exit.FINISHED]
    for session in client.sessions(task.id):
        events = client.events(session.id)
        started = [e.data["tool_use_id"] for e in events if e.kind is EventKind.TOOL_STARTED]
        results = [e.data["tool_use_id"] for e in events if e.kind is EventKind.TOOL_RESULT]
        assert len(set(started)) == len(started)
        assert len(set(results)) == len(results)
        assert set(started) <= set(results)


def test_a_killed_session_goes_on_as_itself(chain, client):
    with waiting_for_an_answer(chain, client) as task:
        chain.host('kill -9 $(pgrep -f "[a]gent.session")')
    require_each_call_once(client, task)


def test_a_killed_daemon_goes_on_with_the_same_session(chain, client):
    with waiting_for_an_answer(chain, client) as task:
        chain.host("kill -9 $(systemctl show -P MainPID jada-agent)")
    require_each_call_once(client, task)


def test_a_host_that_loses_power_goes_on_with_the_same_session(chain, client):
    with waiting_for_an_answer(chain, client) as task:
        chain.log_out()
        container.crash(chain.site, 1)
    assert wait_until(lambda: chain.fab("ssh", "--command", "true", check=False).returncode == 0, 60)
    with chain.dashboard() as again:
        require_each_call_once(again, task)


@contextlib.contextmanager
def another_release(chain):
    """Inside the block another tree is deployed, changed for all parts; after it the host has the first one again."""
    wire = chain.folder / "wire"
    source = wire.resolve()
    wire.unlink()
    shutil.copytree(source, wire, ignore=shutil.ignore_patterns("__pycache__"))
    (wire / "__init__.py").write_text((wire / "__init__.py").read_text() + "# another release\n")
    try:
        yield
    finally:
        shutil.rmtree(wire)
        wire.symlink_to(source)
        chain.fab("deploy")
        chain.fab("attach")


def test_a_deploy_drains_a_session_and_its_task_goes_on_under_the_new_release(chain, client):
    def release():
        return chain.host("readlink /opt/jada-agent/current")

    before = release()
    with another_release(chain):
        with waiting_for_an_answer(chain, client) as task:
            said = chain.fab("deploy").stdout
        assert "try a copy of the queue with this release" in said
        assert "deployed; the host watches it" in said
        assert chain.fab("attach").stdout.rstrip().endswith("is proven")
        assert release() != before
        require_each_call_once(client, task)
    assert release() == before
