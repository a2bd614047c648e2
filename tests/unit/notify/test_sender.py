"""The sender against the real dashboard: at least once, under one id, whatever happens in between."""

import pytest

from dashboard.application import create
from dashboard.settings import Notify, Settings
from dashboard.stores.memory import MemoryStore
from local.serve import running
from notify.send import Result
from notify.sender import Sender
from tests.tokens import accepting
from wire.client import Client, Unreachable
from wire.secret import Secret
from wire.types import ClaimRequest, Exit, NewTask, SessionEnd

TOKEN = Secret("a-token-of-the-tests")
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
    fail(client)

    def killed(_url):
        if len(sent) == 2:
            raise Killed
        return TAKEN

    with pytest.raises(Killed):
        sender(killed).look()
    sender().look()
    assert sent[1] == sent[2]
    assert len(sent) == 3


class Restarting:
    """A dashboard that is away just when a try is to be settled."""

    def __init__(self, client):
        self._client, self.is_away = client, True
        self.due_messages = client.due_messages

    def settle_message(self, delivery):
        if self.is_away:
            raise Unreachable("it restarts")
        return self._client.settle_message(delivery)


def test_who_was_told_before_the_dashboard_restarted_hears_that_it_is_over(client, sender, sent):
    task = fail(client)
    restarting = Restarting(client)
    looking = sender(url=restarting)
    looking.look()
    client.retry(task.id)
    restarting.is_away = False
    looking.look()
    (told, over) = sent
    assert over == (told[0], f"{told[1]}.over")


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
