import builtins
import json
import keyword
import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fabric.main import program
from invoke.parser import Parser

from provision.commands.namespace import GROUPS, namespace
from provision.commands.program import NO_EFFECT, overview

ROOT = Path(__file__).parents[4]
FAB = Path(sys.executable).with_name("fab")
FIRST_ON_PATH = ROOT / "bin" / "fab"
# Once: Invoke takes an argument's help out of the task that it belongs to.
CONTEXTS = namespace.to_contexts()
LISTS = [(), ("--list",), ("help",)]
LESSONS = [("help", "task.get"), ("--help", "task.get"), ("task.get", "--help")]
WRONG = [
    (("dashboard", "--port", "abc"), "--port abc: not a whole number from 1 to 65535"),
    (("dashboard", "--port", "70000"), "--port 70000"),
    (("ssh", "--forward", "8085"), "--forward 8085: not two ports"),
    (("ssh", "--forward", "80a:1"), "--forward 80a: not a whole number"),
    (("task.add", "--title", "x", "--dollars", "abc"), "--dollars abc: not an amount"),
    (("task.add", "--title", "x", "--dollars", "nan"), "--dollars nan: not an amount"),
    (("task.add", "--title", "x", "--priority", "12"), "--priority 12: not a whole number from 0 to 9"),
    (("task.add", "--title", "x", "--sessions", "²"), "--sessions ²: not a whole number"),
    (("task.add", "--title", ""), "--title: must be one line"),
    (("task.answer", "X", "--sessions", "-1"), "--sessions -1"),
    (("task.list", "--state", "over"), "no state 'over'"),
    (("task.list", "--since", "rubbish"), "--since rubbish: not a time"),
    (("task.list", "--until", "+2x"), "--until +2x: not a time"),
    (("secrets", "--from", "/nosuch"), "/nosuch is no folder"),
    (("logs", "--unit", "nosuch"), "no unit nosuch"),
    (("task.add",), "a task needs a --title"),
    (("task.show",), "task.show needs <TASK-ID>"),
    (("status", "--stack"), "--stack needs a value"),
    (("rollback", "d7cfa1e7ab84"), "rollback takes no word 'd7cfa1e7ab84'"),
    (("task.show", "X", "Y"), "task.show takes no word 'Y'"),
    (("plan", "--nosuch"), "there is no '--nosuch'"),
    (("task.add", "--titel", "x"), "did you mean --title?"),
    (("plna",), "did you mean `fab plan`?"),
    (("token",), "there are token.list, token.make, token.revoke; `fab` lists all commands"),
    (("help", "stauts"), "did you mean `fab status`?"),
    (("help", "plna"), "there is no 'plna'"),
    (("ssh", "--", "uptime"), "no command takes what comes behind `--`: uptime"),
    (("ssh", "--forward"), "--forward needs a value"),
    (("task.add", "--title", "x", "--file"), "--file needs a value"),
    (("--stack", "prod", "status"), "options come behind a command"),
    (("--dry", "deploy"), "--dry is Fabric's own option, and no command of ours heeds it"),
    (("deploy", "--dry"), "--dry is Fabric's own option, and no command of ours heeds it"),
    (("-H", "other", "plan"), "hosts are the stack's"),
    (("move-queue",), "the queue needs a --to"),
    (("dashboard", "--socket", "/nosuch/a"), "--socket /nosuch/a: the folder /nosuch is not there"),
    (("audit", "--html", "/nosuch/a.html"), "--html /nosuch/a.html: the folder /nosuch is not there"),
    (("verify", "--junit", "/nosuch/v.xml"), "--junit /nosuch/v.xml: the folder /nosuch is not there"),
    (("token.make",), "a token needs a --name and a --scope"),
]
EACH = """
import json, os, runpy, sys
import fabric.main, provision.commands.program
fab, folder = sys.argv[1:3]
for number, words in enumerate(json.loads(sys.argv[3])):
    if not os.fork():
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{number}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        sys.argv = [fab, *words]
        runpy.run_path(fab, run_name="__main__")
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
"""Each line in a process of its own, with Fabric and our commands imported: most of what one takes."""


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """What `fab` said to each of the lines above: code, output and errors."""
    lines, folder = [*LISTS, *LESSONS, *(words for words, _ in WRONG)], tmp_path_factory.mktemp("said")
    command = [sys.executable, "-c", EACH, str(FAB), str(folder), json.dumps(lines)]
    codes = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()

    def done(number):
        said = (folder / f"{number}.out").read_text(), (folder / f"{number}.err").read_text()
        return subprocess.CompletedProcess(lines[number], int(codes[number]), *said)

    return {words: done(number) for number, words in enumerate(lines)}


def _fab(*words, **environ):
    command = [str(FAB), *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False)


def _parsed(words):
    """What Fabric's own parser makes of a command line, behind the word `fab`."""
    return Parser(initial=program.initial_context, contexts=CONTEXTS).parse_argv(list(words))


def test_each_command_stands_in_one_group():
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(namespace.task_names)


@pytest.mark.process
@pytest.mark.parametrize("words", LISTS)
def test_all_commands_are_listed_in_groups_each_with_an_example(typed, words):
    done = typed[words]
    said = done.stdout.splitlines()
    assert done.returncode == 0
    assert [group for group in GROUPS if group in said] == list(GROUPS)
    for name in namespace.task_names:
        (at,) = [number for number, line in enumerate(said) if line.startswith(f"  {name} ")]
        assert said[at + 1].strip() == f"$ {namespace[name].example}"


