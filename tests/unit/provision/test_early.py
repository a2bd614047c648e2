"""Pulumi is asked once for a command, before it is needed, and only by a command that acts on a stack."""

import os

import pytest

from provision.early import WORDS, Early, stack_of

ENGINE = '#!/bin/sh\necho "$@" >>"$LOG"\necho "outputs of $4"\n'


@pytest.fixture
def environ(tmp_path):
    engine = tmp_path / "pulumi"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}


@pytest.fixture
def early(monkeypatch, environ):
    # The program is looked up on this process's own path.
    monkeypatch.setenv("PATH", environ["PATH"])
    made = Early()
    yield made
    made.end()


@pytest.mark.process
def test_the_answer_is_there_for_the_one_who_asks_the_same_and_only_once(early, environ, tmp_path):
    early.begin(["fab", "plan", "--stack", "prod"], environ, tmp_path)
    assert early.take((*WORDS, "prod"), tmp_path, environ).stdout == "outputs of prod\n"
    assert early.take((*WORDS, "prod"), tmp_path, environ) is None
    assert (tmp_path / "log").read_text() == "stack export --stack prod\n"


@pytest.mark.process
@pytest.mark.parametrize("other", [("version",), (*WORDS, "local")])
def test_another_question_is_not_answered_by_it(early, environ, tmp_path, other):
    early.begin(["fab", "plan", "--stack", "prod"], environ, tmp_path)
    assert early.take(other, tmp_path, environ) is None
    assert early.take((*WORDS, "prod"), tmp_path, {**environ, "PULUMI_HOME": "x"}) is None


@pytest.mark.process
def test_what_no_one_asks_for_is_ended(early, environ, tmp_path):
    early.begin(["fab", "plan"], environ, tmp_path)
    process = early.process
    early.end()
    assert process.returncode is not None


@pytest.mark.parametrize("words", [[], ["--list"], ["help", "plan"], ["plan", "--help"], ["doctor"]])
def test_nothing_is_asked_where_no_stack_is_acted_on(words, tmp_path):
    early = Early()
    early.begin(["fab", *words], {}, tmp_path)
    assert early.process is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("backend", "lost"),
    [
        ("file://{}/gone", True), ("file://{}/gone?no_tmp_dir=true", True), ("file://{}", False),
        ("file://~", False), ("s3://bucket", False), ("", False),
    ],
)  # fmt: skip
def test_nothing_is_asked_of_a_state_in_files_that_is_gone(backend, lost, environ, early, tmp_path):
    early.begin(["fab", "status"], {**environ, "PULUMI_BACKEND_URL": backend.format(tmp_path)}, tmp_path)
    assert (early.process is None) == lost


@pytest.mark.parametrize(
    ("words", "environ", "stack"),
    [
        (["plan"], {}, "local"),
        (["plan"], {"JADA_STACK": "prod"}, "prod"),
        (["plan", "--stack", "two"], {"JADA_STACK": "prod"}, "two"),
        (["plan", "--json", "--stack=two"], {}, "two"),
        (["plan", "--stack"], {}, "local"),
    ],
)
def test_the_stack_is_the_one_that_the_command_will_act_on(words, environ, stack):
    assert stack_of(words, environ) == stack
