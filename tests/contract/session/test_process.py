"""The session as the daemon sees it: a process, a folder, an exit code."""

import base64
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from msgspec.structs import replace

from agent.daemon.spawn import Process, Release
from agent.record.journal import Journal, read
from agent.session import checkpoint
from agent.session.__main__ import _session, _to_the_end
from agent.session.drain import Drain
from agent.settings import SessionSettings, Settings
from doubles.claude.messages import create
from local.serve import running
from tests.papers import pdf, png
from wire.types import Answer, Budget, Claim, EventKind, Exit, File, Grant, Lease, State, Subtask, Task, Waited
from wire.values import encode

from .conftest import thought

SESSION = "01JD3Q0000000000000000000A"
CHECKPOINT = "Asked: a count.\nDone: half.\nFound: -\nDecided: -\nNext: the rest.\nFiles: -"


class Folder:
    """A session's folder, and its process."""

    def __init__(self, root, url, forks=None):
        self.path, self.workspace, self.credentials = root / "session", root / "workspace", root / "credentials"
        self.path.mkdir()
        self.credentials.mkdir()
        (self.credentials / "anthropic_api_key").write_text("sk-canary\n")
        self.settings = Settings(claude_url=url)
        self.forks, self.hosts = forks, None
        self.before: list[str] = []
        self.claim()

    def claim(
        self, title="Count the beds", answers=(), notes=(), context=(), usd_micros=5_000_000, *,
        waited=None, can_wait=False, checkpoint=None, **settings,
    ):  # fmt: skip
        """Write what the daemon writes at a claim."""
        times = {"created_at": "2026-11-21T00:00:00Z", "updated_at": "2026-11-21T00:00:00Z"}
        task = {"id": "01JD3Q00000000000000000000", "title": title, "description": "", "priority": 5, "version": 1}
        claim = Claim(
            task=Task(**task, **times, state=State.RUNNING, budget=Budget()),
            lease=Lease(fence=1, ttl_s=60),
            session=Grant(id=SESSION, new=True, usd_micros=5_000_000),
            answers=answers,
            notes=notes,
            context=context,
            waited=waited,
            can_wait=can_wait,
            checkpoint=checkpoint,
        )
        (self.path / "claim.json").write_text(json.dumps(encode(claim)))
        self.settings = replace(self.settings, **settings)
        mirrors, caches = (str(self.workspace.with_name(name)) for name in ("mirrors", "caches"))
        chosen = SessionSettings(
            operator=self.settings, usd_micros=usd_micros, workspace=str(self.workspace), mirrors=mirrors, caches=caches
        )
        (self.path / "settings.json").write_text(json.dumps(encode(chosen)))

    def start(self):
        """Start it: from a Python that has it imported, or by a command line, as the daemon does."""
        env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(self.credentials)}
        if self.forks and not self.before:
            return self.forks.start(str(self.path), env=env, hosts=self.hosts)
        own_names = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(self.hosts)]
        command = [*(own_names if self.hosts else self.before), sys.executable, "-m", "agent.session", str(self.path)]
        return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)

    def run(self):
        process = self.start()
        self.said = process.communicate(timeout=120)[1]
        return process.returncode

    def events(self, kind=None):
        return [event for event in read(self.path / "journal.jsonl") if kind in (None, event.kind)]

    @property
    def last(self):
        return self.events()[-1]


@pytest.fixture
def folder(tmp_path, claude, forks):
    return Folder(tmp_path, claude.url, forks)


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_a_finished_session_exits_0_with_its_files_kept(folder, claude):
    claude.plays = [
        [claude.use("bash", 1, command="echo 42 > beds.txt")],
        [claude.use("finish", 2, result="42 beds", files=["beds.txt"])],
    ]
    assert folder.run() == Exit.FINISHED
    assert (folder.last.kind, folder.last.data["files"]) == (EventKind.END, ["beds.txt"])
    assert (folder.path / "files" / "beds.txt").read_text() == "42\n"


