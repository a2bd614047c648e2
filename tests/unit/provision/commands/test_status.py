"""What `fab status` says of a host and its queue."""

from dataclasses import replace

from dashboard.application import create
from dashboard.stores import ALL_TASKS
from dashboard.stores.memory import MemoryStore
from local.serve import running
from provision.commands import status
from tests.tokens import accepting
from wire.client import Client
from wire.secret import Secret
from wire.types import (
    ClaimRequest,
    Exit,
    HostDayUse,
    HostList,
    HostStanding,
    NewTask,
    Notifications,
    RunningOn,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
)

TOKEN = Secret("an operator's")


def seen(**held):
    return status.Seen(**{"counts": {}, "waiting": (), "runs": (), **held})


class Large(MemoryStore):
    """A store with more tasks than anyone wants to have sent."""

    def listing(self, which=ALL_TASKS, **more):
        assert which.state is State.NEEDS_YOU, "all tasks were asked for"
        return super().listing(which, **more)


def test_a_queue_counts_its_tasks_itself_and_says_which_wait():
    with running(create(Large(), accepting(TOKEN))) as url:
        client = Client(url, TOKEN, retries=0)
        assert status.look(client) == seen()
        client.cancel(client.add_task(NewTask(title="one")).id)
        client.add_task(NewTask(title="two"))
        client.add_task(NewTask(title="three", priority=9))
        held = client.claim(ClaimRequest(host="box"))
        client.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.STUCK, reason="no way"))
        found = status.look(client)
    assert (found.counts, found.runs) == ({"cancelled": 1, "needs_you": 1, "queued": 1}, ())
    assert [(task.title, task.waiting.kind.value) for task in found.waiting] == [("three", "stuck")]


def test_a_host_is_described_by_release_and_units(worker):
    units = {**worker.units, "jada-agent.service": {"ActiveState": "active", "SubState": "running", "NRestarts": "2"}}
    said = list(status.host_lines(replace(worker, units=units)))
    assert said[0] == "release    release1"
    assert any(line.startswith("jada-agent.service") and "restarted 2 times" in line for line in said)


def test_a_host_without_a_release_says_what_to_do(fresh):
    assert "fab deploy" in next(status.host_lines(fresh))


def test_the_queue_is_counted_by_state_and_a_failed_sync_tells_cause_and_cure():
    failed = SyncRun(
        started_at="a", finished_at="b", outcome=SyncOutcome.FAILED, cause="the token was revoked", cure="auth_ga.py"
    )
    said = list(status.queue_lines(seen(counts={"done": 2, "queued": 1}, runs=[failed])))
    assert said[0] == "tasks      2 done, 1 queued"
    assert "failed" in said[1]
    assert said[2].strip() == "the token was revoked; auth_ga.py"


def test_an_empty_queue_and_no_sync_say_so():
    assert list(status.queue_lines(seen())) == ["tasks      none yet", "last sync  none yet"]


def test_who_is_notified_is_said_and_what_did_not_reach_them():
    line = status.notification_line
    assert "none is set up" in line(Notifications(targets=()))
    assert line(Notifications(targets=("mail", "chat"))) == "notified   mail, chat; nothing unsent"
    late = Notifications(targets=("mail",), unsent=2, oldest="2026-05-13T12:00:00Z", answer="mail: refused")
    assert line(late) == "notified   mail; 2 unsent, the oldest since 2026-05-13T12:00:00Z  mail: refused"


def test_several_hosts_are_described_with_their_load_what_runs_where_and_today_in_all():
    one = HostStanding(
        host="box-1", heard_at="2026-05-13T12:00:00Z", load=0.5, cpus=2, free_mb=9000, roles=("outbox", "watch"),
        running=(RunningOn(task="T1", title="Prices"),), today=HostDayUse(sessions=1, usd_micros=250_000),
    )  # fmt: skip
    two = HostStanding(host="box-2", heard_at="2026-05-13T11:00:00Z", silent=True, wrong=("the worker is away",))
    used = HostDayUse(sessions=1, usd_micros=250_000)
    fleet = HostList(hosts=(one, two), today=used, taken=used, sessions_per_day=15, usd_micros_per_day=30_000_000)
    assert list(status.fleet_lines(fleet, {"box-1": "jada-1"})) == [
        (
            "on         jada-1 (box-1): heard of at 2026-05-13T12:00:00Z; load 0.50 of 2; 9000 MB free;"
            " does for all outbox, watch; 1 session, $0.25 today"
        ),
        "           runs T1  Prices",
        "on         box-2: SILENT since 2026-05-13T11:00:00Z; 0 sessions, $0.00 today",
        "           wrong: the worker is away",
        "today      1 session, $0.25 on all hosts; taken of the caps for all: 1 of 15 sessions, $0.25 of $30.00",
    ]
    assert list(status.fleet_lines(HostList(hosts=(one,), today=used), {})) == []
