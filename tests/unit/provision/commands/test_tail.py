"""A task is watched over the real API: nothing is lost, nothing comes twice, and what a model wrote stays text."""

import json

import pytest

from dashboard.application import create
from dashboard.stores.memory import MemoryStore
from local.serve import running
from provision.commands import tail
from provision.commands.tail_lines import lines
from tests.tokens import accepting
from wire.client import Client, RequestRefused, Unreachable
from wire.secret import Secret
from wire.types import (
    Batch,
    ClaimRequest,
    Event,
    EventKind,
    Exit,
    NewTask,
    Question,
    Session,
    SessionEnd,
    State,
    Task,
    Unreadable,
)

AT = "2026-05-13T12:34:56Z"
TOKEN = Secret("a-token-of-the-tests")


@pytest.fixture
def client():
    with running(create(MemoryStore(), accepting(TOKEN))) as url:
        yield Client(url, TOKEN, retries=0)


@pytest.fixture
def claim(client):
    client.add_task(NewTask(title="t"))
    return client.claim(ClaimRequest(host="h"))


def event(n, kind=EventKind.MESSAGE, **data):
    return Event(n=n, at=AT, kind=kind, data=data)


def deliver(client, claim, *numbers):
    batch = Batch(fence=claim.lease.fence, events=tuple(event(n) for n in numbers))
    client.deliver(claim.session.id, batch)


class Steps:
    """A sleep in which, look by look, something happens."""

    def __init__(self, *steps):
        self.steps = [*steps]

    def __call__(self, _seconds):
        self.steps.pop(0)()


def watched(client, claim, sleep, last=20):
    seen = tail.watched(client, claim.task.id, last, sleep)
    return [
        item.n if isinstance(item, Event) else type(item) if not isinstance(item, Task) else item.state for item in seen
    ]


def end(client, claim, exit_=Exit.FINISHED, **fields):
    client.end(claim.session.id, SessionEnd(fence=claim.lease.fence, exit=exit_, **fields))


def test_records_come_once_each_as_they_arrive_until_the_task_is_over(client, claim):
    deliver(client, claim, 1, 2)
    steps = Steps(
        lambda: deliver(client, claim, 3),
        lambda: None,
        lambda: (deliver(client, claim, 4), end(client, claim, result="done")),
    )
    assert watched(client, claim, steps) == [Session, 1, 2, 3, 4, State.DONE]


def test_a_task_that_was_not_begun_is_watched_from_its_first_record(client):
    task = client.add_task(NewTask(title="t"))
    held = []

    def begin():
        held.append(client.claim(ClaimRequest(host="h")))
        deliver(client, held[0], 1)

    seen = tail.watched(client, task.id, 20, Steps(begin, lambda: end(client, held[0])))
    assert [type(item) for item in seen] == [Session, Event, Task]


def test_of_what_is_there_only_the_last_records_come(client, claim):
    deliver(client, claim, *range(1, 31))
    steps = Steps(lambda: (deliver(client, claim, 31, 32, 33), end(client, claim)))
    assert watched(client, claim, steps, last=2) == [Session, 29, 30, 31, 32, 33, State.DONE]
    assert watched(client, claim, Steps(), last=0) == [Session, State.DONE]


def test_the_session_that_goes_on_from_a_hand_over_is_watched_too(client, claim):
    deliver(client, claim, 1)

    def hand_over():
        end(client, claim, Exit.TURN_LIMIT, checkpoint="so far")
        second.append(client.claim(ClaimRequest(host="h")))
        deliver(client, second[0], 1, 2)

    second = []
    steps = Steps(hand_over, lambda: end(client, second[0]))
    assert watched(client, claim, steps) == [Session, 1, Session, 1, 2, State.DONE]


def test_a_task_that_waits_for_its_user_ends_it(client, claim):
    question = Question(tool_use_id="tu", text="Keep?")
    steps = Steps(lambda: end(client, claim, Exit.ASKED, question=question))
    assert watched(client, claim, steps) == [Session, State.NEEDS_YOU]


