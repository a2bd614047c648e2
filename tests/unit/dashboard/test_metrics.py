"""The figures, read as a Prometheus reads them: by its own library's parser."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dashboard import metrics
from dashboard.application import create
from dashboard.beside import Beside
from dashboard.settings import Notify, Settings
from dashboard.stores.memory import MemoryStore
from dashboard.stores.sqlite import SqliteStore
from local.serve import running
from tests.tokens import accepting
from wire.client import Client
from wire.times import stamp
from wire.types import (
    AskedBudget,
    Batch,
    ClaimRequest,
    Event,
    EventKind,
    Exit,
    NewTask,
    NightlyBackup,
    Question,
    SessionEnd,
    SyncOutcome,
    SyncRun,
)
from wire.values import dump

GRAFANA = Path(__file__).parents[3] / "docs" / "grafana.json"


@pytest.fixture(params=["memory", "sqlite"])
def held(request, tmp_path):
    made = SqliteStore(tmp_path / "queue.db") if request.param == "sqlite" else MemoryStore()
    yield made
    made.close()


@pytest.fixture
def client(held, clock, token, tmp_path):
    night = NightlyBackup(tried_at=stamp(clock()), sent_at=stamp(clock()), name="a.age", size=7)
    (tmp_path / "nightly.json").write_bytes(dump(night))
    beside = Beside(None, tmp_path / "nightly.json")
    settings = Settings(notify=Notify(targets=("mail",)))
    with running(create(held, accepting(token), settings, clock, beside=beside)) as url:
        yield Client(url, token, retries=0)


def read(client):
    """Each sample's value, by its name and labels."""
    found = text_string_to_metric_families(client.metrics())
    return {
        sample.name + "".join(f",{value}" for value in sample.labels.values()): sample.value
        for family in found
        for sample in family.samples
    }


def report(client, clock, outcome):
    client.report(SyncRun(started_at=stamp(clock()), finished_at=stamp(clock()), outcome=outcome))


def ended(client, exit_=Exit.FINISHED, **fields):
    claim = client.claim(ClaimRequest(host="h"))
    settle = Event(n=1, at="2026-05-13T12:00:00Z", kind=EventKind.SETTLE, data={"usd_micros": 250_000})
    client.deliver(claim.session.id, Batch(fence=claim.lease.fence, events=(settle,)))
    client.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=exit_, **fields))


def test_an_empty_queue_has_noughts_and_nothing_that_was_not_observed(client):
    seen = read(client)
    assert (seen["jada_ready"], seen["jada_tasks,queued"], seen["jada_usd_total"]) == (1, 0, 0)
    assert (seen["jada_oldest_queued_seconds"], seen["jada_oldest_waiting_seconds"]) == (0, 0)
    for name in ("sync_succeeded", "sync_success_timestamp_seconds", "worker_seen_timestamp_seconds"):
        assert f"jada_{name}" not in seen
    assert "jada_turn_limit_ratio,7" not in seen


def test_tasks_are_counted_by_state_and_the_oldest_wait_by_seconds(client, clock):
    client.add_task(NewTask(title="asks"))
    ended(client, Exit.ASKED, question=Question(tool_use_id="tu", text="?"))
    clock.go_on(seconds=20)
    client.add_task(NewTask(title="queued"))
    client.add_task(NewTask(title="later", not_before=stamp(clock() + timedelta(days=1))))
    clock.go_on(seconds=40)
    seen = read(client)
    assert (seen["jada_tasks,queued"], seen["jada_tasks,needs_you"], seen["jada_tasks,done"]) == (2, 1, 0)
    assert seen["jada_oldest_waiting_seconds"] == 60
    assert seen["jada_oldest_queued_seconds"] == 40


def test_a_task_that_runs_is_counted_too(client):
    client.add_task(NewTask(title="t"))
    client.claim(ClaimRequest(host="h"))
    seen = read(client)
    assert (seen["jada_tasks,running"], seen["jada_tasks,queued"]) == (1, 0)


