"""A model that says what a test has written down, tools that remember what ran, and a session made of them."""

import itertools
import random
from pathlib import Path

import pytest

from agent.record import price_file
from agent.record.journal import Journal, read
from agent.record.limits import Limits, spent
from agent.session import endings
from agent.session.drain import Drain
from agent.session.loop import Session
from agent.session.retries import Retries, in_vain
from agent.tools.result import Result
from wire.types import EventKind

MODEL = "claude-sonnet-5-5"


def use(name, number, **given):
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}


def text(words):
    return {"type": "text", "text": words}


def said(*content, stop=None, usage=(1000, 100)):
    """An answer as the API gives it: what it says, why it stopped, its tokens in and out."""
    reason = stop or ("tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn")
    return {
        "role": "assistant",
        "content": list(content),
        "stop_reason": reason,
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }


def check_pairs(messages):
    """What the API answers 400 to: roles out of turn, a tool_use without its result behind it, results after text."""
    assert [m["role"] for m in messages] == [("user", "assistant")[i % 2] for i in range(len(messages))]
    assert messages[-1]["role"] == "user"
    assert all(message["content"] for message in messages)
    for before, after in itertools.pairwise([{"content": []}, *messages]):
        if after["role"] == "user":
            used = [block["id"] for block in before["content"] if block["type"] == "tool_use"]
            kinds = [block["type"] for block in after["content"]]
            assert [b["tool_use_id"] for b in after["content"] if b["type"] == "tool_result"] == used
            assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")


class ScriptedApi:
    """Answers by the number of the request, from a list or a function; raises what is an exception. Refuses, as the
    API does, a conversation with a hole.
    """

    def __init__(self, answers):
        self._answers = answers if callable(answers) else lambda n: answers[n]
        self.requests = []

    def ask(self, parameters, arrived):
        check_pairs(parameters["messages"])
        self.requests.append(parameters)
        answer = self._answers(len(self.requests) - 1)
        arrived([{"type": "message_start"}])
        if isinstance(answer, BaseException):
            raise answer
        return {**answer, "usage": dict(answer["usage"])}


class RecordingTools:
    """Every call succeeds and is remembered; `finish` finishes unless it is told `fail`."""

    def __init__(self):
        self.ran = []
        self.finished = lambda given: {"result": given.get("result", "done"), "files": []}

    def run(self, tool_use_id, name, given):
        self.ran.append(tool_use_id)
        if name == "finish" and not given.get("fail"):
            return Result("ok", carries={"finished": self.finished(given)})
        return Result(f"{name} ran", is_error=bool(given.get("fail")))


class SleeplessDrain(Drain):
    """Its sleeps take no time and are remembered."""

    def __init__(self, clock):
        super().__init__(clock)
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)


class Lives:
    """One session over several lives: its journal stays, `live` is a new process over it."""

    use, text, said = staticmethod(use), staticmethod(text), staticmethod(said)

    def __init__(self, folder: Path):
        self.path = folder / "journal.jsonl"
        self.tools = RecordingTools()
        self.drain = SleeplessDrain(lambda: 0.0)
        self.now = 0.0
        self.limits = Limits(turns=30, hand_over_tokens=90_000, usd_micros=5_000_000, max_tokens=8192)
        self.begin("Task: Count the beds")

    def begin(self, words, **more):
        """Begin a new session, whose model first reads these words; `more` is on record beside them."""
        self.path.unlink(missing_ok=True)
        header = {"task": {"id": "T", "title": "Count the beds"}, "model": MODEL, "system": "S", "tools": []}
        self.add(EventKind.HEADER, {**header, "max_tokens": 8192, "limits": {}})
        self.add(EventKind.MESSAGE, {"content": [text(words)], **more})

    def live(self, answers):
        """Run a process to its ending, which is put on record and returned; the API is kept as `api`."""
        self.api = ScriptedApi(answers)
        with Journal(self.path, lambda: 0.0) as journal:
            session = Session(
                journal=journal,
                api=self.api,
                tools=self.tools,
                limits=self.limits,
                prices=price_file.load(None, MODEL),
                retries=Retries(random.Random(1).random, lambda: 0.0, in_vain(journal.events)),
                drain=self.drain,
                clock=lambda: self.now,
                ends=100.0,
            )
            with pytest.raises(endings.Ending) as raised:
                session.run()
            journal.append(*endings.record(raised.value, spent(journal.events)))
        return raised.value

    def cut_behind(self, kind, occurrence=1):
        """Lose what came after a record, as a crash does."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        at = [i for i, event in enumerate(self.events()) if event.kind == kind][occurrence - 1]
        self.path.write_bytes(b"".join(lines[: at + 1]))

    def add(self, kind, data):
        """Add a record between two lives."""
        with Journal(self.path, lambda: 0.0) as journal:
            journal.append(kind, data)

    def answer_open_question(self):
        """Answer what the session waits for, if it does."""
        question = self.events()[-1].data.get("question")
        if question:
            self.add(EventKind.ANSWER, {"tool_use_id": question["tool_use_id"], "text": "yes"})

    def events(self, kind=None):
        return [event for event in read(self.path) if kind in (None, event.kind)]


@pytest.fixture
def lives(tmp_path):
    return Lives(tmp_path)
