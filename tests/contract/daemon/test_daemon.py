"""The daemon's steps."""

import os
import signal
import time
from pathlib import Path

from msgspec.structs import replace

from agent.daemon.day import Day
from agent.daemon.worker import ANSWERED
from agent.record import durable
from agent.settings import SessionSettings
from dashboard.record import Move
from provision.onhost import units
from wire.types import Exit, State


def test_a_claimed_task_is_worked_on_and_done(site, make):
    task = site.add("turn turn")
    daemon = make()
    assert [daemon.step(), daemon.step()] == [True, False]
    done = site.client.task(task.id)
    assert (done.state, done.result, done.usd_micros_spent) == (State.DONE, "3 records", 2000)
    assert [event.kind for event in site.client.events(site.client.sessions(task.id)[0].id)] == [
        "header",
        "settle",
        "settle",
        "end",
    ]


def test_a_session_gets_a_bare_environment_and_its_release(site, make):
    site.add("turn stop")
    make().step()
    environment, cwd, _ = site.process()
    assert set(environment) - {"LC_CTYPE"} == {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED"}
    assert cwd == environment["PYTHONPATH"] == str(site.release.app)


def test_a_session_hears_what_it_may_spend_and_where_it_works(site, make):
    task = site.add("turn stop")
    daemon = make(usd_per_day=0.01, session_minutes=3)
    daemon.step()
    settings = durable.read(SessionSettings, site.folder() / "settings.json")
    assert (settings.usd_micros, settings.operator) == (10_000, daemon.settings)
    assert Path(settings.workspace) == site.state / "workspaces" / task.id
    assert Path(settings.workspace).stat().st_mode & 0o777 == 0o700


def test_a_crashed_session_goes_on_from_its_journal(site, make):
    task = site.add("turn crash turn")
    daemon = make()
    while daemon.step():
        pass
    done = site.client.task(task.id)
    assert (done.state, done.result, done.sessions_used) == (State.DONE, "4 records", 1)


def test_a_session_that_never_starts_is_given_up_after_three_tries(site, make):
    task = site.add("doomed")
    daemon = make()
    while daemon.step():
        pass
    failed = site.client.task(task.id)
    assert (failed.state, failed.fence) == (State.FAILED, 3)
    assert "crashed 3 times in a row" in failed.reason
    assert "exit status 1" in failed.reason


def test_at_the_days_cap_only_suspended_sessions_go_on(site, make):
    first, second = site.add("crash turn"), site.add("turn")
    daemon = make(sessions_per_day=1)
    while daemon.step():
        pass
    assert [site.client.task(task.id).state for task in (first, second)] == [State.DONE, State.QUEUED]


def test_the_cap_outlives_the_daemon_and_ends_with_the_day(site, make):
    site.add("turn")
    make(sessions_per_day=1).step()
    task = site.add("turn")
    again = make(sessions_per_day=1)
    assert not again.step()
    again.day = Day(site.state / "state.json", lambda: time.time() + 86_400)
    assert again.step()
    assert site.client.task(task.id).state is State.DONE


def test_when_the_days_dollars_are_spent_nothing_is_claimed(site, make):
    site.add("turn " * 10)
    daemon = make(usd_per_day=0.01)
    daemon.step()
    task = site.add("turn")
    assert not daemon.step()
    assert site.client.task(task.id).state is State.QUEUED


def test_a_cancelled_task_ends_its_session(site, make):
    task = site.add("hang")
    daemon = make()
    pids = []
    with site.meanwhile(lambda: pids.append(site.process()[2]) or site.client.cancel(task.id)):
        daemon.step()
    assert site.gone(pids[0])
    assert site.client.task(task.id).state is State.CANCELLED
    assert site.client.sessions(task.id)[0].exit is Exit.FENCED


def test_a_stale_fence_kills_the_session_and_merges_nothing(site, make):
    task = site.add("hang")
    daemon = make()

    def lose():
        """Another host claims the task, as it may when a lease has expired."""
        site.process()
        site.store.change(task.id, Move(lambda record, _: replace(record, task=replace(record.task, fence=2))))

    with site.meanwhile(lose):
        assert not daemon.step()
    assert [path.name.partition(".")[2] for path in site.state.glob("sessions/*")] == ["lost-1"]
    assert site.gone(site.process()[2])


def test_an_outage_shorter_than_the_lease_is_no_matter_and_reported_once(site, make, caplog):
    task = site.add("turn hang turn")
    daemon = make()

    def outage():
        site.process()
        site.stop()
        site.until(lambda: "asked again" in caplog.text)
        site.folder().joinpath("go").touch()

    with site.meanwhile(outage):
        daemon.step()
    assert not daemon.step()
    site.start()
    site.until(daemon.step)
    assert site.client.task(task.id).state is State.DONE
    assert caplog.text.count("asked again") == 1


def test_a_lease_that_lapses_in_an_outage_drains_the_session_which_goes_on_after_it(site, make):
    task = site.add("turn hang turn")
    daemon = make()
    with site.meanwhile(lambda: site.process() and site.stop()):
        daemon.step()
    assert site.gone(site.process()[2])
    site.start()
    site.folder().joinpath("go").touch()
    site.until(lambda: daemon.step() and site.client.task(task.id).state is State.DONE)
    assert site.client.task(task.id).sessions_used == 1


def test_a_signal_drains_the_session_and_reports_it(site, make):
    task = site.add("turn hang turn")
    daemon = make()
    with site.meanwhile(lambda: site.process() and os.kill(os.getpid(), signal.SIGTERM)):
        daemon.run()
    drained = site.client.task(task.id)
    assert (drained.state, site.client.sessions(task.id)[0].exit) == (State.QUEUED, Exit.DRAINED)


def test_the_log_has_a_line_for_each_event_and_no_words_of_task_or_model(site, make, caplog):
    caplog.set_level("INFO")
    task = site.add("turn")
    make().step()
    (session,) = site.client.sessions(task.id)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("agent")] == [
        f"task {task.id}, session {session.id}, fence 1: claimed",
        f"session {session.id}: exit 0 after 1 turns, $0.0010",
    ]