def test_dollars_turns_and_the_rate_come_from_what_was_recorded(client):
    for turns in (30, 30, 7):
        client.add_task(NewTask(title="t", budget=AskedBudget(sessions=1)))
        fields = {"checkpoint": "c"} if turns == 30 else {}
        ended(client, Exit.TURN_LIMIT if turns == 30 else Exit.FINISHED, turns=turns, **fields)
    seen = read(client)
    assert (seen["jada_usd_total"], seen["jada_turns_total"]) == (0.75, 3)
    assert (seen["jada_sessions_today"], seen["jada_sessions_ended,28"]) == (3, 3)
    assert seen["jada_turn_limit_ratio,7"] == pytest.approx(2 / 3)


def test_well_is_said_only_while_queue_worker_and_sync_are_known_to_be(client, clock, held):
    assert read(client)["jada_well"] == 0  # nobody was heard of yet
    client.claim(ClaimRequest(host="h"))
    report(client, clock, SyncOutcome.UNCHANGED)
    assert read(client)["jada_well"] == 1
    report(client, clock, SyncOutcome.FAILED)
    seen = read(client)
    assert (seen["jada_well"], seen["jada_sync_succeeded"]) == (0, 0)
    report(client, clock, SyncOutcome.CHANGED)
    assert read(client)["jada_well"] == 1
    clock.go_on(minutes=16)  # the worker is silent
    seen = read(client)
    assert (seen["jada_well"], seen["jada_ready"]) == (0, 1)
    assert clock().timestamp() - seen["jada_sync_success_timestamp_seconds"] == 16 * 60


def test_a_queue_that_cannot_be_proven_is_neither_ready_nor_well(tmp_path, clock, token):
    store = SqliteStore(tmp_path / "queue.db", room=2**62)
    with running(create(store, accepting(token), Settings(freshness_minutes=0), clock)) as url:
        client = Client(url, token, retries=0)
        client.claim(ClaimRequest(host="h"))
        seen = read(client)
    store.close()
    assert (seen["jada_ready"], seen["jada_well"]) == (0, 0)


def test_what_is_unsent_is_counted(tmp_path, clock, token):
    settings = Settings(notify=Notify(targets=("mail",)))
    with running(create(MemoryStore(targets=("mail",)), accepting(token), settings, clock)) as url:
        client = Client(url, token, retries=0)
        assert read(client)["jada_notifications_unsent"] == 0
        report(client, clock, SyncOutcome.FAILED)
        seen = read(client)
    assert (seen["jada_notifications_unsent"], seen["jada_notification_targets"]) == (1, 1)


@pytest.mark.parametrize("path", ["/metrics"])
def test_it_needs_a_right_and_says_its_type(client, url, token, path):
    refused = urllib3.request("GET", url + path, retries=False)
    assert (refused.status, refused.headers["Content-Type"]) == (401, "application/problem+json")
    answer = urllib3.request("GET", url + path, headers={"Authorization": f"Bearer {token.reveal()}"}, retries=False)
    assert answer.headers["Content-Type"] == metrics.MEDIA
    assert answer.data.endswith(b"# EOF\n")


def test_a_state_that_another_release_made_up_is_read_back_as_it_is():
    strange = 'a"b\\c\nd'
    family = metrics.Family("jada_tasks", "gauge", "x", {f'state="{metrics.escaped(strange)}"': 1.0})
    (read_back,) = text_string_to_metric_families(metrics.text([family]))
    assert read_back.samples[0].labels == {"state": strange}


def test_the_grafana_dashboard_asks_for_what_there_is_and_for_all_of_it(client, clock):
    client.add_task(NewTask(title="t", budget=AskedBudget(sessions=1)))
    ended(client, Exit.TURN_LIMIT, turns=30, checkpoint="c")
    report(client, clock, SyncOutcome.UNCHANGED)
    there = {name.partition(",")[0] for name in read(client)} | {"jada_store_size_bytes", "jada_disk_free_bytes"}
    there |= {"jada_host_silent_seconds", "jada_host_load", "jada_host_running"}  # of several hosts, or while one runs
    dashboard = json.loads(GRAFANA.read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for expr in asked for name in re.findall(r"jada_\w+", expr)}
    assert named == there


def test_the_grafana_dashboards_panels_lie_beside_each_other():
    places = [panel["gridPos"] for panel in json.loads(GRAFANA.read_text(encoding="utf-8"))["panels"]]
    taken = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
