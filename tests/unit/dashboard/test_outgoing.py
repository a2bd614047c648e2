"""What waits is sent: one notice for each fact and target, tried until it is answered, and closed when it is over."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dashboard import outgoing
from dashboard.outgoing import Notice, Policy
from dashboard.queue import Queue
from dashboard.record import Full
from dashboard.settings import Notify, Settings
from dashboard.stores import NoticeFilter
from dashboard.stores.memory import MemoryStore
from wire.times import stamp
from wire.types import (
    AskedBudget,
    ClaimRequest,
    Delivery,
    Exit,
    Need,
    NewTask,
    Question,
    Reply,
    SessionEnd,
    State,
    SyncOutcome,
    SyncRun,
)

TARGETS = ("mail", "chat")


@pytest.fixture
def make(clock):
    def queue(targets=TARGETS, **fields):
        notify = Notify(targets=targets, **fields)
        return Queue(MemoryStore(targets=targets), Settings(notify=notify), clock, clock.seconds)

    return queue


@pytest.fixture
def queue(make):
    return make(("mail",), remind_hours=0)


def ask(queue, title="Keep?", text="Keep or release?"):
    queue.add(NewTask(title=title))
    held = queue.claim(ClaimRequest(host="h"))
    end = SessionEnd(fence=1, exit=Exit.ASKED, question=Question(tool_use_id="tu", text=text))
    return queue.end(held.session.id, end)


def fail(queue, code=Exit.FAULT, **task):
    queue.add(NewTask(title="t", **task))
    held = queue.claim(ClaimRequest(host="h"))
    return queue.end(held.session.id, SessionEnd(fence=1, exit=code, reason="no bwrap"))


def test_a_failure_without_a_reason_is_told_without_a_text(queue):
    queue.add(NewTask(title="t"))
    held = queue.claim(ClaimRequest(host="h"))
    task = queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FAULT))
    (message,) = queue.due_messages()
    assert message.text == f"Failed: t, since {task.updated_at}.\n\nfab task.retry {task.id}"


def sync(queue, outcome, **fields):
    at = stamp(queue.clock())
    queue.report(SyncRun(started_at=at, finished_at=at, outcome=outcome, **fields))


def settle(queue, *, delivered=True, answer="accepted"):
    """Let each due message end in one way; return them."""
    due = queue.due_messages()
    for message in due:
        queue.settle_message(Delivery(id=message.id, target=message.target, delivered=delivered, answer=answer))
    return due


def subjects(messages):
    return [message.subject.removeprefix("[jada] ").split(" (")[0] for message in messages]


def test_a_question_goes_to_each_target_under_one_id_that_names_its_task(make):
    queue = make()
    task = ask(queue)
    due = queue.due_messages()
    fact = f"{task.id}.question.{task.version}"
    assert {(message.id, message.target) for message in due} == {(fact, target) for target in TARGETS}
    assert due[0].id in due[0].subject
    assert "Keep or release?" in due[0].text
    assert f'fab task.answer {task.id} --text "…"' in due[0].text


@pytest.mark.parametrize(
    ("happens", "word"),
    [
        (ask, "Question"),
        (lambda queue: fail(queue, Exit.BUDGET), "Budget used up"),
        (lambda queue: fail(queue, Exit.STUCK), "Stuck"),
        (fail, "Failed"),
        (lambda queue: sync(queue, SyncOutcome.FAILED, error="token_dead"), "Alarm"),
    ],
)
def test_each_kind_of_fact_is_due_at_once(queue, happens, word):
    happens(queue)
    (message,) = queue.due_messages()
    assert message.subject.startswith(f"[jada] {word}: ")


def test_a_budget_that_a_claim_finds_used_up_is_sent(queue):
    task, _ = queue.add(NewTask(title="t", budget=AskedBudget(sessions=1)))
    queue.claim(ClaimRequest(host="h"))
    queue.clock.go_on(hours=1)
    queue.claim(ClaimRequest(host="h"))
    queue.clock.go_on(hours=1)
    held = queue.claim(ClaimRequest(host="h"))
    queue.end(held.session.id, SessionEnd(fence=held.lease.fence, exit=Exit.TURN_LIMIT))
    assert [message.id.split(".")[:2] for message in queue.due_messages()] == [[task.id, "budget"]]


def test_what_needs_no_user_is_not_sent(queue):
    task, _ = queue.add(NewTask(title="t"))
    held = queue.claim(ClaimRequest(host="h"))
    queue.end(held.session.id, SessionEnd(fence=1, exit=Exit.FINISHED, result="ok"))
    sync(queue, SyncOutcome.CHANGED)
    assert (queue.get(task.id).result, queue.due_messages()) == ("ok", [])


def test_a_repeated_move_or_report_makes_no_second_message(queue):
    task = ask(queue)
    end = SessionEnd(fence=1, exit=Exit.ASKED, question=Question(tool_use_id="tu", text="Keep or release?"))
    queue.end(queue.store.sessions(task.id)[0].id, end)
    for _ in range(3):
        sync(queue, SyncOutcome.FAILED, error="token_dead")
    assert len(settle(queue)) == 1
    assert len(settle(queue)) == 1
    assert settle(queue) == []


def test_a_message_comes_again_under_its_id_until_it_is_settled(queue):
    ask(queue)
    first = queue.due_messages()
    assert queue.due_messages() == first
    assert settle(queue) == first
    assert queue.due_messages() == []


def test_pauses_between_tries_grow_up_to_a_bound_and_it_is_never_given_up(queue, clock):
    ask(queue)
    pauses, ids = [], set()
    for _ in range(9):
        (message,) = settle(queue, delivered=False, answer="status 500")
        ids.add(message.id)
        began = clock()
        assert queue.notifications().unsent == 1
        while not queue.due_messages():
            clock.go_on(seconds=10)
        pauses.append((clock() - began).total_seconds())
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600, 600]
    assert len(ids) == 1
    standing = queue.notifications()
    assert (standing.unsent, standing.answer) == (1, "mail: status 500")
    assert standing.oldest == "2026-05-13T12:00:00Z"


def test_a_target_that_fails_holds_up_no_other(make, clock):
    queue = make()
    ask(queue)
    mail, chat = sorted(queue.due_messages(), key=lambda message: message.target, reverse=True)
    queue.settle_message(Delivery(id=mail.id, target="mail", delivered=False))
    assert queue.due_messages() == [chat]
    queue.settle_message(Delivery(id=chat.id, target="chat", delivered=True))
    clock.go_on(minutes=1)
    assert queue.due_messages() == [mail]


def test_what_was_sent_gets_closing_words_when_it_is_over(queue):
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    (raised,) = settle(queue)
    sync(queue, SyncOutcome.CHANGED)
    (closed,) = settle(queue)
    assert (closed.id, "A sync run succeeded." in closed.text) == (f"{raised.id}.over", True)
    assert settle(queue) == []


def test_what_was_over_before_it_was_sent_is_withdrawn(queue):
    task = ask(queue)
    queue.reply(task.id, Reply(text="keep"), task.version)
    assert queue.due_messages() == []
    assert queue.notifications().unsent == 0


def test_what_ends_while_it_is_sent_gets_its_closing_words_after(queue):
    task = ask(queue)
    (message,) = queue.due_messages()
    queue.cancel(task.id)
    assert queue.due_messages() == []
    queue.settle_message(Delivery(id=message.id, target="mail", delivered=True))
    (closing,) = queue.due_messages()
    assert (closing.id, "It was cancelled." in closing.text) == (f"{message.id}.over", True)


def test_what_ends_while_it_is_sent_in_vain_stays_withdrawn(queue, clock):
    task = ask(queue)
    (message,) = queue.due_messages()
    queue.cancel(task.id)
    queue.settle_message(Delivery(id=message.id, target="mail", delivered=False))
    clock.go_on(hours=1)
    assert queue.due_messages() == []


def test_an_alarm_that_goes_on_says_its_latest_cause_and_one_of_another_kind_is_sent_anew(queue, clock):
    clock.go_on(minutes=66)
    queue.look()
    (silent,) = settle(queue)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    (failed,) = queue.due_messages()
    assert (silent.id != failed.id, "token_dead" in failed.text) == (True, True)
    sync(queue, SyncOutcome.FAILED, error="sheet_gone")
    (same,) = settle(queue)
    assert (same.id, "sheet_gone" in same.text) == (failed.id, True)
    sync(queue, SyncOutcome.CHANGED)
    assert [message.id for message in settle(queue)] == [f"{failed.id}.over"]


def test_who_heard_of_an_alarm_by_an_earlier_title_only_hears_that_it_is_over(queue, clock):
    clock.go_on(minutes=66)
    queue.look()
    (silent,) = settle(queue)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    sync(queue, SyncOutcome.CHANGED)
    (over,) = settle(queue)
    assert (over.id, "A sync run succeeded." in over.text) == (f"{silent.id}.over", True)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    (again,) = settle(queue)
    sync(queue, SyncOutcome.CHANGED)
    assert [message.id for message in settle(queue)] == [f"{again.id}.over"]


def test_an_earlier_title_is_not_closed_again_when_the_alarm_of_later_is_over_unsent(queue, clock):
    clock.go_on(minutes=66)
    queue.look()
    settle(queue)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    settle(queue)
    sync(queue, SyncOutcome.CHANGED)
    settle(queue)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    sync(queue, SyncOutcome.CHANGED)
    assert settle(queue) == []


def test_what_still_waits_is_sent_again_as_a_reminder_of_its_own(make, clock):
    queue = make(("mail",), remind_hours=4)
    task = ask(queue)
    (first,) = settle(queue)
    clock.go_on(hours=3)
    assert queue.due_messages() == []
    clock.go_on(hours=1)
    (reminder,) = settle(queue)
    assert (reminder.id, subjects([reminder])) == (f"{first.id}.reminder-1", ["Reminder: Question: Keep?"])
    queue.cancel(task.id)
    assert subjects(settle(queue)) == ["Over: Keep?"]
    clock.go_on(hours=9)
    assert queue.due_messages() == []


def test_a_flood_is_one_message_of_a_steady_id(queue, clock):
    for _ in range(30):
        fail(queue)
    (first,) = settle(queue, delivered=False)
    assert (first.text.count("Failed: t"), "and 10 more" in first.text) == (20, True)
    clock.go_on(minutes=1)
    fail(queue)
    (later,), (again,) = settle(queue), settle(queue)
    assert subjects([later, again]) == ["Failed: t", "30 notices"]
    assert again.id == first.id
    assert settle(queue) == []


def test_a_target_gets_no_more_than_six_messages_in_ten_minutes(queue, clock):
    for _ in range(8):
        fail(queue)
        settle(queue)
        clock.go_on(seconds=10)
    assert settle(queue) == []
    clock.go_on(minutes=10)
    assert subjects(settle(queue)) == ["Failed: t"]
    assert subjects(settle(queue)) == ["Failed: t"]


def test_quiet_hours_hold_all_but_alarms_in_the_time_zone_of_the_setting(make, clock):
    queue = make(("mail",), quiet=("13:30", "15:00"), time_zone="Europe/Lisbon", remind_hours=0)
    clock.go_on(minutes=30)  # 12:30 UTC is 13:30 in Lisbon
    ask(queue)
    sync(queue, SyncOutcome.FAILED, error="token_dead")
    assert [subject.split(":")[0] for subject in subjects(settle(queue))] == ["Alarm"]
    assert settle(queue) == []
    clock.go_on(minutes=90)
    assert subjects(settle(queue)) == ["Question: Keep?"]


@pytest.mark.parametrize(
    ("at", "hours", "quiet"),
    [
        ("23:00", ("22:00", "07:00"), True),
        ("22:00", ("22:00", "07:00"), True),
        ("06:59", ("22:00", "07:00"), True),
        ("07:00", ("22:00", "07:00"), False),
        ("12:00", ("12:00", "13:00"), True),
        ("13:00", ("12:00", "13:00"), False),
        ("12:00", ("12:00", "12:00"), False),
        ("12:00", None, False),
    ],
)
def test_quiet_hours_may_span_midnight(at, hours, quiet):
    hour, minute = map(int, at.split(":"))
    assert outgoing.is_quiet(datetime(2026, 5, 13, hour, minute, tzinfo=UTC), hours) is quiet


def test_a_pointer_says_neither_title_nor_text(make):
    queue = make(("mail",), text="pointer", link="https://jada.example.com/")
    task = ask(queue, title="Guest Ada Example", text="Is Ada Example coming?")
    (message,) = queue.due_messages()
    assert "Ada" not in message.subject + message.text
    assert f"https://jada.example.com/tasks/{task.id}" in message.text


def test_a_target_that_is_set_no_more_is_not_sent_to(clock):
    store = MemoryStore(targets=TARGETS)
    before = Queue(store, Settings(notify=Notify(targets=TARGETS)), clock, clock.seconds)
    ask(before)
    after = Queue(store, Settings(notify=Notify(targets=("chat",))), clock, clock.seconds)
    assert {message.target for message in settle(after)} == {"chat"}
    assert before.notifications().unsent == 0


def test_a_settled_message_that_is_settled_again_changes_nothing(queue):
    ask(queue)
    (message,) = settle(queue)
    queue.settle_message(Delivery(id=message.id, target="mail", delivered=False))
    assert (queue.due_messages(), queue.notifications().unsent) == ([], 0)


def test_a_second_wait_of_the_same_task_is_another_fact(queue, clock):
    task = ask(queue)
    (first,) = settle(queue)
    queue.reply(task.id, Reply(text="keep"), task.version)
    settle(queue)
    clock.go_on(minutes=1)
    held = queue.claim(ClaimRequest(host="h"))
    end = SessionEnd(fence=held.lease.fence, exit=Exit.ASKED, question=Question(tool_use_id="t2", text="Sure?"))
    queue.end(held.session.id, end)
    (second,) = settle(queue)
    assert (second.id != first.id, "Sure?" in second.text) == (True, True)


def test_without_a_target_nothing_is_kept(make):
    queue = make(())
    ask(queue)
    assert (queue.due_messages(), queue.notifications().targets) == ([], ())


def test_notices_of_one_record_are_the_same_whenever_they_are_made(queue, store):
    task = ask(queue)
    record = queue.store.get(task.id)
    running = replace(record, task=replace(record.task, state="running"))
    made = outgoing.news(running, record, [], TARGETS)
    assert made == outgoing.news(running, record, [], TARGETS)
    assert timedelta(seconds=made[0].due_at) == queue.clock() - datetime(1970, 1, 1, tzinfo=UTC)


class FullStore(MemoryStore):
    """A store in which notices can be read, and for a time not written."""

    is_full = False

    def change_notices(self, which, move, under=None):
        if self.is_full:
            raise Full("no room")
        super().change_notices(which, move, under)


def test_a_delivery_that_cannot_be_kept_is_not_sent_again_and_is_kept_later(clock):
    store = FullStore(targets=("mail",))
    queue = Queue(store, Settings(notify=Notify(targets=("mail",), remind_hours=0)), clock, clock.seconds)
    ask(queue)
    assert len(queue.due_messages()) == 1
    store.is_full = True
    assert len(settle(queue)) == 1
    for _ in range(3):
        assert queue.due_messages() == []
    store.is_full = False
    assert queue.due_messages() == []
    assert [notice.sent for notice in store.notices(NoticeFilter(since=0))] == [1]


@pytest.fixture
def waits(queue):
    """The record of a task that waits, as the store has it."""
    return queue.store.get(ask(queue).id)


def told(record, *targets, **fields):
    """The notices of a record as they are held, each with the given fields."""
    return [replace(notice, **fields) for notice in outgoing.news(None, record, [], targets)]


def test_a_target_that_is_new_hears_of_what_waits_as_one_that_was_never_told(waits):
    mail = told(waits, "mail", message="m", tries=3, sent=1, sent_at=1.0, answer="accepted", due_at=None)
    assert outgoing.caught_up(waits, mail, ("mail", "chat"), 50.0) == told(waits, "chat", due_at=50.0)


def test_a_new_target_hears_under_the_facts_own_id_and_of_the_latest_fact(waits):
    held = [told(waits, "mail", id=f"T.question.{version}")[0] for version in (1, 4, 7)]
    (made,) = outgoing.caught_up(waits, held, ("mail", "chat"), 50.0)
    assert (made.id, made.target) == ("T.question.7", "chat")


def test_without_a_notice_that_is_open_each_target_hears_of_the_fact_once(waits):
    over = told(waits, "mail", closing="It is done.") + told(waits, "mail", kind=outgoing.OVER)
    for held in ([], over):
        assert outgoing.caught_up(waits, held, TARGETS, 50.0) == told(waits, *TARGETS, due_at=50.0)


@pytest.mark.parametrize(
    ("held", "due"),
    [
        ({"sent": 0, "due_at": None}, True),  # withdrawn unsent, when its target was not set
        ({"sent": 0, "due_at": 7.0}, False),
        ({"sent": 1, "due_at": None}, False),
        ({"sent": 1, "due_at": 7.0}, False),
    ],
)
def test_a_target_that_is_set_again_hears_of_what_it_was_not_told(waits, held, due):
    mail = told(waits, "mail", **held)
    assert outgoing.caught_up(waits, mail, ("mail",), 50.0) == (told(waits, "mail", due_at=50.0) if due else [])


def test_what_needs_nobody_is_no_news_to_a_new_target(waits):
    done = replace(waits, task=replace(waits.task, state="done", waiting=None))
    assert outgoing.caught_up(done, [], TARGETS, 50.0) == []


def test_a_record_that_is_new_concerns_no_one_unless_it_waits(waits):
    calm = replace(waits, task=replace(waits.task, state=State.QUEUED, waiting=None))
    assert not outgoing.concerns(None, calm)
    assert outgoing.concerns(None, waits)
    assert outgoing.concerns(waits, calm)


def test_an_alarm_that_is_another_one_closes_the_one_before_without_a_word_to_send(waits):
    held = told(waits, "mail", sent=1)
    other = replace(waits, task=replace(waits.task, title="Another", version=waits.task.version + 1))
    stale, fresh = outgoing.news(waits, other, held, ("mail",))
    assert (stale.closing, stale.due_at) == ("Its cause is known by now.", None)
    assert (fresh.title, fresh.due_at) == ("Another", held[0].due_at)


def test_what_was_called_otherwise_before_is_closed_with_the_words_of_the_end(waits):
    held = [replace(each, closing=outgoing.SUPERSEDED, due_at=None) for each in told(waits, "mail", sent=1)]
    after = replace(waits, task=replace(waits.task, state=State.DONE, waiting=None, result="It is in step."))
    (closed,) = outgoing.news(waits, after, held, ("mail",))
    assert closed == replace(held[0], closing="It is in step.")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.QUEUED, "It is in the queue again."),
        (State.RUNNING, "It runs again."),
        (State.DONE, "It is done."),
        (State.CANCELLED, "It was cancelled."),
        (State("resting"), "It is resting by now."),
    ],
)
def test_closing_words_say_what_became_of_it(waits, state, words):
    after = replace(waits, task=replace(waits.task, state=state, waiting=None))
    withdrawn, last = outgoing.news(waits, after, told(waits, "mail", sent=2, tries=1, answer="a"), ("mail",))
    assert (withdrawn.closing, last.text, last.kind) == (words, words, outgoing.OVER)
    assert (last.tries, last.sent, last.sent_at, last.answer, last.message) == (0, 0, None, "", "")


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (Need.QUESTION, 'fab task.answer T --text "…"'),
        (Need.STUCK, 'fab task.answer T --text "…"'),
        (Need.BUDGET, "fab task.answer T --dollars 5"),
        (Need.ALARM, "fab task.show T"),
        ("failed", "fab task.retry T"),
        ("a later release's", "fab task.show T"),
    ],
)
def test_a_message_ends_with_the_command_for_its_kind(kind, command):
    (message,) = outgoing.messages([notice(kind=str(kind))], Policy(targets=("mail",)))
    assert message.text.splitlines()[-1] == command


def notice(**fields):
    plain = {"id": "F", "target": "mail", "task": "T", "kind": "question", "title": "t", "text": "x", "at": "then"}
    return Notice(**{**plain, "message": "M", "due_at": 0.0, **fields})


def test_a_message_of_one_is_headline_text_command_and_link_line_by_line():
    policy = Policy(targets=("mail",), link="https://x.example/")
    (message,) = outgoing.messages([notice(text="Keep?\nOr not?")], policy)
    assert message.subject == "[jada] Question: t (M)"
    assert message.text == (
        'Question: t, since then.\n\nKeep?\nOr not?\n\nfab task.answer T --text "…"\nhttps://x.example/tasks/T'
    )


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("word " * 300, "word " * 300),
        ("word " * 301, "word " * 299 + "word"),
        ("x" * 9000, "x" * 1500),
        ("a\n" + "x" * 9000, "a\n" + "x" * 1498),
    ],
)
def test_a_text_that_services_would_refuse_is_cut_at_a_word_and_says_where_the_rest_is(text, begins):
    policy = Policy(targets=("mail",), link="https://x.example/")
    (message,) = outgoing.messages([notice(text=text)], policy)
    rest = "" if begins == text else " … the rest: fab task.show T"
    assert message.text == (
        f'Question: t, since then.\n\n{begins}{rest}\n\nfab task.answer T --text "…"\nhttps://x.example/tasks/T'
    )


def test_a_long_result_in_closing_words_is_cut_too():
    (message,) = outgoing.messages([notice(kind=outgoing.OVER, text="x" * 9000)], Policy(targets=("mail",)))
    assert message.text.endswith("x … the rest: fab task.show T")
    assert message.text.count("x") == 1500


def test_a_fact_of_no_task_leads_to_the_front_page_and_an_unknown_kind_needs_you():
    policy = Policy(targets=("mail",), link="https://x.example")
    (message,) = outgoing.messages([notice(task="", kind="later", text="")], policy)
    assert message.text == "Needs you: t, since then.\n\nfab status\nhttps://x.example/"


@pytest.mark.parametrize(("count", "more"), [(20, ""), (21, "and 1 more\n")])
def test_a_message_of_several_names_twenty_and_counts_the_rest(count, more):
    policy = Policy(targets=("mail",), link="https://x.example/")
    (message,) = outgoing.messages([notice(id=f"F{n}") for n in range(count)], policy)
    assert message.text == "Question: t\n" * 20 + more + "\nfab status\nhttps://x.example/"


@pytest.mark.parametrize(
    ("fresh", "under_way", "lately", "sent"),
    [
        (3, 0, 0, 3),
        (4, 0, 0, 1),
        (3, 0, 3, 3),
        (3, 0, 4, 1),
        (1, 0, 5, 1),
        (1, 0, 6, 0),
        (1, 5, 0, 1),
        (1, 6, 0, 0),
        (2, 4, 0, 2),
        (2, 5, 0, 1),
    ],
)
def test_how_many_messages_facts_become_under_the_bound(fresh, under_way, lately, sent):
    due = [notice(id=f"F{n}", message="") for n in range(fresh)]
    due += [notice(id=f"U{n}", message=f"U{n}") for n in range(under_way)]
    made = outgoing.assigned(due, {"mail": lately} if lately else {}, Policy(targets=("mail",)), quiet=False)
    assert len({each.message for each in made}) == sent
    assert len(made) == (fresh if sent else 0)


def test_the_id_of_several_is_known_from_theirs_and_short():
    due = [notice(id=f"F{n}", message="", sent=n) for n in range(4)]
    (group,) = {each.message for each in outgoing.assigned(due, {}, Policy(targets=("mail",)), quiet=False)}
    ids = b"F0\nF1.reminder-1\nF2.reminder-2\nF3.reminder-3"
    assert group == f"{hashlib.sha256(ids).hexdigest()[:26]}.group"


def test_a_delivery_ends_the_message_and_its_tries_and_keeps_the_answers_beginning():
    delivery = Delivery(id="M", target="mail", delivered=True, answer="y" * 300)
    (kept,) = outgoing.settled([notice(tries=4)], delivery, 9.0, Policy(targets=("mail",), remind_s=60))
    assert (kept.message, kept.tries, kept.sent, kept.sent_at, kept.due_at) == ("", 0, 1, 9.0, 69.0)
    assert kept.answer == "y" * 200


def test_a_failed_try_of_what_is_over_leaves_nothing_to_send():
    delivery = Delivery(id="M", target="mail", delivered=False)
    (kept,) = outgoing.settled([notice(closing="Over.", due_at=None)], delivery, 9.0, Policy(targets=("mail",)))
    assert (kept.message, kept.due_at, kept.tries) == ("", None, 0)


@pytest.mark.parametrize(
    ("fields", "unsent"),
    [({"due_at": 9.0}, 1), ({"due_at": 9.5}, 0), ({"due_at": 9.5, "tries": 1}, 1), ({"due_at": None}, 1)],
)
def test_what_is_due_or_was_tried_in_vain_is_unsent(fields, unsent):
    standing = outgoing.standing([notice(**fields)], 9.0, Policy(targets=("mail",)))
    assert (standing.unsent, standing.answer) == (unsent, "")