def test_a_session_that_is_over_tells_its_exit_again_without_a_request(folder, claude):
    claude.plays = [[claude.use("finish", 2, result="done")]]
    assert (folder.run(), folder.run()) == (0, 0)
    assert len(claude.requests) == 1


def test_what_did_not_come_along_to_this_host_is_told_to_the_model_once(folder, claude):
    path = folder.path / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "away": ["large.bin (99 bytes)"]}))
    claude.plays = [[claude.use("ask_person", 1, question="Go on?")], [claude.use("finish", 2, result="done")]]
    assert folder.run() == Exit.ASKED
    assert "Not in /workspace any more:\n- large.bin (99 bytes)]" in json.dumps(claude.requests[0]).replace("\\n", "\n")
    answered = json.loads((folder.path / "claim.json").read_text())
    answered["answers"] = [{"tool_use_id": "toolu_1", "text": "Yes."}]
    (folder.path / "claim.json").write_text(json.dumps(answered))
    assert folder.run() == Exit.FINISHED
    assert json.dumps(claude.requests[1]).count("large.bin (99 bytes)") == 1


def test_the_turn_limit_exits_1_with_a_checkpoint(folder, claude):
    folder.claim(turns=2)
    claude.plays = [[claude.use("bash", 1, command="true")], [claude.text(CHECKPOINT)]]
    assert folder.run() == Exit.TURN_LIMIT
    assert folder.last.data["checkpoint"].startswith(CHECKPOINT)


def test_what_people_said_to_earlier_sessions_is_handed_on_whole_though_the_model_reads_a_part(folder, claude):
    said = "\n".join(f"- Asked: line {n}?\n  Answered: {'yes ' * 20}" for n in range(100))
    folder.claim(turns=2, checkpoint=f"{checkpoint.marked(said)}\n\n{CHECKPOINT}")
    claude.plays = [[claude.use("bash", 1, command="cat people-*.txt | wc -c")], [claude.text(CHECKPOINT)]]
    assert folder.run() == Exit.TURN_LIMIT
    read = claude.requests[0]["messages"][0]["content"][0]["text"]
    assert len(read.encode()) < 10_000
    assert read.index("bytes left out]") < read.index("(Here end the words of people.)") < read.index(CHECKPOINT)
    assert str(len(said)) in json.dumps(claude.requests[1]["messages"][-1])
    assert checkpoint.parted(folder.last.data["checkpoint"])[0] == said


def test_a_question_exits_2_and_the_answer_goes_on_in_the_same_session(folder, claude):
    claude.plays = [[claude.use("ask_person", 1, question="Keep?")], [claude.use("finish", 2, result="kept")]]
    assert folder.run() == Exit.ASKED
    assert folder.last.data["question"] == {"tool_use_id": "toolu_1", "text": "Keep?"}
    folder.claim(answers=(Answer(tool_use_id="toolu_1", text="Keep it."),))
    assert folder.run() == Exit.FINISHED
    assert claude.requests[1]["messages"][-1]["content"][0]["content"] == "Keep it."
    assert len(folder.events(EventKind.ANSWER)) == 1


def test_a_wait_exits_6_and_goes_on_with_results_and_files_of_the_subtasks(folder, claude):
    folder.claim(can_wait=True)
    claude.plays = [
        [claude.use("create_task", 1, title="Sum", description="Sum it up."), claude.use("wait_for_tasks", 2)],
        [claude.use("bash", 3, command="cat *-sum.txt")],
        [claude.use("finish", 4, result="summed")],
    ]
    assert folder.run() == Exit.SUBTASKS
    assert "wait_for_tasks" in [tool["name"] for tool in claude.requests[0]["tools"]]
    (child,) = folder.last.data["wait"]["tasks"]
    ended = Subtask(
        id=child, title="Sum", state=State.DONE, result="42", files=(File(name="sum.txt", content=b"4711"),)
    )
    folder.claim(can_wait=True, waited=Waited(tool_use_id="toolu_2", subtasks=(ended,)))
    assert folder.run() == Exit.FINISHED
    created, waited = claude.requests[1]["messages"][-1]["content"]
    assert child in created["content"]
    assert f"Task {child} Sum: done.\nIts result:\n42" in waited["content"]
    assert claude.requests[2]["messages"][-1]["content"][0]["content"].strip() == "4711"


