"""Alarms come in the report's own write or by time, stay one, and close themselves."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from dashboard import watch
from dashboard.queue import Queue
from dashboard.record import Conflict
from dashboard.settings import Settings
from dashboard.stores import TaskFilter
from wire.times import stamp
from wire.types import ClaimRequest, HostReport, Need, Presence, Reply, State, SyncOutcome, SyncRun


@pytest.fixture
def report(queue, clock):
    def send(outcome=SyncOutcome.UNCHANGED, **fields):
        at = stamp(clock())
        queue.report(SyncRun(started_at=at, finished_at=at, outcome=outcome, **fields))

    return send


@pytest.fixture
def alarms(store):
    def find(state=State.NEEDS_YOU):
        return [r.task for r in store.tasks(TaskFilter(state=state)) if (r.task.dedupe_key or "").startswith("alarm:")]

    return find


def fail(report, **fields):
    report(SyncOutcome.FAILED, **{"error": "invalid_grant", "cause": "revoked", "cure": "run auth_ga.py", **fields})


def test_a_failed_run_raises_an_alarm_with_cause_and_cure(report, alarms):
    fail(report)
    (alarm,) = alarms()
    assert (alarm.waiting.kind, alarm.dedupe_key) == (Need.ALARM, "alarm:sync")
    for part in ("invalid_grant", "Cause: revoked", "Cure: run auth_ga.py"):
        assert part in alarm.waiting.text


def test_failing_on_updates_the_one_alarm_and_keeps_its_beginning(report, alarms, clock):
    fail(report)
    (first,) = alarms()
    clock.go_on(minutes=30)
    fail(report, cause="the scope is missing")
    (alarm,) = alarms()
    assert (alarm.id, alarm.waiting.since) == (first.id, first.waiting.since)
    assert "the scope is missing" in alarm.waiting.text


def test_a_success_closes_it(report, alarms):
    fail(report)
    report()
    assert alarms() == []
    assert alarms(State.DONE)[0].result == "A sync run succeeded."


def test_the_next_outage_is_another_alarm(report, alarms):
    for _ in range(2):
        fail(report)
        report()
    assert len(alarms(State.DONE)) == 2


@pytest.mark.parametrize(("minutes", "raised"), [(65, 0), (66, 1)])
def test_silence_after_a_success_raises_an_alarm(report, alarms, queue, clock, minutes, raised):
    report(SyncOutcome.CHANGED)
    clock.go_on(minutes=minutes)
    queue.look()
    assert len(alarms()) == raised


def test_a_sync_that_never_reported_is_missed_too(alarms, queue, clock):
    queue.look()
    assert alarms() == []
    clock.go_on(minutes=66)
    queue.look()
    assert "journalctl -u port-sheet-sync" in alarms()[0].waiting.text


def test_looking_again_changes_nothing(alarms, queue, clock):
    clock.go_on(hours=2)
    queue.look()
    before = alarms()
    clock.go_on(hours=2)
    queue.look()
    assert alarms() == before


def test_silence_leaves_the_failures_cause_in_place(report, alarms, queue, clock):
    fail(report)
    clock.go_on(hours=3)
    queue.look()
    assert "Cause: revoked" in alarms()[0].waiting.text


def test_a_restart_does_not_forget_since_when(report, alarms, store, clock):
    report()
    clock.go_on(minutes=60)
    later = Queue(store, Settings(), clock)
    clock.go_on(minutes=6)
    later.look()
    assert len(alarms()) == 1


def test_silence_is_fine_where_it_was_said_so(alarms, store, clock):
    quiet = Queue(store, Settings(freshness_minutes=0), clock)
    clock.go_on(days=30)
    quiet.look()
    assert alarms() == []


def test_a_token_that_dies_soon_is_reported_ahead_and_its_renewal_closes_that(report, alarms, queue, clock):
    dies = stamp(clock() + timedelta(hours=60))
    report(token_dies_at=dies)
    assert alarms() == []
    clock.go_on(hours=12)
    report(token_dies_at=dies)
    assert [(a.dedupe_key, dies in a.waiting.text) for a in alarms()] == [("alarm:token", True)]
    report(token_dies_at=stamp(clock() + timedelta(days=7)))
    assert alarms() == []


def test_time_alone_brings_the_tokens_alarm(report, alarms, queue, clock):
    report(token_dies_at=stamp(clock() + timedelta(hours=48, minutes=10)))
    clock.go_on(minutes=11)
    queue.look()
    assert [a.dedupe_key for a in alarms()] == ["alarm:token"]


def test_a_failed_run_that_knows_no_date_leaves_the_tokens_alarm(report, alarms, clock):
    report(token_dies_at=stamp(clock() + timedelta(hours=1)))
    fail(report)
    assert {a.dedupe_key for a in alarms()} == {"alarm:sync", "alarm:token"}
    report()
    assert alarms() == []


def test_an_alarm_is_no_users_task_and_takes_no_answer(report, alarms, queue):
    fail(report)
    (alarm,) = alarms()
    assert queue.claim(ClaimRequest(host="h")) is None
    with pytest.raises(Conflict, match="closes itself"):
        queue.reply(alarm.id, Reply(text="done"), alarm.version)


def test_a_cancelled_alarm_comes_back_with_the_next_failure(report, alarms, queue):
    fail(report)
    queue.cancel(alarms()[0].id)
    fail(report)
    assert len(alarms()) == 1


def test_times_of_another_zone_count_as_what_they_are(queue, alarms, clock):
    at = "2026-05-13T14:00:00+02:00"
    run = SyncRun(started_at=at, finished_at=at, outcome=SyncOutcome.CHANGED)
    queue.report(replace(run, token_dies_at="2026-05-20T00:00:00-05:00"))
    clock.go_on(minutes=65)
    queue.look()
    assert alarms() == []


def test_a_worker_that_cannot_work_is_one_alarm_until_it_can(queue, clock, alarms):
    for _ in range(2):
        queue.present(Presence(host="box-1", trouble="no credit. Settle the account's billing"))
        clock.go_on(minutes=1)
    (alarm,) = alarms()
    assert (alarm.dedupe_key, alarm.waiting.since) == ("alarm:worker:box-1", "2026-05-13T12:00:00Z")
    assert "Settle the account's billing" in alarm.waiting.text
    queue.present(Presence(host="box-2"))
    assert len(alarms()) == 1
    queue.present(Presence(host="box-1"))
    assert (alarms(), [task.result for task in alarms(State.DONE)]) == ([], ["The worker claims again."])


def test_an_alarm_about_a_worker_closes_after_a_restart_of_the_dashboard_too(queue, store, clock, alarms):
    queue.present(Presence(host="box-1", trouble="no credit"))
    Queue(store, Settings(), clock).present(Presence(host="box-1"))
    assert alarms() == []


def test_records_that_were_set_aside_are_an_alarm_of_their_own_until_none_is(report, alarms):
    report(set_aside=1, cause="set aside: record 7 (booking B7): rate: is no amount", cure="correct it")
    (alarm,) = alarms()
    assert (alarm.dedupe_key, "booking B7" in alarm.waiting.text) == ("alarm:records", True)
    fail(report)
    assert len(alarms()) == 2
    report()
    assert alarms() == []


def test_a_sync_that_is_not_set_up_raises_no_alarm_and_freshness_counts_from_its_last_word(
    queue, report, alarms, clock
):
    fail(report)
    clock.go_on(minutes=60)
    report(SyncOutcome.OFF)
    assert alarms() == []
    clock.go_on(minutes=64)
    queue.look()
    assert alarms() == []
    clock.go_on(minutes=2)
    queue.look()
    assert [alarm.dedupe_key for alarm in alarms()] == ["alarm:sync"]


def test_the_disk_of_one_of_several_hosts_has_an_alarm_of_its_own(store, alarms, clock):
    least = Settings().least_free_mb * watch.MB
    host = HostReport(host="box-2", called="jada-2")
    store.alarm(watch.host_disk(least - 1, host, "0" * 26, clock(), Settings()))
    (alarm,) = alarms()
    assert (alarm.dedupe_key, alarm.title) == ("alarm:disk:box-2", "The disk of jada-2 (box-2) is nearly full")
    assert "`fab ssh --host jada-2 --command 'df" in alarm.waiting.text
    store.alarm(watch.host_disk(least, host, "1" * 26, clock(), Settings()))
    assert len(alarms()) == 1
    store.alarm(watch.host_disk(least * 5 // 4, host, "2" * 26, clock(), Settings()))
    assert alarms() == []
