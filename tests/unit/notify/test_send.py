"""One message to one target, through the real child and apprise, to a real HTTP server."""

import pytest
from msgspec.structs import replace

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


def chat(receiver, options=""):
    """A service that takes 4,000 characters at once, subject included."""
    return Secret(f"mmost://127.0.0.1:{receiver.server.server_port}/{'a' * 24}{options}")


def parts(receiver):
    return [body["text"] for _, _, body in receiver.got]


def test_what_is_longer_than_a_service_takes_arrives_in_parts(receiver):
    words = [f"word{n}" for n in range(700)]
    assert send(chat(receiver), replace(MESSAGE, text=" ".join(words))).delivered
    assert len(parts(receiver)) > 1
    assert max(map(len, parts(receiver))) <= 4000
    whole = " ".join(parts(receiver))
    assert whole.startswith(MESSAGE.subject)
    assert whole.split()[-700:] == words


@pytest.mark.parametrize(("overflow", "length"), [("upstream", 5000), ("truncate", 3900)])
def test_a_url_that_says_what_is_done_with_long_ones_is_heeded(receiver, overflow, length):
    assert send(chat(receiver, f"?overflow={overflow}"), replace(MESSAGE, text="x" * 5000)).delivered
    (only,) = parts(receiver)
    assert length <= only.count("x") <= length + 100


def test_one_that_would_take_more_parts_than_there_is_time_for_gets_it_whole(receiver):
    url = Secret(f"misskey://token@127.0.0.1:{receiver.server.server_port}")
    assert send(url, replace(MESSAGE, text="x" * 5000)).delivered
    assert parts(receiver)[0].count("x") == 5000


@pytest.mark.parametrize("status", [400, 503])
def test_a_refusal_is_said_with_its_status(receiver, status):
    receiver.status = status
    assert send(receiver.url, MESSAGE) == Result(delivered=False, answer=f"refused with status {status}")


def test_a_receiver_that_is_down_is_no_connection():
    found = send(Secret("json://127.0.0.1:9/x"), MESSAGE)
    assert found == Result(delivered=False, answer="no connection, or no answer in time")


def test_one_that_drips_is_given_up_in_time(receiver):
    receiver.drips = "head"
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