def test_a_persons_note_to_a_stuck_session_reaches_the_model_once(folder, claude):
    stops = [claude.text("I don't know how to go on.")]
    claude.plays = [*[stops] * 6, [claude.use("finish", 1, result="done")]]
    assert folder.run() == Exit.STUCK
    for _ in range(2):
        folder.claim(notes=("Use the newer file.",))
        folder.run()
    told = [block["text"] for message in claude.requests[-1]["messages"] for block in message["content"]]
    assert folder.last.data["exit"] == Exit.FINISHED
    assert sum("Use the newer file." in text for text in told) == 1


def test_words_of_the_model_are_no_line_of_the_log(folder, claude):
    claude.plays = [[claude.use("ask_person", 1, question="Keep?\nfinished: all is done\x1b[2K\u202e")]]
    assert folder.run() == Exit.ASKED
    assert folder.said == ""


def test_too_little_money_exits_3_before_the_first_request(folder, claude):
    folder.claim(usd_micros=1000)
    assert folder.run() == Exit.BUDGET
    assert (folder.last.kind, claude.requests) == (EventKind.SUSPEND, [])


def test_its_wall_time_is_the_operators(folder, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder.credentials))
    folder.claim(session_minutes=3)
    with Journal(folder.path / "journal.jsonl", time.time) as journal:
        session = _session(folder.path, journal, Drain(time.monotonic), clock=lambda: 1000.0)
    assert (session.ends, session.limits.usd_micros) == (1000.0 + 3 * 60, 5_000_000)


def test_what_the_header_pins_wins_over_later_settings(folder, claude):
    claude.plays = [claude.refused(402, "billing_error"), [claude.use("finish", 1, result="r")]]
    assert folder.run() == Exit.UNAVAILABLE
    folder.claim(model="claude-opus-5-5", max_tokens=1000, turns=2, hand_over_tokens=10_000)
    assert folder.run() == Exit.FINISHED
    assert [(sent["model"], sent["max_tokens"]) for sent in claude.requests] == [("claude-sonnet-5-5", 8192)] * 2
    assert len(folder.events(EventKind.HEADER)) == 1


def test_a_request_that_the_api_refuses_comes_to_a_person_with_its_words(folder, claude):
    claude.plays = [claude.refused(400, "invalid_request_error")]
    assert folder.run() == Exit.STUCK
    assert "400 told invalid_request_error" in folder.last.data["reason"]
    assert folder.last.data["turns"] == 0


def test_an_api_that_asks_to_come_back_tomorrow_exits_75_with_the_time(folder, claude):
    claude.plays = [claude.refused(429, **{"retry-after": "86400"})]
    assert folder.run() == Exit.UNAVAILABLE
    assert folder.last.data["not_before"] > folder.last.at


def test_without_a_key_it_exits_75_and_says_where_it_belongs(folder, claude):
    (folder.credentials / "anthropic_api_key").unlink()
    assert folder.run() == Exit.UNAVAILABLE
    assert "fab secrets" in folder.last.data["reason"]


def test_a_model_without_a_price_exits_75_before_any_request(folder, claude):
    folder.claim(model="claude-new")
    assert (folder.run(), claude.requests) == (Exit.UNAVAILABLE, [])
    assert "claude-new has no price" in folder.last.data["reason"]


def test_a_broken_claim_exits_70_and_a_repaired_one_goes_on(folder, claude):
    (folder.path / "claim.json").write_text("{")
    assert folder.run() == Exit.FAULT
    assert "claim.json" in folder.last.data["reason"]
    folder.claim()
    claude.plays = [[claude.use("finish", 1, result="r")]]
    assert folder.run() == Exit.FINISHED


