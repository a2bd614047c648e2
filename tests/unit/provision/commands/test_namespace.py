import os
import subprocess
import sys
from pathlib import Path

import pytest

from provision.commands.namespace import namespace

ROOT = Path(__file__).parents[4]
LISTED = {
    "plan", "deploy", "secrets", "verify", "notify", "status", "dashboard", "ssh", "logs",
    "task.add", "task.list", "task.show", "task.answer", "task.get",
}  # fmt: skip


def _fab(*words, **environ):
    command = [str(Path(sys.executable).with_name("fab")), *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


def test_the_list_is_what_is_built():
    lines = _fab("--list").stdout.splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "} == LISTED


@pytest.mark.parametrize("context", namespace.to_contexts(), ids=lambda context: context.name)
def test_each_task_takes_stack_and_host_and_explains_every_option(context):
    assert {"--stack", "--host"} <= set(context.flags)
    assert [name for name, argument in context.flags.items() if not argument.help] == []
    assert namespace[context.name].__doc__.endswith(".")


@pytest.mark.parametrize("name", namespace.task_names)
def test_what_is_typed_is_the_functions_name(name):
    assert namespace[name].body.__name__.rstrip("_") == name.rpartition(".")[2]


def test_a_stack_without_settings_is_refused_by_name():
    done = _fab("plan", "--stack", "nowhere")
    assert done.returncode == 1
    assert "jada.nowhere.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_that_says_nothing_is_refused_before_anything_is_asked():
    done = _fab("task.answer", "01M7ZQGWJRQ9MW3ETQ7MW30V00")
    assert done.returncode == 1
    assert "--text, --sessions or --dollars" in done.stderr
