"""The heartbeat to a service outside: only while all is truly well; its URL is in no log."""

import subprocess
import threading
from datetime import UTC, datetime

import pytest

from dashboard.application import create
from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from notify.heartbeat import EVERY_S, Heartbeat, seen
from tests.clocks import Clock
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.times import stamp
from wire.types import Presence, SyncOutcome, SyncRun

TOKEN = Secret("a-token-of-the-tests")
AT = "2026-05-13T12:00:00Z"
FAILED = SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.FAILED)


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def client():
    with running(create(MemoryStore(), accepting(TOKEN))) as url:
        yield Client(url, TOKEN, retries=0)


@pytest.fixture
def url(receiver):
    return Secret(f"http://127.0.0.1:{receiver.server.server_port}/ping/uuid-canary\n")


@pytest.fixture
def heartbeat(client, url, clock):
    return Heartbeat(client, url, clock, limit_s=60)


def ended(what):
    """Do something in a thread, and wait for its end as long as only a failure takes."""
    doing = threading.Thread(target=what, daemon=True)
    doing.start()
    doing.join(60)
    return not doing.is_alive()


def observed(client):
    """What all is well rests on: a worker that was heard of, a sheet that was in step."""
    now = stamp(datetime.now(UTC))
    client.report(SyncRun(started_at=now, finished_at=now, outcome=SyncOutcome.UNCHANGED))
    client.present(Presence(host="h"))


def test_a_host_that_just_began_is_silence_until_its_worker_and_its_sync_were_seen(heartbeat, receiver, clock, client):
    heartbeat.beat()
    clock.now += EVERY_S
    client.present(Presence(host="h"))
    heartbeat.beat()
    assert receiver.got == []
    clock.now += EVERY_S
    observed(client)
    heartbeat.beat()
    assert [path for path, _, _ in receiver.got] == ["/ping/uuid-canary"]


def test_while_all_is_well_the_url_is_called_once_a_minute(heartbeat, receiver, clock, client):
    observed(client)
    for _ in range(2):
        heartbeat.beat()
        clock.now += EVERY_S - 1
    assert [path for path, _, _ in receiver.got] == ["/ping/uuid-canary"]
    clock.now += 1
    heartbeat.beat()
    assert len(receiver.got) == 2


def test_a_failed_sync_is_said_at_once_with_its_reason(heartbeat, receiver, client):
    client.report(FAILED)
    heartbeat.beat()
    ((path, _, body),) = receiver.got
    assert (path, body) == ("/ping/uuid-canary/fail", b"the sync's run of 2026-05-13T12:00:00Z failed")


def test_news_are_said_before_the_next_beat_is_due_but_only_another_word(heartbeat, receiver, client):
    observed(client)
    heartbeat.beat()
    heartbeat.beat(news=True)
    client.report(FAILED)
    heartbeat.beat()
    assert [path for path, _, _ in receiver.got] == ["/ping/uuid-canary"]
    heartbeat.beat(news=True)
    heartbeat.beat(news=True)
    observed(client)
    heartbeat.beat(news=True)
    assert [path for path, _, _ in receiver.got[1:]] == ["/ping/uuid-canary/fail", "/ping/uuid-canary"]


def test_good_news_that_were_overtaken_on_their_way_are_taken_back_at_once(heartbeat, receiver, client):
    observed(client)
    receiver.drips = "head"
    beating = threading.Thread(target=heartbeat.beat)
    beating.start()
    assert receiver.asked.wait(60)
    client.report(FAILED)
    receiver.release.set()
    beating.join()
    assert [path for path, _, _ in receiver.got] == ["/ping/uuid-canary", "/ping/uuid-canary/fail"]


def test_a_service_that_drips_holds_up_nothing_and_is_called_again_once_that_is_over(
    client, receiver, url, clock, caplog
):
    observed(client)
    receiver.drips = "head"
    beating = Heartbeat(client, url, clock, limit_s=0.1)
    for _ in range(3):
        assert ended(beating.beat)
        clock.now += EVERY_S
    assert receiver.asked.wait(60)
    assert len(receiver.got) == 1
    said = [record.getMessage() for record in caplog.records if record.name == "notify.heartbeat"]
    assert said == ["heartbeat: the service outside did not answer within 0.1 s"]
    receiver.drips = False
    receiver.release.set()
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(60)
    receiver.asked.clear()
    assert ended(beating.beat)
    assert receiver.asked.wait(60)
    assert len(receiver.got) == 2


def test_an_answer_without_an_end_is_known_by_its_status(receiver, url):
    receiver.drips = "body"
    answers = []
    assert ended(lambda: answers.append(seen(url, limit_s=60)))
    assert answers == [(True, "the service outside answered with status 200")]


def test_a_beat_says_what_it_rests_on(heartbeat, receiver, client):
    observed(client)
    heartbeat.beat()
    ((_, _, body),) = receiver.got
    assert [line.rsplit(" ", 2)[0] for line in body.decode().splitlines()] == [
        "the queue was written and read back at", "the worker was heard of at", "the sheet was in step at",
    ]  # fmt: skip


def test_a_dashboard_that_does_not_answer_is_silence(receiver, clock):
    away = Client("http://127.0.0.1:9", TOKEN, retries=0, timeout_s=2)
    Heartbeat(away, Secret(f"http://127.0.0.1:{receiver.server.server_port}/"), clock).beat()
    assert receiver.got == []


def test_without_a_url_nothing_is_asked(clock):
    Heartbeat(None, Secret("\n"), clock).beat()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/uuid-canary", "nonsense uuid-canary"])
def test_a_service_that_is_away_is_logged_once_without_its_url(client, clock, caplog, url):
    caplog.set_level("INFO")
    observed(client)
    beating = Heartbeat(client, Secret(url), clock)
    for _ in range(3):
        beating.beat()
        clock.now += EVERY_S
    said = [record.getMessage() for record in caplog.records if record.name == "notify.heartbeat"]
    assert len(said) == 1
    assert "canary" not in said[0]


@pytest.mark.process
def test_a_queue_that_is_not_ready_is_said_with_its_reason(receiver, clock, tmp_path):
    store = SqliteStore(tmp_path / "queue.db")
    with running(create(store, accepting(TOKEN))) as url:
        # By a process of its own: to open the file here would drop SQLite's locks on it.
        subprocess.run(["rm", tmp_path / "queue.db"], check=True)
        address = Secret(f"http://127.0.0.1:{receiver.server.server_port}/ping")
        Heartbeat(Client(url, TOKEN, retries=0), address, clock).beat()
    store.close()
    ((path, _, body),) = receiver.got
    assert (path, b"queue.db was deleted" in body) == ("/ping/fail", True)


@pytest.mark.parametrize(("status", "taken"), [(200, True), (404, False), (500, False)])
def test_whether_the_service_takes_calls_is_asked_by_a_line_for_its_log_and_never_by_a_beat(
    receiver, url, status, taken
):
    receiver.status = status
    assert seen(url) == (taken, f"the service outside answered with status {status}")
    assert [path for path, _, _ in receiver.got] == ["/ping/uuid-canary/log"]
