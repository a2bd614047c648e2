"""What the double's scripted models do: with real commands in a real folder, as the agent's tools would run them."""

import collections
import csv
import datetime as dt
import random
import re
import subprocess

import pytest
from anthropic.types import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles.claude import answer, conversation, usage
from doubles.claude.answer import Call
from doubles.claude.scripts import cast

ASK = {"type": "text", "text": "[jada: the last turn.] Write the checkpoint that the next session goes on from."}
TOOLS = [{"type": "bash_20250124", "name": "bash"}] + [
    {"name": name, "input_schema": {"type": "object"}} for name in ("create_task", "ask_person", "finish")
]
COLUMNS = "id,hotel,room_type,guest,arrival,departure,nights,adults,children,meal,country,channel,status,rate"


def bookings(count, seed=1):
    """Rows of a season, the statuses mixed."""
    rng = random.Random(seed)
    for number in range(count):
        arrival = dt.date(2026, 5, 20) + dt.timedelta(days=rng.randrange(60))
        nights = rng.randrange(8)
        status = rng.choice(["confirmed", "cancelled", "no_show", "checked_out"])
        dates = [arrival.isoformat(), (arrival + dt.timedelta(days=nights)).isoformat(), nights]
        hotel = rng.choice(["Sea", "Hill, upper"])
        yield [f"B{number}", hotel, "double", "A. Guest", *dates, 2, 0, "BB", "PT", "web", status, "80.00"]


