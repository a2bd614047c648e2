"""One task without a queue, as a program in a terminal."""

import os
import signal
import subprocess
import sys

import pytest

CHECKPOINT = "Asked: a count.\nDone: half.\nFound: -\nDecided: -\nNext: the rest.\nFiles: -"


@pytest.fixture
def run(tmp_path, claude):
    """Start it over one folder; `run` returns exit code and output."""

    def start(*arguments, key="sk-canary"):
        command = [sys.executable, "-m", "agent.run", *arguments, "--claude-url", claude.url]
        env = {"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": key}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen([*command, "--folder", str(tmp_path / "work")], env=env, text=True, **pipes)

    def run(*arguments, said="", **more):
        process = start(*arguments, **more)
        out = process.communicate(said, timeout=120)[0]
        return process.returncode, out

    run.start, run.folder = start, tmp_path / "work"
    return run


def test_it_shows_what_is_done_and_leaves_result_and_files(run, claude, tmp_path):
    (tmp_path / "beds.csv").write_text("1\n2\n")
    finish = claude.use("finish", 2, result="Two \x1b[31mbeds.", files=["n.txt"], outcome="done")
    claude.plays = [[claude.text("I count."), claude.use("bash", 1, command="wc -l <beds.csv >n.txt")], [finish]]
    code, out = run("Count the beds", "--context", str(tmp_path / "beds.csv"))
    assert code == 0, out
    assert "turn 1 of 30, $0.0030  I count." in out
    assert "  bash  wc -l <beds.csv >n.txt" in out
    assert "done for $0.0060:\nTwo \\x1b[31mbeds." in out
    assert (run.folder / "session-1" / "files" / "n.txt").read_text() == "2\n"
    assert "sk-canary" not in out


def test_tools_read_the_folder_beside_the_settings(run, claude, tmp_path):
    (tmp_path / "jada.toml").write_text('[agent]\nreference = "handbook"\n')
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "price").write_text("double: 80\n")
    claude.plays = [[claude.use("bash", 1, command="cat /reference/price")], [claude.use("finish", 2, result="80")]]
    assert run("Look it up", "--settings", str(tmp_path / "jada.toml"))[0] == 0
    assert "double: 80" in claude.requests[1]["messages"][-1]["content"][0]["content"]


def test_it_asks_here_and_goes_on_with_the_answer(run, claude):
    claude.plays = [[claude.use("ask_person", 1, question="Keep?")], [claude.use("finish", 2, result="kept")]]
    code, out = run("Ask", said="Keep it.\n")
    assert (code, "kept" in out) == (0, True)
    assert claude.requests[1]["messages"][-1]["content"][0]["content"] == "Keep it."


def test_what_no_user_answers_waits_in_its_folder(run, claude):
    claude.plays = [[claude.use("ask_person", 1, question="Keep?")], [claude.use("finish", 2, result="kept")]]
    assert run("Ask")[0] == 2
    assert run(said="Keep it.\n")[0] == 0


def test_at_the_turn_limit_the_next_session_goes_on_within_the_sessions(run, claude, tmp_path):
    (tmp_path / "jada.toml").write_text("[agent]\nturns = 2\n")
    busy = [claude.use("bash", 1, command="true")]
    claude.plays = [busy, [claude.text(CHECKPOINT)], [claude.use("finish", 2, result="all")]]
    code, out = run("Count", "--settings", str(tmp_path / "jada.toml"))
    assert (code, "the next session goes on" in out) == (0, True)
    assert "Next: the rest." in claude.requests[2]["messages"][0]["content"][0]["text"]


def test_sessions_and_dollars_are_kept(run, claude, tmp_path):
    (tmp_path / "jada.toml").write_text("[agent]\nturns = 2\n")
    claude.plays = [[claude.use("bash", 1, command="true")], [claude.text(CHECKPOINT)]]
    assert run("Count", "--settings", str(tmp_path / "jada.toml"), "--sessions", "1")[0] == 1
    assert len(claude.requests) == 2


def test_too_few_dollars_make_no_request(run, claude):
    assert run("Count", "--dollars", "0.01")[0] == 3
    assert claude.requests == []


def test_after_an_interrupt_it_goes_on_in_its_folder(run, claude):
    claude.plays = ["hang", [claude.use("finish", 2, result="all")]]
    process = run.start("Count")
    assert claude.arrived.wait(120)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    claude.released.set()
    code, out = run()
    assert (code, "done" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "key", "words"), [([], "k", "TITLE: missing"), (["T"], " ", "ANTHROPIC_API_KEY")]
)
def test_what_is_missing_is_named(run, arguments, key, words):
    code, out = run(*arguments, key=key)
    assert (code, words in out) == (1, True)