@pytest.mark.process
@pytest.mark.parametrize("words", ["--help", "-h"])
def test_a_bare_help_teaches_our_commands_before_fabrics_options(words):
    done = subprocess.run([str(FIRST_ON_PATH), words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == "\n".join(overview()).splitlines()
    assert done.stdout.index(next(iter(GROUPS))) < done.stdout.index("Options of Fabric")


@pytest.mark.process
def test_what_is_first_on_path_passes_each_word_on():
    command = [str(FIRST_ON_PATH), "task.add", "--title", "", "--description", "'a'  b"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "--title")


@pytest.mark.process
@pytest.mark.parametrize("words", [(), ("status",), ("--help",)])
def test_where_no_project_is_the_way_to_one_is_said(words, tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "JADA_PROJECT"}

    def typed(**shell):
        command = [str(FIRST_ON_PATH), *words]
        return subprocess.run(command, env=env | shell, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = typed()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"  → cd {ROOT}\n")
    assert typed(JADA_PROJECT="/a/site").stderr.endswith("  → cd /a/site\n")


@pytest.mark.process
def test_in_a_fresh_checkout_what_makes_the_environment_is_said(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "fabfile.py").touch()
    fresh = shutil.copy(FIRST_ON_PATH, tmp_path / "bin")
    done = subprocess.run([fresh, "status"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"in {tmp_path}: uv sync, or make demo" in done.stderr


@pytest.mark.process
def test_below_a_project_its_commands_are_there_and_elsewhere_what_is_fabrics_own(tmp_path):
    below = subprocess.run(
        [str(FIRST_ON_PATH), "plan", "--nosuch"], cwd=ROOT / "docs", capture_output=True, check=False
    )
    assert b"there is no '--nosuch'" in below.stderr
    subprocess.run([str(FIRST_ON_PATH), "--version"], cwd=tmp_path, capture_output=True, check=True)


def test_each_option_without_effect_is_one_that_fabric_has():
    known = {name for argument in program.core_args() for name in argument.names}
    assert set(NO_EFFECT) <= known


def test_a_command_is_listed_on_a_line_that_fits_a_screen():
    assert [line for line in overview() if len(line) > 150] == []


@pytest.mark.process
@pytest.mark.parametrize("words", LESSONS)
def test_help_teaches_a_command(typed, words):
    said = typed[words].stdout
    assert said.startswith("fab task.get <TASK-ID> [OPTIONS]\n")
    assert "into a folder of their own" in said
    assert "--to " in said
    assert f"Example: {namespace['task.get'].example}" in said


@pytest.mark.parametrize("name", namespace.task_names)
def test_an_example_can_be_typed(name):
    fab, *words = shlex.split(namespace[name].example)
    assert (fab, _parsed(words)[1].name) == ("fab", name)


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
def test_no_option_is_converted_by_the_parser_which_shows_tracebacks(context):
    assert {argument.kind for argument in context.args.values()} <= {str, bool, list}


@pytest.mark.parametrize("digest", ["000000000755", "0e1234567890", "123456789012", "00000000000f"])
@pytest.mark.parametrize("words", [["rollback", "--to"], ["sync-plan", "--apply"]])
def test_a_digest_that_reads_as_a_number_stays_what_was_typed(words, digest):
    (given,) = [each.value for each in _parsed([*words, digest])[1].args.values() if each.got_value]
    assert given == digest


@pytest.mark.process
@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_was_typed_wrong_is_said_with_a_cure_and_no_traceback(typed, words, said):
    done = typed[words]
    assert done.returncode == 1
    assert said in done.stderr
    assert "  → " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("words", [["dashboard", "--port"], ["ssh", "--forward"]])
def test_a_port_of_another_program_is_refused(words):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = _fab(*words, port if words[0] == "dashboard" else f"{port}:22")
    assert done.returncode == 1
    assert f"port {port} of this machine is taken by another program" in done.stderr
    assert done.stdout == ""


@pytest.mark.process
def test_a_reader_that_goes_away_ends_the_list_without_words():
    gone, written = os.pipe()
    os.close(gone)
    with os.fdopen(written, "wb") as out:
        command = [str(FAB), "--list"]
        done = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
def test_each_task_takes_stack_and_host_and_explains_every_option(context):
    # A table's key is all hosts'.
    wanted = {"backup-key": set(), "table-key": {"--stack"}}.get(context.name, {"--stack", "--host"})
    assert wanted <= set(context.flags)
    assert [name for name, argument in context.flags.items() if not argument.help] == []
    assert namespace[context.name].__doc__.strip().endswith(".")


@pytest.mark.parametrize("name", namespace.task_names)
def test_what_is_typed_is_the_functions_name(name):
    """With an underscore behind it only where Python has that word for itself."""
    word = name.rpartition(".")[2].replace("-", "_")
    is_pythons = word in dir(builtins) or keyword.iskeyword(word)
    assert namespace[name].body.__name__ == (f"{word}_" if is_pythons else word)


@pytest.mark.process
def test_a_stack_without_settings_is_refused_by_name():
    done = _fab("plan", "--stack", "nowhere")
    assert done.returncode == 1
    assert "jada.nowhere.toml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_an_answer_that_says_nothing_is_refused_before_anything_is_asked():
    done = _fab("task.answer", "01M7ZQGWJRQ9MW3ETQ7MW30V00")
    assert done.returncode == 1
    assert "--text, --sessions or --dollars" in done.stderr
