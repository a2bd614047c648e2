"""The daemon's steps, with a dashboard in memory and sessions that are objects."""

import pytest

from agent.daemon.breaker import FIRST_S
from agent.daemon.outcome import UNDRAINED
from agent.daemon.worker import DRAIN_S, OVERTIME_S
from agent.record import durable
from agent.settings import SessionSettings
from wire.client import Unreachable
from wire.routes import ClaimWord
from wire.types import EventKind, Exit

HEADER = (EventKind.HEADER, {})
SETTLE = (EventKind.SETTLE, {"turn": 1, "usd_micros": 700})
DONE = (HEADER, SETTLE, (EventKind.END, {"exit": 0, "reason": "", "turns": 1, "usd_micros": 700, "files": []}))
NEVER = float("inf")


@pytest.fixture
def work(host, queue):
    """Have a daemon do one step with this claim and session; return the daemon and whether it did work."""

    def work(claim, records=DONE, looks=0, **settings):
        queue.claims.append(claim)
        host.plays.append((records, looks))
        daemon = host.daemon(**settings)
        return daemon, daemon.step()

    return work


def test_a_claimed_task_is_worked_on_delivered_and_reported(host, queue, work):
    daemon, worked = work(host.claim())
    assert (worked, daemon.step()) == (True, False)
    assert [event.kind for event in queue.records["S1"]] == ["header", "settle", "end"]
    assert (queue.ends["S1"].exit, queue.ends["S1"].fence) == (Exit.FINISHED, 1)
    assert (daemon.day.used.sessions, daemon.day.used.spent) == (("S1",), 700)


def test_a_session_gets_the_operators_settings_whole_and_what_the_claim_adds(host, work):
    drained = (EventKind.SUSPEND, {"exit": 143, "reason": "", "turns": 1, "usd_micros": 700})
    daemon, _ = work(host.claim(usd_micros=5_000_000), (HEADER, SETTLE, drained), usd_per_day=2, turns=7)
    given = durable.read(SessionSettings, host.state / "sessions" / "S1" / "settings.json")
    workspace = host.state / "workspaces" / "T1"
    shared = {name: str(workspace.parents[1] / name) for name in ("mirrors", "caches")}
    assert given == SessionSettings(operator=daemon.settings, usd_micros=2_000_000, workspace=str(workspace), **shared)
    assert workspace.stat().st_mode & 0o777 == 0o700


def test_a_session_that_goes_on_may_spend_what_is_left_of_the_day_and_what_it_had(host, queue, work):
    crash = (HEADER, (EventKind.RESERVE, {"turn": 1, "usd_micros": 300_000}))
    work(host.claim(), crash, usd_per_day=1)
    queue.claims, host.plays = [host.claim(2)], [((HEADER, (EventKind.SETTLE, {"turn": 1, "usd_micros": 600_000})), 0)]
    host.daemon(usd_per_day=1).step()
    work(host.claim(1, fence=2, new=False), (), usd_per_day=1)
    given = durable.read(SessionSettings, host.state / "sessions" / "S1" / "settings.json")
    assert given.usd_micros == 300_000 + 100_000  # of the day's dollar 0.90 are spent, 0.30 of them by itself


def test_its_lease_is_renewed_by_thirds_while_it_runs(host, queue, work):
    work(host.claim(ttl_s=60), looks=101)
    assert queue.beats == [("T1", 1)] * 5  # after 20, 40, 60, 80 and 100 seconds


def test_records_are_delivered_while_it_runs(host, queue, work):
    delivered = []
    host.signals.at[host.clock.now + 3] = lambda: delivered.extend(queue.records["S1"])
    work(host.claim(), looks=5)
    assert len(delivered) == 3