class Said:
    """What systemd would hear."""

    def __init__(self):
        self.statuses = []

    def ready(self):
        pass

    stopping = ready

    def alive(self, status):
        self.statuses.append(status)


def test_an_unproven_worker_polls_and_takes_nothing_until_it_is_proven(site, make):
    task, said, pending = site.add("turn"), Said(), [True]
    daemon = make(unproven=lambda: bool(pending), notify=said)
    assert [daemon.step(), daemon.step()] == [False, False]
    assert site.client.task(task.id).state is State.QUEUED
    assert [status.startswith(units.POLLED) for status in said.statuses] == [False, True]
    pending.clear()
    assert daemon.step()
    assert site.client.task(task.id).state is State.DONE


def test_an_unproven_worker_does_not_say_that_it_was_answered_when_the_queue_is_away(site, make):
    said = Said()
    daemon = make(unproven=lambda: True, notify=said)
    daemon.step()
    site.stop()
    for _ in range(3):
        daemon.step()
    assert said.statuses[-1].startswith(ANSWERED[False])
    site.start()


def test_the_installer_knows_an_answered_poll_by_the_beginning_of_the_status():
    assert [ANSWERED[answered].startswith(units.POLLED) for answered in (True, False)] == [True, False]


def test_a_proven_worker_says_too_whether_the_queue_answers(site, make):
    """A deploy that lays a damaged release anew restarts it, proven as it is, and waits for this word."""
    said = Said()
    daemon = make(notify=said)
    daemon.step()
    daemon._rest()
    assert said.statuses[-1].startswith(units.POLLED)
    site.stop()
    daemon.step()
    daemon._rest()
    assert not said.statuses[-1].startswith(units.POLLED)
    site.start()
