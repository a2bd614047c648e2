"""Progress that a tired person can read, in a log as on a terminal."""

import io
import os
import pwd
import re
import sys
import threading

import pytest
from rich.console import Console

from local.account import Account
from local.steps import StepFailed, Steps


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def steps(tmp_path, out):
    return Steps(tmp_path / "logs", Console(file=out, width=100))


def test_a_log_has_plain_lines_with_begin_end_and_seconds(steps, out):
    with steps.step("tools"):
        steps.tell("building [one]")
    begin, news, end = (line.strip() for line in out.getvalue().splitlines())
    assert (begin, news) == ("…  tools", "building [one]")
    assert re.fullmatch(r"✓  tools  \d+\.\d s", end)


def test_what_others_wrote_acts_on_no_terminal_and_forges_no_step(tmp_path, capsys):
    Steps(tmp_path).tell("it asks: \x1b]0;title\x07a:100:b\n  ✓  fab verify\r")
    assert capsys.readouterr().out == "     it asks: \\x1b]0;title\\x07a:100:b\n       ✓  fab verify\\x0d\n"


def test_a_step_that_fails_says_so_and_fails(steps, out):
    def fail():
        with steps.step("tools"):
            raise StepFailed("no disk")

    with pytest.raises(StepFailed):
        fail()
    assert "✗  tools" in out.getvalue()


@pytest.mark.process
def test_a_commands_whole_output_is_kept(steps, tmp_path):
    assert steps.run("hello", [sys.executable, "-c", "print('hello')"]) == "hello\n"
    assert (tmp_path / "logs" / "hello.log").read_text() == "hello\n"


@pytest.mark.process
def test_a_failed_command_shows_its_tail_and_where_the_rest_is(steps, tmp_path):
    script = "import sys; [print('line', i) for i in range(100)]; sys.exit(3)"
    with pytest.raises(StepFailed) as failure:
        steps.run("long", [sys.executable, "-c", script])
    told = str(failure.value)
    assert "ended with 3" in told
    assert "line 99" in told
    assert "line 50" not in told
    assert str(tmp_path / "logs" / "long.log") in told


def test_the_live_line_is_for_terminals(tmp_path, out):
    # The terminal of who runs the tests may be a dumb one.
    steps = Steps(tmp_path, Console(file=out, force_terminal=True, width=100, _environ={"TERM": "xterm"}))
    with steps.step("tools"):
        pass
    assert "…" not in out.getvalue()
    assert "✓" in out.getvalue()


class Awaited(io.StringIO):
    """Output that says when a text was written."""

    def __init__(self, text):
        super().__init__()
        self.text, self.written = text, threading.Event()

    def write(self, text):
        if self.text in text:
            self.written.set()
        return super().write(text)


@pytest.mark.process
def test_a_long_step_is_never_silent_for_long_and_says_what_its_command_last_said(tmp_path):
    out = Awaited("compiling")
    steps = Steps(tmp_path, Console(file=out, width=100), silence_s=0.05)
    # Behind it what Pulumi says on the local cloud in any case.
    said = "compiling \x1b[2J\nwarning: using pulumi-language-python from $PATH at /there"
    script = f"print({said!r}, flush=True); import pathlib; p = pathlib.Path({str(tmp_path / 'go')!r})\n"
    with steps.step("tools"):
        runner = threading.Thread(
            target=steps.run, args=("go", [sys.executable, "-c", script + "while not p.exists(): pass"])
        )
        runner.start()
        told = out.written.wait(60)
        (tmp_path / "go").touch()
        runner.join()
    assert told
    assert re.search(r"^     \d+ s  compiling \\x1b\[2J$", out.getvalue(), re.MULTILINE)


@pytest.mark.process
def test_the_live_line_shows_what_a_command_said_as_it_is(tmp_path):
    out = Awaited(" s  [red]a:100:b \\x1b]0;title\\x07")
    console = Console(file=out, force_terminal=True, width=100, _environ={"TERM": "xterm"})
    steps = Steps(tmp_path, console, silence_s=0.05)
    with steps.step("tools"):
        steps.tell("[red]a:100:b \x1b]0;title\x07")
        assert out.written.wait(60)


def test_a_terminal_that_cannot_change_a_line_gets_plain_ones(tmp_path, out):
    console = Console(file=out, force_terminal=True, width=100, _environ={"TERM": "dumb"})
    with Steps(tmp_path, console).step("tools"):
        pass
    assert "…  tools" in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.process
def test_a_command_runs_as_the_user_for_whom_root_works_where_that_is_asked_for(steps):
    if os.geteuid() != 0:
        pytest.skip("only root can run a command as another user")
    entry = pwd.getpwnam("nobody")
    steps.operator = Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    who = ["sh", "-c", "id -u; id -G"]
    assert steps.run("who", who, as_operator=True) == f"{entry.pw_uid}\n{entry.pw_gid}\n"
    assert steps.run("who", who).startswith("0\n")