def test_a_lease_that_lapses_in_an_outage_drains_the_session_and_then_ends_it(host, queue, work):
    queue.errors = {name: Unreachable("gone") for name in ("heartbeat", "deliver", "end")}
    terminated = []
    for second in (59, 61):
        host.signals.at[host.clock.now + second] = lambda: terminated.append(host.sessions[0].terminated)
    daemon, worked = work(host.claim(ttl_s=60), (HEADER,), NEVER)
    assert (worked, terminated, host.sessions[0].killed) == (False, [0, 1], 1)
    assert 60 + DRAIN_S <= host.clock.now - 1000 < 60 + DRAIN_S + 3
    queue.errors = {}
    host.clock.now += 60
    assert daemon.step()
    assert (queue.ends["S1"].exit, len(queue.records["S1"])) == (Exit.DRAINED, 1)
    # No crash of its own: it may have been starting still, on a host that is slow to start anything.
    assert queue.ends["S1"].reason == f"crashed: {UNDRAINED}; it goes on from its journal"


def test_a_signal_drains_the_session_which_ends_in_time(host, queue, work):
    def stop():
        host.signals.stop = True
        host.sessions[0].looks = 3

    host.signals.at[host.clock.now + 5] = stop
    suspend = {"exit": 143, "reason": "asked to stop", "turns": 0, "usd_micros": 0, "files": []}
    work(host.claim(), (HEADER, (EventKind.SUSPEND, suspend)), NEVER)
    assert (host.sessions[0].terminated, host.sessions[0].killed) == (1, 0)
    assert queue.ends["S1"].exit is Exit.DRAINED


def test_a_cancelled_task_ends_its_session_at_the_next_heartbeat(host, queue, work):
    queue.cancelled = True
    work(host.claim(), (HEADER,), NEVER)
    assert (host.sessions[0].killed, queue.ends["S1"].exit, queue.ends["S1"].reason) == (1, Exit.FENCED, "cancelled")


def test_a_stale_fence_ends_the_session_and_reports_nothing_of_it(host, queue, work):
    queue.errors["heartbeat"] = host.refused(409)
    daemon, worked = work(host.claim(), (HEADER, SETTLE), NEVER)
    assert (worked, host.sessions[0].killed, queue.ends) == (False, 1, {})
    assert daemon.day.used.spent == 700
    assert [path.name for path in (host.state / "sessions").iterdir()] == ["S1.lost-1"]
    assert not daemon.step()


def test_records_that_are_refused_end_the_session_visibly(host, queue, work):
    queue.errors["deliver"] = host.refused(413)
    work(host.claim(), (HEADER,), NEVER)
    assert (host.sessions[0].killed, queue.ends["S1"].exit) == (1, Exit.FAULT)
    assert "413" in queue.ends["S1"].reason


def test_a_session_that_can_t_be_started_counts_as_a_crash(host, queue):
    def spawn(_folder):
        raise OSError(12, "Cannot allocate memory")

    queue.claims = [host.claim()]
    daemon = host.daemon()
    daemon.spawn = spawn
    assert daemon.step()
    assert "it could not be started: [Errno 12] Cannot allocate memory" in queue.ends["S1"].reason


def test_a_host_that_can_t_write_gives_the_task_back(host, queue):
    queue.claims = [host.claim()]
    (host.state / "workspaces").write_text("a file where a folder should be")
    assert not host.daemon().step()
    assert queue.ends["S1"].exit is Exit.UNAVAILABLE
    assert "here can't work on it" in queue.ends["S1"].reason


def test_when_the_days_dollars_are_spent_nothing_is_claimed_and_it_is_logged_once(host, queue, work, caplog):
    daemon, _ = work(host.claim(), usd_per_day=0.01)
    daemon.day.spend("S9", 1, 10_000 - 700 - 1)
    assert not daemon.step()
    assert queue.calls.count("claim") == 2
    daemon.day.spend("S9", 1, 10_000 - 700)
    assert (daemon.step(), daemon.step()) == (False, False)
    assert queue.calls.count("claim") == 2
    assert caplog.text.count("the day's $0.01 are spent") == 1
    assert queue.calls.count("present") == 3  # at its start too


def test_a_worker_that_claims_nothing_lives_on_beside_an_earlier_dashboard(host, queue, work):
    daemon, _ = work(host.claim(), usd_per_day=0.01)
    daemon.day.spend("S9", 1, 10_000)
    queue.errors["present"] = host.refused(404)
    assert not daemon.step()


def test_at_the_days_cap_only_suspended_sessions_are_asked_for(host, queue, work):
    daemon, _ = work(host.claim(), sessions_per_day=1)
    daemon.step()
    assert [asked.suspended_only for asked in queue.asked] == [False, True]