def test_a_second_process_over_one_journal_is_refused_and_changes_nothing(folder):
    with Journal(folder.path / "journal.jsonl", time.time):
        assert folder.run() == Exit.FAULT
    assert "locked by another process" in folder.said
    assert folder.events() == []


def test_the_key_is_nowhere_but_in_its_file_and_the_request(folder, claude):
    claude.plays = [
        [claude.use("bash", 1, command="env; cat /proc/*/environ; find / -name 'anthropic*' 2>/dev/null")],
        [claude.use("finish", 2, result="r")],
    ]
    folder.run()
    assert claude.keys[0] == "Bearer sk-canary"
    assert "canary" not in (folder.path / "journal.jsonl").read_text() + folder.said


def test_killed_in_the_middle_of_a_tool_it_goes_on_and_runs_nothing_twice(folder, claude):
    claude.plays = [
        [
            claude.use("bash", 1, command="echo one >> count"),
            claude.use("bash", 2, command="echo two >> count; sleep 60"),
        ],
        [claude.use("bash", 3, command="cat count")],
        [claude.use("finish", 4, result="r")],
    ]
    process = folder.start()
    until(lambda: (folder.workspace / "count").exists() and "two" in (folder.workspace / "count").read_text())
    process.kill()
    process.communicate()
    assert folder.run() == Exit.FINISHED
    assert (folder.workspace / "count").read_text() == "one\ntwo\n"
    results = {event.data["tool_use_id"]: event.data for event in folder.events(EventKind.TOOL_RESULT)}
    assert "outcome unknown" in results["toolu_2"]["content"]
    assert (len(claude.requests), folder.last.data["turns"]) == (3, 3)


def test_a_drain_lets_the_request_in_flight_end_and_makes_no_other(folder, claude):
    claude.plays = ["hang", [claude.use("finish", 1, result="r")]]
    process = folder.start()
    until(lambda: claude.requests)
    process.send_signal(signal.SIGTERM)
    claude.released.set()
    process.communicate(timeout=120)
    assert process.returncode == Exit.DRAINED
    assert (len(claude.requests), folder.last.kind) == (1, EventKind.SUSPEND)
    assert len(folder.events(EventKind.SETTLE)) == 1


def test_a_drain_waits_eight_seconds_for_a_request_and_keeps_its_price(folder, claude):
    claude.plays = ["hang"]
    process = folder.start()
    until(lambda: claude.requests)
    began = time.monotonic()  # before it is asked: this process may stand still after it
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)  # the request itself would wait for ever
    assert process.returncode == Exit.DRAINED
    assert time.monotonic() - began > 7
    assert (folder.last.data["turns"], folder.last.data["usd_micros"] > 0) == (1, True)


def test_a_drain_during_a_long_wait_ends_at_once(folder, claude):
    claude.plays = [claude.refused(429, **{"retry-after": "50"})]
    process = folder.start()
    until(lambda: folder.events(EventKind.REFUND))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=40)  # it would wait for 50 s
    assert process.returncode == Exit.DRAINED


def test_a_drain_while_it_starts_is_a_drain_and_no_crash(folder, claude):
    environment = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(folder.credentials)}
    started = Process(Release.own(), folder.path, environment)
    started.terminate()  # Python itself has hardly begun
    until(lambda: (ended := started.ended()) and setattr(folder, "ended", ended) is None)
    assert folder.ended == "exit status 143"
    assert (folder.last.kind, folder.last.data["exit"], claude.requests) == (EventKind.SUSPEND, Exit.DRAINED, [])


class LateDrain(Drain):
    """One that is asked for once the session has looked whether it is."""

    looks = 0

    @property
    def requested(self):
        self.looks += 1
        return self.looks > 1


