"""Bash: a fresh sandbox a call, with the folder and the exports of the last one."""

import math
import time

import pytest

from agent.sandbox.run import Sandbox
from agent.settings import ToolLimits
from agent.tools.bash import Bash
from agent.tools.result import OUT_OF_MEMORY, CallFailed
from wire.values import Invalid

pytestmark = pytest.mark.process


@pytest.fixture
def bash(sandbox, tmp_path):
    return Bash(sandbox, tmp_path / "shell")


def said(bash, command):
    return bash.run({"command": command}).content


def test_a_command_says_what_it_printed(bash):
    assert said(bash, "echo one; echo two >&2") == "one\ntwo\n"


def test_silence_is_said(bash):
    assert said(bash, "true") == "(no output)"


@pytest.mark.parametrize("command", ["echo no; exit 3", "echo no; (exit 3)"])
def test_an_exit_code_is_reported(bash, command):
    assert said(bash, command) == "no\n[exit code 3]"


def test_folder_and_exports_are_carried_to_the_next_call(bash):
    said(bash, "mkdir -p 'a b' && cd 'a b' && export NAME=$'it\\'s\\n\"2\"' && local_only=1")
    assert said(bash, 'pwd; echo "$NAME"; echo "[$local_only]"') == '/workspace/a b\nit\'s\n"2"\n[]\n'


def test_they_are_carried_also_after_an_exit(bash):
    said(bash, "export A=1; exit 7")
    assert said(bash, "echo $A") == "1\n"


def test_a_variable_taken_back_stays_away(bash):
    said(bash, "export A=1")
    said(bash, "unset A")
    assert said(bash, "echo [$A]") == "[]\n"


def test_a_restart_forgets_them(bash):
    said(bash, "export A=1; cd /tmp")
    bash.run({"restart": True})
    assert said(bash, "echo [$A]; pwd") == "[]\n/workspace\n"


def test_a_folder_that_is_gone_is_no_error(bash):
    said(bash, "mkdir /tmp/gone; cd /tmp/gone")
    assert said(bash, "pwd") == "/workspace\n"


def test_too_many_exports_leave_the_last_state(bash):
    said(bash, "export A=1")
    said(bash, "export B=$(head -c 100000 /dev/zero | tr '\\0' x)")
    assert said(bash, "echo $A${#B}") == "10\n"


def test_the_time_limit_is_reported_as_an_error(hurried, tmp_path):
    result = Bash(hurried(), tmp_path / "shell").run({"command": "echo begun; : >begun; sleep 600"})
    assert result.is_error
    assert result.content.startswith("begun\n\n[stopped: the time was up")


def test_a_call_that_ran_out_of_memory_says_so(workspace, tmp_path):
    counts = iter([0, 0, 0, 1])
    sandbox = Sandbox(workspace, ToolLimits(), time.monotonic, lambda: math.inf, kills=lambda: next(counts))
    result = Bash(sandbox, tmp_path / "shell").run({"command": "(kill -KILL $BASHPID)"})
    assert result.content.endswith(f"[exit code 137]\n{OUT_OF_MEMORY}")
    assert result.is_error


def test_what_was_left_out_is_reported_in_its_place(make_sandbox, tmp_path):
    result = Bash(make_sandbox(output_kb=1), tmp_path / "shell").run({"command": "printf 'a%.0s' $(seq 2000)"})
    assert result.content == "a" * 512 + "\n[976 bytes left out]\n" + "a" * 512


def test_bytes_that_are_no_text_can_still_be_sent(bash):
    assert said(bash, "printf 'a\\377\\000b'") == "a��b"


def test_a_long_command_and_a_here_document_work(bash):
    lines = "\n".join(f"line {n}" for n in range(20_000))
    assert said(bash, f"wc -l <<'END'\n{lines}\nEND") == "20000\n"


def test_a_syntax_error_is_the_models_to_read(bash):
    assert "syntax error" in said(bash, "if then")


@pytest.mark.parametrize("given", [{"command": 5}, {"commando": "ls"}, "ls", {"command": "a\0b"}])
def test_a_wrong_input_is_refused_by_name(bash, given):
    with pytest.raises(Invalid):
        bash.run(given)


def test_an_empty_command_is_refused(bash):
    with pytest.raises(CallFailed, match="Give a command"):
        bash.run({"command": " "})