def test_a_claim_whose_answer_was_lost_is_asked_again_under_its_key_by_the_next_daemon_too(host, queue, work):
    queue.errors["claim"] = Unreachable("no answer")
    assert not host.daemon().step()
    host.clock.now += 60
    queue.errors.clear()
    daemon = host.daemon()
    daemon.step()
    daemon.step()
    assert queue.keys == [queue.keys[0]] * 3
    # No work: what is unused is no more in doubt.
    assert [ClaimWord.AGAIN in words for words in queue.words] == [False, True, False]


def test_a_claim_whose_answer_is_lost_to_a_running_daemon_is_asked_again_as_that(host, queue):
    daemon = host.daemon()
    daemon.step()
    queue.errors["claim"] = Unreachable("no answer")
    daemon.step()
    host.clock.now += 60
    queue.errors.clear()
    daemon.step()
    assert [ClaimWord.AGAIN in words for words in queue.words] == [False, False, True]


def test_a_key_that_is_used_up_is_replaced_at_once(host, queue, work):
    host.daemon().step()
    queue.used_up = [queue.keys[0]]
    _, worked = work(host.claim())
    assert (worked, queue.keys[1], queue.keys[2] != queue.keys[0]) == (True, queue.keys[0], True)
    assert [ClaimWord.AGAIN in words for words in queue.words] == [False, True, False]


def test_a_daemon_that_was_killed_before_the_folder_stood_gets_the_same_claim(host, queue, work):
    daemon = host.daemon()
    queue.claims = [host.claim()]
    daemon.outboxes.for_session = lambda _id: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        daemon.step()
    work(host.claim())
    assert queue.keys == [queue.keys[0]] * 2
    work(host.claim(2))
    assert queue.keys[2] not in queue.keys[:2]


def test_a_session_that_had_not_begun_is_given_back_on_a_full_day_and_costs_none(host, queue, work):
    work(host.claim(), sessions_per_day=1)
    _, worked = work(host.claim(2, new=False), sessions_per_day=1)
    assert (worked, len(host.sessions)) == (False, 1)
    assert (queue.ends["S2"].exit, queue.ends["S2"].not_before) == (Exit.UNAVAILABLE, "2026-05-14T00:00:00Z")
    host.today += 86_400
    host.plays = []
    daemon, worked = work(host.claim(2, fence=2, new=False), sessions_per_day=1)
    assert (worked, daemon.day.used.sessions) == (True, ("S2",))


def test_a_session_that_began_elsewhere_costs_this_host_none(host, queue, work):
    work(host.claim(), (HEADER, SETTLE))
    (host.state / "sessions" / "S1" / "journal.jsonl").unlink()
    (host.state / "state.json").unlink()
    daemon, _ = work(host.claim(fence=2, new=False), DONE[2:], sessions_per_day=1)
    assert daemon.day.used.sessions == ()


def test_a_session_that_does_not_end_at_its_wall_time_is_ended(host, queue, work):
    work(host.claim(), (HEADER,), looks=NEVER, session_minutes=2)
    (session,) = host.sessions
    assert (session.terminated, session.killed) == (1, 1)
    assert 2 * 60 + OVERTIME_S <= host.clock.now - 1000 < 2 * 60 + OVERTIME_S + DRAIN_S + 5
    assert "its wall time is long up" in queue.ends["S1"].reason


AWAY = (EventKind.SUSPEND, {"exit": 75, "reason": "no credit", "turns": 0, "usd_micros": 0, "host_wide": True})


def test_a_fault_that_would_meet_every_task_stops_claims_and_is_said_once_it_lasts(host, queue, work):
    daemon, _ = work(host.claim(), (HEADER, AWAY))
    assert (queue.ends["S1"].exit, queue.ends["S1"].host_wide) == (Exit.UNAVAILABLE, True)
    queue.claims, queue.calls[:] = [host.claim(2)], []
    assert not daemon.step()
    assert (queue.calls, queue.troubles[-1]) == (["present"], None)
    host.clock.now += FIRST_S
    host.plays = [((HEADER, AWAY), 0)]
    assert daemon.step()  # one claim tries, and meets it again
    daemon.step()
    assert queue.troubles[-1] == "no credit"
    host.clock.now += 2 * FIRST_S
    queue.claims, host.plays = [host.claim(3)], [(DONE, 0)]
    assert daemon.step()
    assert queue.troubles[-1] is None
    assert queue.ends["S3"].exit is Exit.FINISHED
    assert daemon.breaker.may_claim()