def test_an_unknown_task_is_refused_before_it_is_watched(client):
    with pytest.raises(RequestRefused, match="404"):
        tail.watched(client, "none", 20, Steps())


class Restarting:
    """A client whose dashboard is away for some looks."""

    def __init__(self, client, away):
        self.client, self.away, self.asked = client, away, 0

    def __getattr__(self, name):
        return getattr(self.client, name)

    def task(self, task_id):
        self.asked += 1
        if 1 < self.asked <= 1 + self.away:
            raise Unreachable("away")
        return self.client.task(task_id)


def test_a_dashboard_that_restarts_is_waited_for_and_one_that_stays_away_is_not(client, claim):
    deliver(client, claim, 1)
    end(client, claim)
    nothing = Steps(*[lambda: None] * 100)
    assert watched(Restarting(client, 5), claim, nothing) == [Session, 1, State.DONE]
    with pytest.raises(Unreachable):
        watched(Restarting(client, 50), claim, nothing)


def turn(**message):
    return event(3, EventKind.SETTLE, turn=4, usd_micros=20_000, message=message)


def test_a_turn_is_said_with_its_price_its_words_and_its_commands():
    content = [
        {"type": "text", "text": "I look.\n\nThen I count."},
        {"type": "tool_use", "name": "bash", "input": {"command": "wc -l b.csv"}},
        {"type": "tool_use", "name": "finish", "input": {"result": "x"}},
    ]
    assert [*lines(turn(content=content))] == [
        "12:34:56  turn 4, $0.02",
        "            I look.",
        "            Then I count.",
        "          bash: wc -l b.csv",
        "          finish: {'result': 'x'}",
    ]


def test_a_long_result_is_cut_and_says_so():
    said = [*lines(event(1, EventKind.TOOL_RESULT, content="\n".join(f"line {n}" for n in range(9))))]
    assert (said[0], said[-1], len(said)) == ("12:34:56  gave:", "            … 3 more lines", 8)
    wide = [*lines(event(1, EventKind.TOOL_RESULT, content="x" * 10_000, is_error=True))]
    assert (wide[0], len(wide[1]) < 230) == ("12:34:56  failed:", True)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (event(1, EventKind.HEADER, model="m"), "12:34:56  the session begins, with m"),
        (event(1, EventKind.ANSWER, text="Keep."), "12:34:56  the answer:"),
        (event(1, EventKind.REFUND, reason="overloaded"), "12:34:56  a request failed: overloaded"),
        (event(1, EventKind.SUSPEND), "12:34:56  the session is suspended"),
        (event(1, EventKind.END, reason="finished"), "12:34:56  the session ends: finished"),
        (event(1, EventKind("thought")), "12:34:56  a record of the kind 'thought', which this release does not know"),
        (Unreadable(n=3, last=4, why="no JSON"), "          records 3 to 4 cannot be read: no JSON"),
    ],
)
def test_each_kind_has_words(record, said):
    assert next(lines(record)) == said


@pytest.mark.parametrize("kind", [EventKind.RESERVE, EventKind.TOOL_STARTED, EventKind.STREAM])
def test_what_says_nothing_to_a_reader_is_left_out(kind):
    assert [*lines(event(1, kind))] == []


@pytest.mark.parametrize("message", [None, 5, {"content": None}, {"content": [None, 5, {"type": "tool_use"}]}])
def test_a_strange_record_stops_nothing(message):
    assert (
        next(lines(event(1, EventKind.SETTLE, message=message, usd_micros="x")))
        == "12:34:56  turn ?, at an unknown price"
    )


def test_json_is_a_line_each_in_ascii(capsys):
    tail._print_line(event(1, text="\x1b[31mü"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.isascii()
    assert "\x1b" not in line
    assert json.loads(line)["event"]["data"]["text"] == "\x1b[31mü"