@pytest.fixture
def folder(tmp_path):
    """A workspace with the bookings of a season."""
    with (tmp_path / "bookings.csv").open("w", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows([COLUMNS.split(","), *bookings(400)])
    return tmp_path


class Session:
    """Plays a conversation the way a session does, within its turns; finish and ask_person end it."""

    def __init__(self, folder, first):
        self.folder, self.rng, self.turns = folder, random.Random(2), 0
        self.messages = [{"role": "user", "content": [{"type": "text", "text": first}]}]

    def answer(self):
        body = {"model": "claude-sonnet-5-5", "max_tokens": 8000, "tools": TOOLS, "messages": self.messages}
        turns = conversation.check(body)
        reply = cast.play(conversation.read(body, turns))
        message = answer.message(reply, body, usage.prefixes(body, turns), usage.Cache(lambda: 0.0), self.rng)
        self.turns += 1
        blocks = [block.model_dump(exclude_none=True) for block in message.content]
        self.messages.append({"role": "assistant", "content": blocks})
        return [block for block in blocks if block["type"] == "tool_use"]

    def run(self, turns=30):
        """Return the call that ended the session, or the text of the checkpoint."""
        while True:
            calls = self.answer()
            if self.turns == turns:
                return self.messages[-1]["content"][-1].get("text")
            if calls[0]["name"] != "bash":
                return calls[0]
            results = [self.bash(call) for call in calls]
            self.messages.append({"role": "user", "content": [*results, *[ASK] * (self.turns == turns - 1)]})

    def bash(self, call):
        command = ["bash", "-c", call["input"]["command"]]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        return self.result(call, done.stdout + done.stderr, is_error=done.returncode != 0)

    def result(self, call, text, *, is_error=False):
        return {"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": is_error}


def expected(rows):
    """The occupancy, worked out another way: by asking for each night who sleeps there."""
    stays = [(r[1], *map(dt.date.fromisoformat, r[4:6])) for r in rows if r[12] not in ("cancelled", "no_show")]
    days = [dt.date(2026, 5, 1) + dt.timedelta(days=n) for n in range(153)]
    taken = {(h, day): sum(h == hotel and a <= day < d for hotel, a, d in stays) for h, *_ in stays for day in days}
    for hotel in sorted({stay[0] for stay in stays}):
        rooms = max(taken[hotel, day] for day in days)
        for month in range(5, 10):
            nights = [day for day in days if day.month == month]
            if sold := sum(taken[hotel, day] for day in nights):
                percent = 100 * sold / (rooms * len(nights))
                yield [hotel, f"2026-{month:02}", sold, rooms, len(nights), f"{percent + 1e-9:.1f}"]


def test_the_seasons_occupancy_is_worked_out_and_handed_over(folder):
    ended = Session(folder, "Task: Season occupancy").run()
    assert (ended["name"], ended["input"]["files"]) == ("finish", ["occupancy.csv"])
    with (folder / "occupancy.csv").open(newline="") as source:
        rows = list(csv.reader(source))
    assert rows[0] == ["hotel", "month", "room_nights", "rooms", "nights", "occupancy_percent"]
    assert rows[1:] == [[str(value) for value in row] for row in expected(list(bookings(400)))]


def test_its_result_names_the_busiest_month(folder):
    ended = Session(folder, "Task: Season occupancy").run()
    months = collections.Counter()
    for _, month, sold, *_ in expected(list(bookings(400))):
        months[month] += sold
    month, nights = months.most_common(1)[0]
    assert f"busiest month is {month} with {nights} room nights" in ended["input"]["result"]


@pytest.mark.parametrize("turns", [2, 30])
def test_every_booking_outlasts_any_turn_limit_and_a_second_session_finishes(folder, turns):
    checkpoint = Session(folder, "Task: Check every booking").run(turns)
    assert checkpoint.startswith("Asked: Task: Check every booking")
    assert turns < 4 or re.search(r"checked \d+ to \d+ of 400", checkpoint)
    first = f"Task: Check every booking\n\nAn earlier session left this checkpoint.\n\n{checkpoint}"
    ended = Session(folder, first).run(30)
    assert ended["input"]["result"].startswith("All 400 bookings checked; findings: 0")


def test_findings_are_found_once_though_a_batch_was_broken_off(folder):
    with (folder / "bookings.csv").open("a") as target:
        target.write("B400,Sea,double,A. Guest,2026-05-02,2026-05-01,1,0,0,BB,PT,web,maybe,-1.00\n")
    Session(folder, "Task: Check every booking").run(6)
    (folder / "findings.csv").unlink()  # as if the batch had ended before it
    Session(folder, "Task: Check every booking\n\nleft this checkpoint").run()
    found = [line.split(",", 1)[1] for line in (folder / "findings.csv").read_text().splitlines()[1:]]
    assert found == [
        "departs before it arrives",
        "nights differ from the dates",
        "nobody is coming",
        "rate below zero",
        "unknown status maybe",
    ]


def test_a_person_is_asked_once_and_the_answer_is_quoted(folder):
    session = Session(folder, "Task: Ask about the group booking")
    asked = session.run()
    assert asked["name"] == "ask_person"
    assert "keep or release?" in asked["input"]["question"]
    session.messages.append({"role": "user", "content": [session.result(asked, "Keep it until Friday.")]})
    assert '"Keep it until Friday."' in session.run()["input"]["result"]


def test_a_script_that_gets_nowhere_gives_up_in_words(tmp_path):
    for title in ("Season occupancy", "Check every booking"):
        ended = Session(tmp_path, f"Task: {title}").run()
        assert ended["input"]["result"].startswith("It could not be done:")
        assert "bookings.csv" in ended["input"]["result"]


def test_calls_that_were_interrupted_now_and_then_are_made_again(folder):
    session = Session(folder, "Task: Season occupancy")
    for _ in range(4):
        [lost] = session.answer()
        session.messages.append({"role": "user", "content": [session.result(lost, "interrupted", is_error=True)]})
        [done] = session.answer()
        session.messages.append({"role": "user", "content": [session.bash(done)]})
    assert session.run()["input"]["files"] == ["occupancy.csv"]


def test_another_task_is_looked_at_and_ended(folder):
    ended = Session(folder, "Task: Something else").run()
    assert (ended["name"], "bookings.csv" in ended["input"]["result"]) == ("finish", True)


TITLES = st.sampled_from([*cast.BY_TITLE, "Anything else", ""])
RESULTS = st.lists(st.tuples(st.text(max_size=80), st.booleans()), max_size=6)


@settings(max_examples=60, deadline=None)
@given(title=TITLES, first=st.text(min_size=1, max_size=40), results=RESULTS, most=st.integers(1, 3000))
def test_whatever_a_script_answers_is_a_message(title, first, results, most):
    seen = tuple(conversation.Result("bash", {}, text, failed) for text, failed in results)
    talk = conversation.Conversation(f"{title} {first}", len(seen), seen, "", frozenset(("bash", "finish")))
    body = {"model": "claude-sonnet-5-5", "max_tokens": most}
    cuts = [usage.Prefix("key", 2000, "5m")]
    made = answer.message(cast.play(talk), body, cuts, usage.Cache(lambda: 0.0), random.Random(1))
    again = Message.model_validate_json(made.model_dump_json())
    assert again.usage.output_tokens <= most
    called = any(block.type == "tool_use" for block in again.content)
    assert again.stop_reason in ("max_tokens", "tool_use" if called else "end_turn")


def test_a_reply_is_cut_at_its_tokens_and_a_call_is_never_halved():
    reply = ("a text " * 20, Call("bash", {"command": "ls"}))
    for most in range(1, 60):
        made, cut = answer.blocks(reply, most, random.Random(1))
        assert sum(usage.tokens(block) for block in made) <= most
        assert cut is (len(made) < 2)
