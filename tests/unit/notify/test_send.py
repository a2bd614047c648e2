"""One message to one target, through the real child and apprise, to a real HTTP server."""

import pytest

from notify.send import Result, send
from wire.secret import Secret
from wire.types import Message

pytestmark = pytest.mark.process

MESSAGE = Message(
    id="01K.question.4", target="hook", subject="[jada] Question: Keep? (01K.question.4)", text="<b>ü</b>"
)


def test_a_message_arrives_as_text_under_its_id(receiver):
    assert send(receiver.url, MESSAGE) == Result(delivered=True, answer="accepted")
    ((path, headers, body),) = receiver.got
    assert (path, body["title"], body["message"]) == ("/hook", MESSAGE.subject, MESSAGE.text)
    assert headers["Idempotency-Key"] == headers["X-Jada-Message"] == MESSAGE.id


@pytest.mark.parametrize("status", [400, 503])
def test_a_refusal_is_said_with_its_status(receiver, status):
    receiver.status = status
    assert send(receiver.url, MESSAGE) == Result(delivered=False, answer=f"refused with status {status}")


def test_a_receiver_that_is_down_is_no_connection():
    found = send(Secret("json://127.0.0.1:9/x"), MESSAGE)
    assert found == Result(delivered=False, answer="no connection, or no answer in time")


def test_one_that_drips_is_given_up_in_time(receiver):
    receiver.drips = True
    # Longer than the child's start, however slow the machine, so that the message was under way.
    for limit_s in (3, 12, 48):
        found = send(receiver.url, MESSAGE, limit_s=limit_s)
        assert found == Result(delivered=False, answer=f"no answer within {limit_s} s")
        if receiver.asked.is_set():
            break
    assert receiver.asked.is_set()


@pytest.mark.parametrize("url", ["nothing://pass-word@host", "json://"])
def test_a_url_that_apprise_does_not_know_is_said_without_it(url, capfd):
    assert send(Secret(url), MESSAGE) == Result(delivered=False, answer="its URL is none that apprise knows")
    assert "pass-word" not in "".join(capfd.readouterr())


def test_nothing_that_apprise_says_reaches_a_log(receiver, capfd):
    receiver.status = 500
    send(receiver.url, MESSAGE)
    assert "".join(capfd.readouterr()) == ""
