"""The state machine, move by move."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dashboard import rules
from dashboard.record import (
    NO_CHANGE,
    NOTHING,
    Conflict,
    FamilyBudget,
    FamilyBusy,
    Found,
    Holder,
    Key,
    NotClaimable,
    StaleVersion,
    budget_change,
)
from wire.times import stamp
from wire.types import (
    Answer,
    AskedBudget,
    Batch,
    Budget,
    Edit,
    Event,
    EventKind,
    Exit,
    FileInfo,
    Need,
    NewTask,
    Question,
    Reply,
    SessionEnd,
    State,
    Workspace,
)
from wire.values import Invalid

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PLENTY = FamilyBudget(sessions=100, usd_micros=10**9)


def queued(**fields):
    return rules.draft(NewTask(title="t", **fields), "01TASK", NOW)


def claimed(record=None, *, left=PLENTY, now=NOW, **by):
    by = {"host": "h", "session_id": "S1", "ttl_s": 60, **by}
    return rules.claim(record or queued(), left, rules.Claimant(**by), now)


def ended(record=None, code=Exit.DRAINED, left=rules.Left(), **fields):  # noqa: B008 - a value
    record = record or claimed()
    return rules.end(record, record.session.id, SessionEnd(fence=record.task.fence, exit=code, **fields), left, NOW)


def asked():
    return ended(code=Exit.ASKED, question=Question(tool_use_id="tu", text="keep?"))


def test_an_ended_session_keeps_the_limit_of_turns_that_it_had():
    assert ended(code=Exit.TURN_LIMIT, turns=40, turn_limit=40).session.turn_limit == 40
    assert ended(code=Exit.TURN_LIMIT, turns=40).session.turn_limit is None


def test_a_new_task_is_what_was_asked_for():
    new = NewTask(
        title="t", description="a blob", priority=7, parent="01PARENT", dedupe_key="daily", labels=("a", "b", "a")
    )
    record = rules.draft(new, "01TASK", NOW, "2:d")
    task = record.task
    assert (task.title, task.priority, task.parent, task.dedupe_key) == ("t", 7, "01PARENT", "daily")
    assert task.labels == ("a", "b")
    assert (task.state, task.version, task.created_at, task.updated_at) == (State.QUEUED, 1, stamp(NOW), stamp(NOW))
    assert (task.description, record.digest, record.granted) == ("", "2:d", task.budget)


def test_a_new_task_with_a_senseless_time_is_refused_at_that_field():
    with pytest.raises(Invalid) as refused:
        queued(not_before="noon")
    assert refused.value.field == "not_before"


def test_a_claim_runs_the_task_in_a_new_session_under_the_next_fence():
    record = claimed()
    assert (record.task.state, record.task.fence, record.task.sessions_used) == (State.RUNNING, 1, 1)
    assert (record.session.id, record.session.host, record.session.exit) == ("S1", "h", None)
    assert (record.holder, record.ttl_s) == (Holder("01TASK", 1, 0), 60)


def test_a_claim_reserves_what_the_task_may_still_spend():
    assert claimed(queued(budget=AskedBudget(usd_micros=700))).reserved == 700
    assert claimed(left=FamilyBudget(sessions=5, usd_micros=300)).reserved == 300


def test_a_task_waits_for_its_not_before():
    record = queued(not_before=stamp(LATER))
    with pytest.raises(NotClaimable):
        claimed(record)
    begun = claimed(record, now=LATER).task
    assert (begun.state, begun.not_before) == (State.RUNNING, None)


def child(name, parent):
    record = queued(parent=parent)
    return replace(record, task=replace(record.task, id=name))


def test_a_descendant_is_one_over_any_number_of_steps_and_within_its_family():
    family = {name: child(name, parent) for name, parent in [("a", None), ("b", "a"), ("c", "b"), ("d", "gone")]}
    descends = {name: rules.is_descendant(record, "a", family) for name, record in family.items()}
    assert descends == {"a": False, "b": True, "c": True, "d": False}
    assert not rules.is_descendant(family["b"], "c", family)


def lost(record):
    """What the server has seen of a holder that is silent for too long."""
    return {record.holder: record}


def test_a_running_task_is_claimed_again_only_when_this_very_holder_was_seen_silent():
    record = claimed()
    alive = rules.heartbeat(record, 1, 60)
    for past in ({}, lost(alive)):
        with pytest.raises(NotClaimable):
            claimed(record, now=NOW + timedelta(days=1), past=past)
    with pytest.raises(NotClaimable):
        claimed(alive, past=lost(record))
    again = claimed(record, session_id="S2", past=lost(record))
    assert (again.session.id, again.task.fence, again.task.sessions_used) == ("S1", 2, 1)


@pytest.mark.parametrize("make", [asked, lambda: rules.cancel(queued(), NOW), lambda: ended(code=Exit.FINISHED)])
def test_what_waits_or_is_over_is_never_claimed(make):
    with pytest.raises(NotClaimable):
        claimed(make(), now=LATER)


def test_only_suspended_sessions_are_given_out_at_the_days_cap():
    with pytest.raises(NotClaimable):
        claimed(suspended_only=True)
    assert claimed(ended(), session_id="S2", suspended_only=True).session.id == "S1"


def test_a_task_without_dollars_comes_to_a_user_instead_of_a_holder():
    record = claimed(ended(claimed(queued(budget=AskedBudget(usd_micros=500))), usd_micros=500))
    assert (record.task.state, record.task.waiting.kind, record.reserved) == (State.NEEDS_YOU, Need.BUDGET, 0)
    assert record.task.waiting.text == "Its dollars are used up: $0.00 of $0.00 spent."


def test_dollars_are_written_to_the_cent():
    assert rules.usd(12_340_000) == "$12.34"
    assert rules.usd(10_000_000_000) == "$10000.00"


def test_a_claim_takes_no_more_than_what_is_left_of_the_days_dollars():
    assert claimed(day="d", most_usd_micros=300).reserved == 300
    assert claimed(queued(budget=AskedBudget(usd_micros=200)), day="d", most_usd_micros=300).reserved == 200
    assert claimed(day="d", most_usd_micros=1).reserved == 1
    with pytest.raises(NotClaimable):
        claimed(day="d", most_usd_micros=0)


@pytest.mark.parametrize(("day", "reserved"), [("d", 310), ("the next", 10)])
def test_what_a_lost_holder_took_of_the_same_day_is_its_tasks_own_again(day, reserved):
    record = claimed(day="d", most_usd_micros=300)
    assert claimed(record, past=lost(record), day=day, most_usd_micros=10).reserved == reserved


@pytest.mark.parametrize("asked_for", [1, 5_000_000])
def test_a_task_whose_relative_holds_the_rest_waits_for_it(asked_for):
    with pytest.raises(FamilyBusy):
        claimed(
            queued(budget=AskedBudget(usd_micros=asked_for)),
            left=FamilyBudget(sessions=5, usd_micros=0, reserved=100),
        )


def test_the_familys_last_micro_dollar_is_given_out_though_a_relative_holds_the_rest():
    assert claimed(left=FamilyBudget(sessions=5, usd_micros=1, reserved=100)).reserved == 1


def test_a_task_that_spent_its_own_dollars_does_not_wait_for_a_relatives():
    spent = ended(claimed(queued(budget=AskedBudget(usd_micros=500))), usd_micros=500)
    record = claimed(spent, left=FamilyBudget(sessions=5, usd_micros=0, reserved=100))
    assert record.task.waiting.kind is Need.BUDGET


def test_a_family_without_sessions_comes_to_a_user():
    assert claimed(left=FamilyBudget(sessions=0, usd_micros=100)).task.waiting.kind is Need.BUDGET


def test_a_heartbeat_renews_and_revives_while_the_fence_is_current():
    record = rules.heartbeat(claimed(), 1, 90)
    assert (record.holder, record.ttl_s) == (Holder("01TASK", 1, 1), 90)
    assert record.task.version == claimed().task.version


def test_a_stale_fence_is_refused_everywhere():
    record = claimed(claimed(), past=lost(claimed()))
    with pytest.raises(Conflict, match=rules.STALE_FENCE):
        rules.heartbeat(record, 1, 60)
    with pytest.raises(Conflict, match=rules.STALE_FENCE):
        rules.require_current_fence(record, "S1", 1)
    with pytest.raises(Conflict, match=rules.STALE_FENCE):
        rules.end(record, "S1", SessionEnd(fence=1, exit=Exit.FINISHED), rules.Left(), LATER)


def test_a_heartbeat_after_the_end_is_refused():
    with pytest.raises(Conflict):
        rules.heartbeat(ended(), 1, 60)


@pytest.mark.parametrize(
    ("code", "state", "need", "suspended"),
    [
        (Exit.FINISHED, State.DONE, None, False),
        (Exit.TURN_LIMIT, State.QUEUED, None, False),
        (Exit.ASKED, State.NEEDS_YOU, Need.QUESTION, True),
        (Exit.BUDGET, State.NEEDS_YOU, Need.BUDGET, True),
        (Exit.STUCK, State.NEEDS_YOU, Need.STUCK, True),
        (Exit.FAULT, State.FAILED, None, True),
        (Exit.UNAVAILABLE, State.QUEUED, None, True),
        (Exit.DRAINED, State.QUEUED, None, True),
    ],
)
def test_each_exit_leads_to_its_state(code, state, need, suspended):
    record = ended(code=code, question=Question(tool_use_id="tu", text="?"), reason="why")
    assert (record.task.state, record.task.waiting and record.task.waiting.kind) == (state, need)
    assert (record.session.suspended, record.session.exit, record.reserved) == (suspended, code, 0)


def test_a_question_is_kept_with_the_call_that_asked_it():
    waiting = asked().task.waiting
    assert (waiting.text, waiting.tool_use_id, waiting.since) == ("keep?", "tu", stamp(NOW))


def test_an_asking_end_without_its_question_is_refused():
    with pytest.raises(Invalid, match="question"):
        ended(code=Exit.ASKED)


def test_a_finished_task_names_its_result_and_files():
    files = (FileInfo(name="a.csv", size=2, sha256="f"),)
    record = ended(code=Exit.FINISHED, left=rules.Left(result="r", files=files))
    assert (record.result, record.task.files) == ("r", files)


def test_a_finished_task_keeps_no_workspace_and_one_that_goes_on_does():
    left = replace(claimed(), workspace=Workspace(sha256="a" * 64, size=1))
    assert ended(left, Exit.FINISHED, result="r").workspace is None
    assert ended(left, Exit.DRAINED).workspace == left.workspace
    newer = Workspace(sha256="b" * 64, size=2)
    assert ended(left, Exit.DRAINED, rules.Left(workspace=newer)).workspace == newer


def test_a_claim_notes_its_day_and_begins_to_count_its_heartbeats_anew():
    again = claimed(replace(ended(), beat=4), key="k", day="2026-05-13")
    assert (again.beat, again.day, again.claim_key, again.claim_new) == (0, "2026-05-13", "k", False)
    assert claimed().claim_new
    assert claimed().session.updated_at == stamp(NOW)
    assert ended(again).claim_key is None


def test_what_an_unfinished_session_left_is_no_result():
    record = ended(code=Exit.DRAINED, left=rules.Left(result="r", checkpoint="c"))
    assert (record.result, record.checkpoint) == (None, "c")


def test_an_end_without_a_checkpoint_keeps_the_one_before():
    handed_over = ended(code=Exit.TURN_LIMIT, left=rules.Left(checkpoint="c"))
    assert ended(claimed(handed_over, session_id="S2")).checkpoint == "c"


def test_an_end_that_contradicts_the_task_is_refused_and_changes_nothing():
    with pytest.raises(Conflict, match="exit 5"):
        ended(code=Exit.FENCED)


def test_a_session_that_ends_by_an_exit_of_another_release_comes_to_a_user():
    record = ended(code=Exit(42), reason="paused for review", usd_micros=7)
    assert (record.task.state, record.task.waiting.kind, record.session.exit) == (State.NEEDS_YOU, Need.STUCK, 42)
    assert "exit 42, which this release does not know" in record.task.waiting.text
    assert "paused for review" in record.task.waiting.text
    assert record.task.usd_micros_spent == 7


def test_a_users_word_after_an_unknown_exit_reaches_the_next_session():
    stuck = ended(code=Exit(42))
    answered = rules.reply(stuck, Reply(text="begin again"), stuck.task.version, NOW)
    again = claimed(answered, session_id="S2")
    assert (again.session.id, again.notes) == ("S2", ("begin again",))


def test_a_state_of_another_release_is_never_claimed_and_takes_no_move():
    paused = replace(queued(), task=replace(queued().task, state=State("paused")))
    with pytest.raises(NotClaimable):
        claimed(paused, now=LATER)
    for move in (rules.cancel, rules.retry):
        with pytest.raises(Conflict, match="paused"):
            move(paused, NOW)


def test_a_need_of_another_release_is_not_answered_by_guesswork():
    waiting = replace(asked().task.waiting, kind=Need("signature"))
    record = replace(asked(), task=replace(asked().task, waiting=waiting))
    with pytest.raises(Conflict, match="signature, which this release cannot answer"):
        rules.reply(record, Reply(text="x", sessions=1), record.task.version, NOW)


def test_the_turn_limit_with_the_last_session_asks_for_more():
    record = ended(claimed(queued(budget=AskedBudget(sessions=1))), Exit.TURN_LIMIT)
    assert record.task.waiting.kind is Need.BUDGET
    assert "1 of 1" in record.task.waiting.text


def test_after_the_turn_limit_a_new_session_begins():
    record = claimed(ended(code=Exit.TURN_LIMIT), session_id="S2")
    assert (record.session.id, record.task.sessions_used) == ("S2", 2)


def test_a_session_that_goes_on_is_its_new_holders_and_carries_no_earlier_end():
    suspended = ended(claimed(), reason="asked to stop", usd_micros=5, turns=2)
    session = claimed(suspended, host="h2", session_id="S2", now=LATER).session
    kept = (session.id, session.started_at, session.usd_micros, session.turns)
    assert kept == ("S1", stamp(NOW), 5, 2)
    assert (session.host, session.updated_at) == ("h2", stamp(LATER))
    assert (session.exit, session.suspended, session.reason) == (None, False, "")


def test_an_answer_does_not_pay_for_a_new_session():
    stuck = ended(claimed(queued(budget=AskedBudget(sessions=1))), Exit(42))
    answered = rules.reply(stuck, Reply(text="begin again"), stuck.task.version, NOW)
    assert claimed(answered, session_id="S2").task.waiting.text == "Its sessions are used up: 1 of 1."


@pytest.mark.parametrize("code", [Exit.FAULT, Exit.UNAVAILABLE, Exit.DRAINED, Exit.TURN_LIMIT])
def test_a_task_that_waits_for_no_user_says_why_its_session_ended(code):
    record = ended(code=code, reason="the disk is full")
    assert (record.task.reason, record.session.reason) == ("the disk is full", "the disk is full")


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (Exit.BUDGET, "$1 of $1 spent", "$1 of $1 spent"),
        (Exit.BUDGET, "", "The session used up its dollars or its time."),
        (Exit.STUCK, "it refused", "it refused"),
        (Exit.STUCK, "", "The session could not go on."),
    ],
)
def test_a_user_reads_why_a_session_waits_whether_or_not_it_could_say_so(code, reason, text):
    assert ended(code=code, reason=reason).task.waiting.text == text


def test_half_a_work_comes_to_the_user_with_its_result_and_files_and_is_not_done():
    files = (FileInfo(name="half.csv", size=2, sha256="f"),)
    left = rules.Left(short_result="Half.", files=files)
    record = ended(code=Exit.STUCK, result="Half.", reason="Partly done: Half.", left=left)
    assert (record.task.state, record.task.result, record.task.files) == (State.NEEDS_YOU, "Half.", files)
    held = claimed(replace(record, task=replace(record.task, state=State.QUEUED, waiting=None)))
    again = ended(held, code=Exit.STUCK, reason="stuck")
    assert again.task.files == files  # a later stop without files takes nothing away


def test_an_end_is_dated_and_lets_go_of_the_lease():
    running = claimed()
    record = rules.end(running, "S1", SessionEnd(fence=1, exit=Exit.DRAINED), rules.Left(), LATER)
    assert (record.session.updated_at, record.task.updated_at) == (stamp(LATER), stamp(LATER))
    assert (record.ttl_s, record.claim_key) == (None, None)


def test_what_a_session_reserved_is_free_at_its_end_in_a_state_of_another_release_too():
    running = claimed()
    paused = replace(running, task=replace(running.task, state=State("paused")))
    record = ended(paused, usd_micros=9)
    assert (record.task.state, record.reserved, record.task.usd_micros_spent) == (State("paused"), 0, 9)


def test_what_another_release_says_of_a_session_stays_with_it():
    running = claimed()
    running = replace(running, session=replace(running.session, unknown={"region": "x", "mood": "calm"}))
    assert ended(running, unknown={"mood": "done"}).session.unknown == {"region": "x", "mood": "done"}


def test_an_unavailable_api_rests_the_task():
    assert ended(code=Exit.UNAVAILABLE).task.not_before == stamp(NOW + rules.UNAVAILABLE_PAUSE)
    assert (
        ended(code=Exit.UNAVAILABLE, not_before="2026-05-13T14:30:00+02:00").task.not_before == "2026-05-13T12:30:00Z"
    )
    with pytest.raises(Invalid) as refused:
        ended(code=Exit.UNAVAILABLE, not_before="soon")
    assert refused.value.field == "not_before"


def test_an_end_sent_again_changes_nothing():
    record = ended(code=Exit.FAULT, usd_micros=5)
    assert ended(record, Exit.FAULT, usd_micros=5) is record


def test_a_sessions_totals_are_booked_once_across_its_ends():
    record = ended(claimed(ended(usd_micros=100, turns=3)), usd_micros=250, turns=7)
    assert (record.task.usd_micros_spent, record.session.usd_micros, record.session.turns) == (250, 250, 7)


def test_a_holder_that_knows_less_takes_nothing_back():
    record = ended(claimed(ended(usd_micros=100, turns=3)), usd_micros=0)
    assert (record.task.usd_micros_spent, record.session.turns) == (100, 3)


def test_the_largest_totals_that_can_be_meant_are_booked():
    record = ended(turns=rules.MOST_TURNS, usd_micros=rules.MOST_USD_MICROS)
    assert (record.session.turns, record.task.usd_micros_spent) == (10_000, 10**12)


@pytest.mark.parametrize("totals", [{"turns": -1}, {"turns": 10**6}, {"usd_micros": -1}, {"usd_micros": 10**30}])
def test_absurd_totals_are_refused_by_name(totals):
    with pytest.raises(Invalid, match=next(iter(totals))):
        ended(**totals)


def test_the_end_of_a_cancelled_tasks_session_is_booked_and_the_task_stays_cancelled():
    record = ended(rules.cancel(claimed(), NOW), Exit.FINISHED, rules.Left(result="r"), usd_micros=9)
    assert (record.task.state, record.result, record.task.usd_micros_spent) == (State.CANCELLED, None, 9)


def test_an_answer_rides_in_every_claim_of_its_session_and_no_other():
    record = rules.reply(asked(), Reply(text="release"), asked().task.version, NOW)
    assert (record.task.state, record.task.waiting) == (State.QUEUED, None)
    again = claimed(ended(claimed(record)))
    assert again.answers == (Answer(tool_use_id="tu", text="release"),)
    assert claimed(ended(again, Exit.TURN_LIMIT), session_id="S2").answers == ()


def test_a_word_to_a_stuck_task_rides_as_a_note():
    stuck = ended(code=Exit.STUCK)
    record = claimed(rules.reply(stuck, Reply(text="the left one"), stuck.task.version, NOW))
    assert (record.notes, record.answers, record.session.id) == (("the left one",), (), "S1")
    assert claimed(ended(record, Exit.TURN_LIMIT), session_id="S2").notes == ()


def test_a_grant_raises_the_budget_and_what_its_family_has():
    broke = ended(claimed(queued(budget=AskedBudget(sessions=1))), Exit.TURN_LIMIT)
    record = rules.reply(broke, Reply(sessions=2, usd_micros=7), broke.task.version, NOW)
    assert record.task.budget == Budget(sessions=3, usd_micros=5_000_007)
    assert (record.granted.sessions, record.granted.usd_micros) == (3, 5_000_007)


@pytest.mark.parametrize("grant", [{"sessions": 95}, {"usd_micros": 995_000_000}])
def test_a_grant_of_one_kind_suffices_and_may_fill_the_budget(grant):
    broke = ended(code=Exit.BUDGET)
    assert rules.reply(broke, Reply(**grant), broke.task.version, NOW).task.state is State.QUEUED


@pytest.mark.parametrize("grant", [{"sessions": 96}, {"usd_micros": 995_000_001}])
def test_a_grant_beyond_what_a_budget_may_be_is_refused(grant):
    broke = ended(code=Exit.BUDGET)
    with pytest.raises(Invalid) as refused:
        rules.reply(broke, Reply(**grant), broke.task.version, NOW)
    assert refused.value.field in grant


@pytest.mark.parametrize(
    ("code", "reply", "field"),
    [
        (Exit.ASKED, Reply(), "text"),
        (Exit.ASKED, Reply(text=" \n"), "text"),
        (Exit.STUCK, Reply(sessions=1), "text"),
        (Exit.BUDGET, Reply(text="go on"), "sessions"),
    ],
)
def test_a_reply_must_bring_what_is_waited_for(code, reply, field):
    record = ended(code=code, question=Question(tool_use_id="tu", text="?"))
    with pytest.raises(Invalid) as refused:
        rules.reply(record, reply, record.task.version, NOW)
    assert refused.value.field == field


def test_a_reply_to_another_version_is_refused():
    with pytest.raises(StaleVersion):
        rules.reply(asked(), Reply(text="x"), asked().task.version - 1, NOW)


def test_a_reply_to_a_task_that_waits_for_no_answer_is_refused():
    with pytest.raises(Conflict):
        rules.reply(queued(), Reply(text="x"), 1, NOW)


def test_waiting_for_a_user_never_times_out():
    with pytest.raises(NotClaimable):
        claimed(asked(), now=NOW + timedelta(days=10_000))


def test_unfinished_tasks_can_be_cancelled_and_that_twice():
    for record in (queued(), claimed(), asked()):
        gone = rules.cancel(record, NOW)
        assert (gone.task.state, gone.task.waiting) == (State.CANCELLED, None)
        assert rules.cancel(gone, LATER) is gone


def test_a_running_task_that_is_cancelled_keeps_its_fence_so_that_its_holder_learns_of_it():
    gone = rules.cancel(claimed(), NOW)
    assert rules.heartbeat(gone, 1, 60) is gone


def test_what_is_over_can_not_be_cancelled():
    with pytest.raises(Conflict):
        rules.cancel(ended(code=Exit.FINISHED), NOW)


def test_only_a_failed_task_is_tried_again_and_in_the_session_that_failed():
    record = claimed(rules.retry(ended(code=Exit.FAULT), NOW), session_id="S2", suspended_only=True)
    assert (record.session.id, record.task.sessions_used, record.task.reason) == ("S1", 1, None)
    with pytest.raises(Conflict):
        rules.retry(queued(), NOW)


def test_every_move_makes_a_new_version():
    versions = [r.task.version for r in (queued(), claimed(), ended(), rules.cancel(ended(), NOW))]
    assert versions == sorted(set(versions))


def test_an_idempotency_key_gives_the_first_task_again_and_refuses_another_request():
    first = queued()
    known = Found(key=Key(key="k", digest="2:d", task="01TASK"), keyed=first)
    assert rules.admit(queued(), Key(key="k", digest="2:d"), known) is first
    with pytest.raises(Invalid, match="Idempotency-Key"):
        rules.admit(queued(), Key(key="k", digest="2:e"), known)


def test_a_tasks_own_id_can_be_replayed_but_not_taken():
    first = replace(queued(), digest="1:c 2:d")
    for digest in ("1:c 2:d", "2:d 3:f", "1:c"):
        assert rules.admit(replace(queued(), digest=digest), None, Found(same_id=first)) is first
    with pytest.raises(Invalid, match="id"):
        rules.admit(replace(queued(), digest="1:x 2:e"), None, Found(same_id=first))


def test_work_that_is_under_way_is_not_begun_a_second_time():
    first = replace(queued(dedupe_key="daily"), task=replace(queued(dedupe_key="daily").task, id="01FIRST"))
    assert rules.admit(queued(dedupe_key="daily"), None, Found(same_work=first)) is first


def test_a_task_comes_back_to_life_only_where_no_other_does_its_work():
    revived = rules.retry(ended(claimed(queued(dedupe_key="daily")), Exit.FAULT), NOW)
    other = replace(revived, task=replace(revived.task, id="01OTHER"))
    with pytest.raises(Conflict, match="01OTHER does the same work"):
        rules.require_no_same_work(revived, other)
    for same_work in (None, revived):
        rules.require_no_same_work(revived, same_work)
    rules.require_no_same_work(rules.cancel(revived, NOW), other)


def test_a_child_has_no_higher_priority_and_no_more_than_is_left():
    parent, child = queued(priority=3), queued(priority=7, parent="01PARENT")
    left = FamilyBudget(sessions=2, usd_micros=100, reserved=50)
    record = rules.admit(child, None, Found(parent=parent, budget=left))
    assert (record.task.priority, record.task.budget) == (3, Budget(sessions=2, usd_micros=150))
    assert (record.root, record.granted) == (parent.root, NOTHING)


def test_a_family_shares_its_last_session_and_its_last_micro_dollar():
    left = FamilyBudget(sessions=1, usd_micros=1)
    record = rules.admit(queued(parent="01PARENT"), None, Found(parent=queued(), budget=left))
    assert record.task.budget == Budget(sessions=1, usd_micros=1)


SPENT = [FamilyBudget(sessions=0, usd_micros=9), FamilyBudget(sessions=9, usd_micros=0)]


@pytest.mark.parametrize(
    "found", [Found(), Found(parent=queued()), *(Found(parent=queued(), budget=left) for left in SPENT)]
)
def test_a_child_of_no_task_or_of_a_spent_family_is_refused(found):
    with pytest.raises(Invalid, match="parent"):
        rules.admit(queued(parent="01PARENT"), None, found)


def test_a_claim_takes_a_session_and_the_reserved_money_from_the_family():
    waits = queued(budget=AskedBudget(sessions=3, usd_micros=1000))
    change = budget_change(waits, claimed(waits, left=FamilyBudget(sessions=3, usd_micros=400)))
    assert (change.sessions, change.usd_micros, change.reserved) == (-1, -400, 400)


def test_an_end_gives_the_family_back_what_was_reserved_and_not_spent():
    running = claimed(queued(budget=AskedBudget(usd_micros=1000)))
    change = budget_change(running, ended(running, usd_micros=300))
    assert (change.sessions, change.usd_micros, change.reserved) == (0, 700, -1000)


def test_a_cancel_of_what_runs_frees_nothing_until_its_session_has_ended():
    running = claimed(queued(budget=AskedBudget(usd_micros=1000)))
    cancelled = rules.cancel(running, NOW)
    assert (cancelled.reserved, budget_change(running, cancelled)) == (1000, NO_CHANGE)
    change = budget_change(cancelled, ended(cancelled, usd_micros=300))
    assert (change.usd_micros, change.reserved) == (700, -1000)


def test_what_a_lost_holder_of_a_cancelled_task_had_reserved_is_freed_but_for_what_it_spent():
    cancelled = rules.cancel(claimed(queued(budget=AskedBudget(usd_micros=1000))), NOW)
    lost = rules.let_go(cancelled, cancelled.holder, 300, NOW)
    change = budget_change(cancelled, lost)
    assert (change.usd_micros, change.reserved, lost.task.state) == (700, -1000, State.CANCELLED)
    assert rules.let_go(lost, lost.holder, 400, NOW) is lost
    # What comes late of it is booked on top.
    assert budget_change(lost, ended(lost, usd_micros=350)).usd_micros == -50


def test_only_a_cancelled_tasks_own_holder_is_let_go_of():
    running = claimed()
    assert rules.let_go(running, running.holder, 1, NOW) is running
    cancelled = rules.cancel(running, NOW)
    other = cancelled.holder._replace(beat=cancelled.beat + 1)
    assert rules.let_go(cancelled, other, 1, NOW) is cancelled


def test_a_child_whose_family_has_no_money_comes_to_a_user():
    child = replace(queued(parent="01PARENT"), root="01PARENT")
    record = claimed(child, left=FamilyBudget(sessions=5, usd_micros=0))
    assert record.task.waiting.kind is Need.BUDGET
    spent = "Its dollars are used up: $0.00 of $5.00 spent."
    assert record.task.waiting.text == f"{spent} It shares the budget of the task that made it."


def test_records_held_are_passed_over_and_a_gap_is_refused():
    events = Batch(fence=1, events=tuple(Event(n=n, at="", kind=EventKind.STREAM) for n in (1, 2, 3))).events
    assert [e.n for e in rules.unheld(events, 2)] == [3]
    for gap in (events[1:], (events[0], events[2]), events[::-1]):
        with pytest.raises(Conflict, match="gap"):
            rules.unheld(gap, 0)


def failed(**fields):
    return ended(code=Exit.FAULT, **fields)


def test_a_failed_task_goes_on_as_it_stood_or_begins_afresh():
    as_it_stood, afresh = rules.retry(failed(), NOW), rules.retry(failed(), NOW, afresh=True)
    assert (as_it_stood.goes_on, afresh.goes_on) == (True, False)
    assert (afresh.session.id, afresh.session.suspended) == ("S1", False)
    assert claimed(afresh, session_id="S2").session.id == "S2"


def test_a_child_of_a_cancelled_task_is_refused():
    parent = rules.cancel(queued(), NOW)
    child = replace(queued(), task=replace(queued().task, id="02", parent="01TASK"))
    with pytest.raises(Invalid, match="was cancelled"):
        rules.admit(child, None, Found(parent=parent, budget=PLENTY))


@pytest.mark.parametrize(
    ("sessions_used", "spent", "lacks"),
    [
        (5, 5_000_000, Budget(sessions=1, usd_micros=1_000_000)),
        (2, 5_000_000, Budget(sessions=0, usd_micros=2_500_000)),
        (5, 3, Budget(sessions=1, usd_micros=0)),
        (3, 4_999_990, Budget(sessions=0, usd_micros=1_670_000)),
        (1, 5_000_000 - 1, Budget(sessions=0, usd_micros=5_000_000)),
        (2, 4_600_002, Budget(sessions=0, usd_micros=2_310_000)),
        (1, 2_500_000, Budget(sessions=0, usd_micros=0)),
    ],
)
def test_a_grant_is_proposed_by_which_a_task_can_go_on(sessions_used, spent, lacks):
    task = replace(queued().task, sessions_used=sessions_used, usd_micros_spent=spent)
    assert rules.lacking(task) == lacks


def test_what_waits_for_budget_says_what_it_lacks():
    waits = claimed(ended(claimed(queued(budget=AskedBudget(usd_micros=500))), usd_micros=500))
    assert waits.task.waiting.lacks == Budget(sessions=0, usd_micros=500_000)


def edited(record, version=None, left=None, **fields):
    left = left or FamilyBudget(sessions=record.task.budget.sessions, usd_micros=record.task.budget.usd_micros)
    return rules.edit(record, left, Edit(**fields), version, LATER)


def test_an_edit_changes_priority_and_budget_and_its_family_has_more_or_less():
    old = queued()
    new = edited(old, priority=9, sessions=7, usd_micros=1_000_000)
    assert (new.task.priority, new.task.version, new.task.state) == (9, old.task.version + 1, State.QUEUED)
    assert new.task.budget == new.granted == Budget(sessions=7, usd_micros=1_000_000)
    change = budget_change(old, new)
    assert (change.sessions, change.usd_micros) == (2, -4_000_000)


def test_an_edit_leaves_what_it_does_not_name_and_without_a_change_all():
    assert edited(queued(), priority=1).task.budget == queued().task.budget
    assert edited(queued(), sessions=7).task.priority == queued().task.priority
    assert edited(queued(), priority=5) == queued()


def test_an_edit_of_what_is_over_or_was_changed_meanwhile_is_refused():
    with pytest.raises(Conflict, match="cancelled"):
        edited(rules.cancel(queued(), NOW), priority=1)
    with pytest.raises(StaleVersion):
        edited(queued(), version=7, priority=1)


def test_a_budget_is_not_edited_under_what_is_used_or_held():
    running = claimed(ended(usd_micros=400))
    with pytest.raises(Invalid) as refused:
        edited(running, usd_micros=400)
    assert refused.value.field == "usd_micros"
    second = claimed(ended(code=Exit.TURN_LIMIT))
    with pytest.raises(Invalid) as refused:
        edited(second, sessions=1)
    assert str(refused.value) == "sessions: must be at least 2: so many are used"
    assert edited(second, sessions=2).task.budget.sessions == 2
    assert edited(ended(usd_micros=400), usd_micros=400).task.budget.usd_micros == 400


def test_what_subtasks_used_cannot_be_taken_from_the_root():
    with pytest.raises(Invalid, match="at least 4"):
        edited(queued(), left=FamilyBudget(sessions=1, usd_micros=10**9), sessions=3)
    with pytest.raises(Invalid, match="usd_micros"):
        edited(queued(), left=FamilyBudget(sessions=5, usd_micros=4_000_000), usd_micros=999_999)


def test_a_subtasks_edit_moves_its_cap_only_and_not_over_what_the_family_has():
    child = replace(queued(), root="01ROOT", granted=NOTHING)
    lower = edited(child, sessions=1, usd_micros=1)
    assert (lower.granted, lower.task.budget) == (NOTHING, Budget(sessions=1, usd_micros=1))
    assert edited(lower, sessions=5, left=FamilyBudget(sessions=5, usd_micros=5)).task.budget.sessions == 5
    for field in ("sessions", "usd_micros"):
        with pytest.raises(Invalid, match="family has left"):
            edited(lower, left=FamilyBudget(sessions=4, usd_micros=4), **{field: 5 if field == "sessions" else 6})


def of_family(record, left, **fields):
    """The budget that an edit gives to a subtask whose family has `left`."""
    child = replace(record, root="01ROOT", granted=NOTHING)
    return edited(child, left=left, **fields).task.budget


def test_a_subtasks_edit_may_take_all_that_the_family_has_and_no_session_more():
    small = queued(budget=AskedBudget(sessions=1, usd_micros=10_000))
    left = FamilyBudget(sessions=1, usd_micros=50_000)
    assert of_family(small, left, usd_micros=50_000).usd_micros == 50_000
    with pytest.raises(Invalid, match="sessions"):
        of_family(small, left, sessions=2)
    held = FamilyBudget(sessions=1, usd_micros=10_000, reserved=40_000)
    assert of_family(small, held, usd_micros=50_000).usd_micros == 50_000


def test_what_a_subtask_used_is_no_part_of_what_its_family_still_owes_it():
    begun = ended(claimed(queued(budget=AskedBudget(sessions=2, usd_micros=10_000))), usd_micros=4_000)
    left = FamilyBudget(sessions=3, usd_micros=10_000)
    assert of_family(begun, left, sessions=4).sessions == 4
    assert of_family(begun, left, usd_micros=14_000).usd_micros == 14_000


def test_a_subtask_whose_cap_is_over_what_its_family_has_may_have_its_other_one_edited():
    few, poor = FamilyBudget(sessions=4, usd_micros=10**9), FamilyBudget(sessions=50, usd_micros=10)
    assert of_family(queued(), few, usd_micros=4_000_000).usd_micros == 4_000_000
    assert of_family(queued(), poor, sessions=4).sessions == 4


def test_a_note_that_is_sent_again_is_there_once():
    noted = rules.keep_as_note(claimed(), "use the newer file", NOW)
    assert noted.notes == ("use the newer file",)
    assert rules.keep_as_note(noted, "use the newer file", LATER) is noted


def test_a_task_that_waits_for_budget_is_granted_it_and_not_edited():
    waits = ended(claimed(queued(budget=AskedBudget(sessions=1))), Exit.TURN_LIMIT)
    with pytest.raises(Conflict, match="grant"):
        edited(waits, sessions=9)
    assert edited(waits, priority=9).task.waiting == waits.task.waiting


def test_an_edit_that_names_nothing_is_refused():
    with pytest.raises(Invalid):
        Edit()


def test_a_lost_holder_of_a_cancelled_task_is_let_go_with_what_its_session_spent_beyond_what_was_booked():
    again = claimed(ended(usd_micros=400), now=LATER)
    cancelled = rules.cancel(again, LATER)
    assert (cancelled.task.usd_micros_spent, cancelled.session.usd_micros, cancelled.is_leased) == (400, 400, True)
    assert cancelled.ttl_s == again.ttl_s  # its holder's lease goes on until it is past
    past = LATER + timedelta(hours=1)
    lost = rules.let_go(cancelled, cancelled.holder, 1000, past)
    assert (lost.task.usd_micros_spent, lost.session.usd_micros, lost.session.updated_at) == (1000, 1000, stamp(past))
    assert (lost.reserved, lost.ttl_s, lost.is_leased) == (0, None, False)
    assert rules.let_go(lost, cancelled.holder, 1000, LATER) == lost
