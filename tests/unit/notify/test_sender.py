"""The sender against the real dashboard: at least once, under one id, whatever happens in between."""

import contextlib
import threading

import pytest

from dashboard.application import create
from dashboard.settings import Notify, Settings
from dashboard.stores.memory import MemoryStore
from local.process import wait_until
from local.serve import running
from notify.direct import message, send_all
from notify.send import AT_ONCE, Result
from notify.sender import Sender
from tests.tokens import accepting
from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret
from wire.types import ClaimRequest, Exit, NewTask, Problem, SessionEnd

TOKEN = Secret("a-token-of-the-tests")
MINUTE = 60
TAKEN = Result(delivered=True, answer="accepted")


class Killed(Exception):
    """The sender ends here."""


@pytest.fixture
def client():
    targets = ("mail", "chat")
    settings = Settings(notify=Notify(targets=targets))
    with running(create(MemoryStore(targets=targets), accepting(TOKEN), settings)) as url:
        yield Client(url, TOKEN, retries=0)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def sender(client, sent):
    def make(answer=lambda _url: TAKEN, url=None):
        def send(url, message):
            sent.append((url.reveal(), message.id))
            return answer(url.reveal())

        targets = {"mail": Secret("mailtos://m"), "chat": Secret("slack://c")}
        return Sender(url or client, targets, send, 5)

    return make


def fail(client):
    client.add_task(NewTask(title="t"))
    held = client.claim(ClaimRequest(host="h"))
    return client.end(held.session.id, SessionEnd(fence=1, exit=Exit.FAULT, reason="no bwrap"))


def test_what_is_due_is_sent_to_each_target_and_then_no_more(client, sender, sent):
    task = fail(client)
    assert sender().look() == 5
    assert sorted(sent) == [(url, f"{task.id}.failed.{task.version}") for url in ("mailtos://m", "slack://c")]
    sender().look()
    assert len(sent) == 2


def test_a_look_that_found_something_due_has_news_and_the_next_has_none(client, sender):
    looking = sender()
    looking.look()
    assert not looking.has_news
    fail(client)
    looking.look()
    assert looking.has_news
    looking.look()
    assert not looking.has_news


def test_what_is_refused_stays_due_and_holds_up_no_other(client, sender, sent):
    fail(client)
    sender(lambda url: TAKEN if "slack" in url else Result(delivered=False, answer="refused with status 500")).look()
    assert len(sent) == 2
    assert (client.notifications().unsent, client.due_messages()) == (1, ())  # not due until its pause is over


def test_a_sender_that_is_killed_in_between_sends_only_that_message_again_and_under_its_id(client, sender, sent):
    task = fail(client)

    def killed(url):
        if "slack" in url:
            assert wait_until(lambda: client.notifications().unsent == 1, MINUTE)
            raise Killed
        return TAKEN

    with pytest.raises(Killed):
        sender(killed).look()
    sender().look()
    fact = f"{task.id}.failed.{task.version}"
    assert sorted(sent) == [("mailtos://m", fact), ("slack://c", fact), ("slack://c", fact)]


class Slow:
    """Receivers of which some hold each message until the test lets go; `begun` are the targets in order."""

    def __init__(self, *slow):
        self.begun, self.let_go = [], {target: threading.Event() for target in slow}

    def __call__(self, url, _message):
        target = url.reveal().removeprefix("json://")
        self.begun.append(target)
        if target in self.let_go:
            # Longer than the test waits for what is not to wait for it.
            return Result(delivered=False, answer=f"held: {self.let_go[target].wait(10 * MINUTE)}")
        return TAKEN

    def let_all_go(self):
        for event in self.let_go.values():
            event.set()

    def got(self, target, count):
        return wait_until(lambda: self.begun.count(target) >= count, MINUTE)


class Counted(Client):
    """Counts the looks into the outbox."""

    looks = 0

    def due_messages(self):
        self.looks += 1
        return super().due_messages()

    def looked_twice(self):
        """Wait until what is due by now was looked for: the second look to come has begun after this call."""
        seen = self.looks
        return wait_until(lambda: self.looks > seen + 1, MINUTE)


@contextlib.contextmanager
def sending(slow, *targets):
    """A dashboard with these targets, and a sender that looks into its outbox once, meanwhile."""
    settings = Settings(notify=Notify(targets=targets, burst=99))
    with running(create(MemoryStore(targets=targets), accepting(TOKEN), settings)) as url:
        client = Counted(url, TOKEN, retries=0)
        looking = Sender(client, {name: Secret(f"json://{name}") for name in targets}, slow, 1)

        @contextlib.contextmanager
        def look():
            thread = threading.Thread(target=looking.look)
            thread.start()
            try:
                yield
            finally:
                slow.let_all_go()
                thread.join()

        yield client, look