def test_what_a_drain_broke_off_while_it_starts_says_nothing_of_its_host(folder, tmp_path):
    folder.claim(reference=str(tmp_path / "none"))
    for drain, exit_ in ((LateDrain, Exit.DRAINED), (Drain, Exit.UNAVAILABLE)):
        with Journal(folder.path / "journal.jsonl", time.time) as journal:
            assert _to_the_end(folder.path, journal, drain(time.monotonic)) == exit_
        assert folder.last.data["host_wide"] == (exit_ == Exit.UNAVAILABLE)


def test_a_session_dies_with_its_daemon(folder, claude):
    """The daemon is a process that starts the session and is killed; orphans come to this process to be seen."""
    claude.plays = ["hang"]
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    starter = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
    env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(folder.credentials)}
    command = [sys.executable, "-c", starter, sys.executable, "-m", "agent.session", str(folder.path)]
    daemon = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    session = int(daemon.stdout.readline())
    until(lambda: claude.requests)
    daemon.kill()
    daemon.wait()
    assert os.waitpid(session, 0)[1] == signal.SIGKILL


def test_it_works_with_the_local_double_of_the_api(tmp_path):
    rows = "".join(f"{n},Lake,double,G,2026-07-01,2026-07-03,2,2,0,BB,DE,web,confirmed,90\n" for n in range(3))
    header = "id,hotel,room_type,guest,arrival,departure,nights,adults,children,meal,country,channel,status,rate\n"
    with running(create(tmp_path / "double")) as url:
        folder = Folder(tmp_path, url)
        bookings = File(name="bookings.csv", content=(header + rows).encode())
        folder.claim(title="Season occupancy", context=(bookings,), thinking=2048)
        assert folder.run() == Exit.FINISHED
    # What it thought is signed, and the double takes it back only as it was.
    assert all(e.data["message"]["content"][0]["type"] == "thinking" for e in folder.events(EventKind.SETTLE))
    assert "Lake,2026-07,6,3,31,6.5" in (folder.path / "files" / "occupancy.csv").read_text()


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (lambda folder: (folder.credentials / "anthropic_api_key").unlink(), "fab secrets"),
        (lambda folder: folder.claim(model="claude-nobody"), "has no price"),
    ],
)
def test_no_task_fails_for_what_its_host_lacks(folder, breaks, words):
    breaks(folder)
    assert folder.run() == Exit.UNAVAILABLE
    assert words in folder.last.data["reason"]
    assert folder.last.data["host_wide"]
    assert folder.last.data["not_before"] > folder.last.at


WITHOUT_BWRAP = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"', "sh"]


@pytest.mark.root
def test_no_task_fails_where_no_sandbox_can_be_made(folder):
    """In a mount namespace of its own, where bwrap is no program."""
    folder.before = WITHOUT_BWRAP
    assert folder.run() == Exit.UNAVAILABLE
    assert "is bubblewrap installed?" in folder.last.data["reason"]
    assert folder.last.data["host_wide"]


