from dataclasses import replace

from provision.commands import status
from provision.commands.fleet import Outcome
from provision.errors import CommandError
from wire.types import Budget, Notifications, State, SyncOutcome, SyncRun, Task


def _task(number, state):
    return Task(
        id=str(number), title="t", description="", state=state, priority=5, budget=Budget(), version=1,
        created_at="t", updated_at="t",
    )  # fmt: skip


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
    tasks = [_task(1, State.DONE), _task(2, State.DONE), _task(3, State.QUEUED)]
    said = list(status.queue_lines(tasks, [failed]))
    assert said[0] == "tasks      2 done, 1 queued"
    assert "failed" in said[1]
    assert said[2].strip() == "the token was revoked; auth_ga.py"


def test_an_empty_queue_and_no_sync_say_so():
    assert list(status.queue_lines([], [])) == ["tasks      none yet", "last sync  none yet"]


def test_who_is_notified_is_said_and_what_did_not_reach_them():
    line = status.notification_line
    assert "none is set up" in line(Notifications(targets=()))
    assert line(Notifications(targets=("mail", "chat"))) == "notified   mail, chat; nothing unsent"
    late = Notifications(targets=("mail",), unsent=2, oldest="2026-05-13T12:00:00Z", answer="mail: refused")
    assert line(late) == "notified   mail; 2 unsent, the oldest since 2026-05-13T12:00:00Z  mail: refused"


AWAY = CommandError("jada-2 does not answer", "look")


def test_of_several_hosts_each_is_described_and_one_that_is_away_named(worker):
    said = list(status.hosts_lines([Outcome("jada-1", worker), Outcome("jada-2", error=AWAY)]))
    assert said[:2] == ["host       jada-1", "release    release1"]
    assert said[-2:] == ["host       jada-2", "           jada-2 does not answer"]


def test_for_a_program_one_host_is_as_ever_and_several_share_their_queue(worker):
    tasks = [_task(1, State.DONE)]
    one = status.all_as_data([Outcome("jada-1", worker)], tasks, [])
    assert (one["host"], one["tasks"]) == ("jada-1", {"done": 1})
    both = status.all_as_data([Outcome("jada-2", error=AWAY), Outcome("jada-1", worker)], tasks, [])
    assert both["hosts"][0] == {"host": "jada-2", "error": "jada-2 does not answer"}
    assert both["hosts"][1]["release"] == "release1"
    assert (both["tasks"], "tasks" in both["hosts"][1]) == ({"done": 1}, False)