def test_what_sessions_meet_is_over_when_one_gets_on_and_not_while_one_tries(host, queue, work):
    daemon, _ = work(host.claim(), (HEADER, AWAY))
    for tries in range(1, 4):
        host.clock.now += FIRST_S * 2**tries
        queue.claims, host.plays = [host.claim(tries + 1)], [((HEADER, AWAY), 0)]
        assert daemon.step()
        daemon.step()
    assert [trouble for trouble in queue.troubles if trouble]
    assert None not in queue.troubles[queue.troubles.index("no credit") :]
    host.clock.now += FIRST_S * 16
    queue.claims, host.plays = [host.claim(9)], [(DONE, 0)]
    assert daemon.step()
    assert queue.troubles[-1] is None


BROKE_OFF = (EventKind.SUSPEND, {"exit": 75, "reason": "answers broke off", "turns": 4, "usd_micros": 0})


@pytest.mark.parametrize("last", [BROKE_OFF, (EventKind.SUSPEND, {"exit": 143, "reason": "", "turns": 1})])
def test_turns_of_an_earlier_claim_do_not_say_that_a_session_got_on(host, queue, work, last):
    drained = (EventKind.SUSPEND, {"exit": 143, "reason": "", "turns": 1, "usd_micros": 700})
    daemon, _ = work(host.claim(), (HEADER, SETTLE, drained))
    daemon.breaker.may_claim()
    daemon.breaker.open("overloaded")
    host.clock.now += FIRST_S
    queue.claims, host.plays = [host.claim(fence=2, new=False)], [((last,), 0)]
    assert daemon.step()
    daemon.breaker.open("overloaded")
    assert daemon.breaker.lasting  # the second one in a row


def test_a_host_that_is_unfit_claims_nothing(host, queue, caplog):
    host.unfit = "no sandbox can be made"
    queue.claims = [host.claim()]
    daemon = host.daemon()
    assert (daemon.step(), daemon.step()) == (False, False)
    assert "claim" not in queue.calls
    assert caplog.text.count("nothing is claimed: no sandbox can be made") == 1


def test_a_claim_that_the_queue_refuses_is_told_and_tried_again_with_growing_pauses(host, queue, work, caplog):
    """As by a queue of a release that does not know what is asked: a worker that died of it was started for ever."""
    queue.errors["claim"] = host.refused(422)
    daemon = host.daemon()
    for tries, pause in enumerate((FIRST_S, 2 * FIRST_S, 4 * FIRST_S), start=1):
        assert not daemon.step()
        host.clock.now += pause - 1
        assert not daemon.step()
        assert queue.calls.count("claim") == tries
        host.clock.now += 1
    assert [each.levelname for each in caplog.records if "422 no" in each.message].count("ERROR") == 3
    told = next(trouble for trouble in queue.troubles if trouble)
    assert told.startswith("the queue refuses what this worker asks for: 422 no")
    # That it claims again is said once it does.
    assert queue.troubles[queue.troubles.index(told) :] == [told] * 2
    queue.errors.clear()
    daemon.step()
    assert queue.troubles[-1] is None


def test_what_the_queue_refuses_of_a_claim_that_it_gave_ends_no_worker(host, queue, work):
    (host.state / "workspaces").write_text("a file where a folder should be")
    queue.errors["end"] = host.refused(409)
    _, worked = work(host.claim())
    assert (worked, queue.calls[-1]) == (False, "end")


def test_a_dashboard_of_an_earlier_release_hears_at_least_that_the_worker_lives(host, queue):
    host.unfit = "no sandbox can be made"
    daemon = host.daemon()
    said = []

    def present(presence):
        if presence.trouble:
            raise host.refused(422)
        said.append(presence)

    queue.present = present
    daemon.step()
    host.clock.now += FIRST_S
    daemon.step()
    assert daemon.breaker.lasting
    assert len(said) == 2