@pytest.mark.root
def test_a_host_without_room_for_a_record_fails_no_task(folder, claude):
    """On a file system of 64 KB, mounted for this process alone."""
    claude.plays = [[claude.text("x" * 40_000), claude.use("bash", 1, command="true")]]
    small = 'mount -t tmpfs -o size=64k none $0 && cp -r $0.kept/. $0 && "$@"; x=$?; cat $0/journal.jsonl >&2; exit $x'
    folder.path.rename(f"{folder.path}.kept")
    folder.path.mkdir()
    folder.before = ["unshare", "--mount", "sh", "-c", small, str(folder.path)]
    assert folder.run() == Exit.UNAVAILABLE
    assert "No space left on device" in folder.said


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({}, {}),
        ({"effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"thinking": "adaptive"}, {"thinking": {"type": "adaptive"}}),
        ({"thinking": 2048}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    ],
)
def test_words_effort_and_thinking_are_pinned_for_the_sessions_life(folder, claude, settings, sent):
    folder.claim(instructions="Write German.", **settings)
    # One that is to think begins with that, and the API takes its answers back with it only.
    begin = [thought()] if isinstance(settings.get("thinking"), int) else []
    asks, ends = claude.use("ask_person", 1, question="Which?"), claude.use("finish", 2, result="done")
    claude.plays = [[*begin, asks], [*begin, ends]]
    assert folder.run() == Exit.ASKED, folder.said
    folder.claim(answers=(Answer(tool_use_id="toolu_1", text="all"),), instructions="Write French.", effort="low")
    assert folder.run() == Exit.FINISHED, folder.said
    for request in claude.requests:
        assert request["system"].endswith("Write German.")
        assert {name: request[name] for name in ("output_config", "thinking") if name in request} == sent


def test_the_reference_folder_is_read_and_not_changed(folder, claude, tmp_path):
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "prices.csv").write_text("double,80")
    folder.claim(reference=str(tmp_path / "reference"))
    command = "cat /reference/prices.csv; echo x >/reference/prices.csv"
    claude.plays = [[claude.use("bash", 1, command=command)], [claude.use("finish", 2, result="done")]]
    assert folder.run() == Exit.FINISHED, folder.said
    said = folder.events(EventKind.TOOL_RESULT)[0].data["content"]
    assert said.startswith("double,80")
    assert "Read-only file system" in said
    assert (tmp_path / "reference" / "prices.csv").read_text() == "double,80"
    assert "/reference holds material" in claude.requests[0]["system"]


def test_files_of_a_task_and_what_it_views_are_shown_and_sent_again_alike_after_a_kill(folder, claude):
    paper, plan = pdf(3), png(300, 200)
    folder.claim(context=(File(name="rates.pdf", content=paper), File(name="beds.csv", content=b"1")))
    draw = f"echo {base64.b64encode(plan).decode()} | base64 -d >plan.png"
    view = claude.use("str_replace_based_edit_tool", 2, command="view", path="/workspace/plan.png")
    slow = claude.use("bash", 3, command="sleep 60")
    claude.plays = [[claude.use("bash", 1, command=draw)], [view], [slow], [claude.use("finish", 4, result="seen")]]
    process = folder.start()
    until(lambda: any(e.data["tool_use_id"] == "toolu_3" for e in folder.events(EventKind.TOOL_STARTED)))
    process.kill()
    process.communicate()
    assert folder.run() == Exit.FINISHED
    first, _, third, last = (request["messages"] for request in claude.requests)
    told, document = first[0]["content"]
    assert "Shown here: rates.pdf, pages 1 to 3 of 3." in told["text"]
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(paper).decode()}
    assert document == {"type": "document", "source": source}
    image = third[-1]["content"][0]["content"][1]
    assert (image["type"], base64.b64decode(image["source"]["data"])) == ("image", plan)
    assert last[: len(third)] == third
    # Its worst price has the document by its pages, and the bytes are beside the journal, once.
    assert folder.events(EventKind.RESERVE)[0].data["usd_micros"] > 3 * 7784 * 2.5
    assert source["data"] not in (folder.path / "journal.jsonl").read_text()
    assert len([*(folder.path / "blobs").iterdir()]) == 2


def test_what_does_not_fit_beside_the_task_is_named_and_seen_by_pages(folder, claude):
    folder.claim(context=(File(name="book.pdf", content=pdf(40)),))
    look = [claude.use("str_replace_based_edit_tool", n, command="view", path="book.pdf") for n in (1, 2)]
    look[1]["input"]["view_range"] = [2, 3]
    claude.plays = [[look[0]], [look[1]], [claude.use("finish", 3, result="seen")]]
    assert folder.run() == Exit.FINISHED
    first, second, third = (request["messages"] for request in claude.requests)
    assert [block["type"] for block in first[0]["content"]] == ["text"]
    refused = second[-1]["content"][0]
    assert refused["is_error"]
    assert "view_range shows some pages of it, now 29 at most" in refused["content"]
    assert third[-1]["content"][0]["content"][0]["text"] == "book.pdf, pages 2 to 3 of 40: it is shown here."