def test_a_target_that_does_not_answer_does_not_hold_up_another_nor_what_becomes_due_meanwhile():
    slow = Slow("a")
    with sending(slow, "a", "b") as (client, look):
        fail(client)
        with look():
            assert slow.got("b", 1)
            fail(client)
            assert slow.got("b", 2)
            # One at a time to each: what the other side is slow about is not asked of it twice.
            assert (slow.begun.count("a"), slow.let_go["a"].is_set()) == (1, False)


def test_of_two_that_do_not_answer_the_first_to_be_given_up_makes_room_for_a_third_and_gets_no_second_message_before():
    slow = Slow("a", "b")
    with sending(slow, "a", "b", "c") as (client, look):
        fail(client)
        with look():
            assert slow.got("a", 1)
            assert slow.got("b", 1)
            fail(client)
            slow.let_go["a"].set()
            assert slow.got("c", 2)
            assert client.looked_twice()
            assert (slow.begun.count("a"), slow.let_go["b"].is_set()) == (1, False)


def test_targets_that_did_not_answer_never_take_all_places():
    slow = Slow("a", "b", "c", "d")
    slow.let_all_go()
    with sending(slow, "a", "b", "c", "d", "e") as (client, look):
        fail(client)
        with look():
            assert slow.got("e", 1)
        for event in slow.let_go.values():
            event.clear()
        fail(client)
        with look():
            assert slow.got("e", 2)
            assert wait_until(lambda: len(slow.begun) == 5 + 1 + AT_ONCE - 1, MINUTE)
            assert client.looked_twice()
            fail(client)
            assert slow.got("e", 3)
            assert len(slow.begun) == 5 + 2 + AT_ONCE - 1


def test_no_more_than_a_few_are_sent_to_at_once():
    targets = "abcde"
    slow = Slow(*targets)
    with sending(slow, *targets) as (client, look):
        fail(client)
        with look():
            assert wait_until(lambda: len(slow.begun) >= AT_ONCE, MINUTE)
            assert client.looked_twice()
            assert len(slow.begun) == AT_ONCE
    assert sorted(slow.begun) == sorted(targets)


def test_what_goes_past_the_outbox_is_not_held_up_either():
    slow = Slow("a")
    done = {}
    targets = {name: Secret(f"json://{name}") for name in "ab"}
    sending = threading.Thread(target=lambda: done.update(send_all(targets, message("x", "Test", "t"), slow)))
    sending.start()
    try:
        assert slow.got("b", 1)
    finally:
        slow.let_all_go()
        sending.join()
    assert [(name, result.delivered) for name, result in done.items()] == [("a", False), ("b", True)]


class Restarting:
    """A dashboard that is away, or too busy, just when a try is to be settled."""

    def __init__(self, client, how):
        self._client, self._how, self.is_away = client, how, True
        self.due_messages = client.due_messages

    def settle_message(self, delivery):
        if self.is_away:
            raise self._how
        return self._client.settle_message(delivery)


BUSY = RequestRefused(Problem(title="Busy", status=503, detail="all connections are taken: try again in a second"))


@pytest.mark.parametrize("how", [Unreachable("it restarts"), BUSY])
def test_who_was_told_before_the_dashboard_restarted_hears_that_it_is_over(client, sender, sent, how):
    task = fail(client)
    restarting = Restarting(client, how)
    looking = sender(url=restarting)
    looking.look()
    client.retry(task.id)
    restarting.is_away = False
    looking.look()
    told, over = sorted(sent[:2]), sorted(sent[2:])
    assert over == [(url, f"{fact}.over") for url, fact in told]


def test_a_target_without_a_url_is_said_and_stays_unsent(client, sent):
    fail(client)
    Sender(client, {"chat": Secret("slack://c")}, lambda *_: TAKEN, 5).look()
    standing = client.notifications()
    assert (standing.unsent, "notify_targets" in standing.answer) == (1, True)


def test_a_dashboard_that_is_away_is_asked_again_after_pauses_that_grow_to_a_bound(sender, sent, caplog):
    away = Client("http://127.0.0.1:9", TOKEN, retries=0, timeout_s=2)
    looking = sender(url=away)
    assert [looking.look() for _ in range(5)] == [10, 20, 30, 30, 30]
    assert len(caplog.records) == 1
    assert sent == []