def test_a_host_that_lost_its_count_goes_on_from_the_queues(host, queue, work):
    queue.known = {"S8": 300, "S9": 400}
    daemon, _ = work(host.claim(), sessions_per_day=3)
    daemon.step()
    assert (daemon.day.used.sessions, daemon.day.used.spent) == (("S8", "S9", "S1"), 1400)
    assert queue.asked[-1].suspended_only
    assert [ClaimWord.DAY in words for words in queue.words] == [True, False]


@pytest.mark.parametrize("limit", [{"sessions_per_day": 2}, {"usd_per_day": 0.0007}])
def test_a_claim_that_says_that_the_day_is_used_up_is_given_back_and_costs_nothing(host, queue, work, limit):
    queue.known = {"S8": 300, "S9": 400}
    daemon, worked = work(host.claim(), **limit)
    assert (worked, host.sessions, daemon.day.used.sessions) == (False, [], ("S8", "S9"))
    assert (queue.ends["S1"].exit, queue.ends["S1"].not_before) == (Exit.UNAVAILABLE, "2026-05-14T00:00:00Z")


def test_a_count_that_is_lost_while_the_daemon_runs_is_taken_from_the_queue_again(host, queue, work):
    daemon, _ = work(host.claim(), sessions_per_day=1)
    queue.known = {"S1": 700}
    (host.state / "state.json").unlink()
    queue.claims = [host.claim(2)]
    assert not daemon.step()
    assert (daemon.day.used.sessions, daemon.day.used.spent) == (("S1",), 700)
    daemon.step()
    assert queue.asked[-1].suspended_only


def test_a_dashboard_of_an_earlier_release_knows_no_day(host, queue, work):
    queue.knows_days = False
    daemon, worked = work(host.claim())
    assert (worked, daemon.day.used.sessions) == (True, ("S1",))


def test_what_is_left_behind_is_reported_before_anything_is_claimed(host, queue, work):
    queue.errors["end"] = Unreachable("gone")
    _, worked = work(host.claim())
    queue.errors.clear()
    queue.calls.clear()
    host.clock.now += 60
    assert (worked, host.daemon().step()) == (False, True)
    assert "claim" not in queue.calls
    assert queue.ends["S1"].exit is Exit.FINISHED


def test_a_session_of_another_host_goes_on_from_the_acknowledged_records(host, queue, work):
    work(host.claim(), (HEADER, SETTLE))
    (host.state / "sessions" / "S1" / "journal.jsonl").unlink()
    work(host.claim(fence=2, new=False), DONE[2:])
    records = queue.records["S1"]
    assert [event.n for event in records] == [1, 2, 3, 4]
    # Its work broke off elsewhere: the model is told before it goes on.
    assert (records[2].kind, records[2].data["away"]) == (EventKind.MESSAGE, True)
    assert queue.ends["S1"].exit is Exit.FINISHED


def test_what_is_left_of_cancelled_tasks_is_looked_for_once_a_day(host, queue, work):
    asked = (EventKind.SUSPEND, {"exit": 2, "reason": "", "turns": 1, "usd_micros": 700})
    daemon, _ = work(host.claim(), (HEADER, SETTLE, asked))
    queue.beats.clear()
    queue.errors["heartbeat"] = host.refused(409)
    host.signals.at[host.clock.now + 1.5 * 86_400] = lambda: setattr(host.signals, "stop", True)
    daemon.run()
    assert (queue.calls.count("heartbeat"), (host.state / "sessions" / "S1").exists()) == (2, True)
    del queue.errors["heartbeat"]
    queue.cancelled, host.signals.stop = True, False
    host.signals.at[host.clock.now + 86_400] = lambda: setattr(host.signals, "stop", True)
    daemon.run()
    assert queue.beats == [("T1", 1)]
    assert not (host.state / "sessions" / "S1").exists()


def test_it_idles_until_a_signal_and_looks_every_poll(host, queue):
    host.signals.at[host.clock.now + 150] = lambda: setattr(host.signals, "stop", True)
    host.daemon(poll_seconds=60).run()
    assert len(queue.asked) == 3
