"""A demo that is up is never removed for another one without the user's word."""

import json
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local import __main__ as main
from local import demo, serve
from local.account import Account
from local.demo import Choice
from local.site import Site
from local.steps import StepFailed
from wire.types import SyncOutcome, SyncRun

SEASON, OTHER = Choice(None, "double"), Choice("/b.csv", "double")


@pytest.fixture
def site(tmp_path):
    return Site("jada", 77, tmp_path)


@pytest.fixture
def up(site):
    demo._remember(site, OTHER)
    return site


def never(question):
    raise AssertionError(question)


def test_where_no_other_demo_is_up_nothing_is_asked(site):
    demo.require_consent(site, SEASON, {}, never)


def test_the_same_demo_again_asks_nothing(up):
    demo.require_consent(up, OTHER, {}, never)


@pytest.mark.parametrize("answer", ["y", " YES "])
def test_a_yes_lets_it_go(up, answer):
    asked = []
    demo.require_consent(up, SEASON, {}, lambda question: asked.append(question) or answer)
    (question,) = asked
    assert "a demo with the bookings of /b.csv and a script as Claude is up. Remove it" in question
    assert question.endswith("with the generated season and a script as Claude? [y/N] ")


@pytest.mark.parametrize("answer", ["", "n", "yesterday"])
def test_anything_else_keeps_it(up, answer):
    with pytest.raises(StepFailed, match="nothing was changed"):
        demo.require_consent(up, SEASON, {}, lambda _question: answer)


def test_without_a_terminal_the_words_to_type_are_named(up):
    with pytest.raises(StepFailed, match="`sudo make down && sudo make demo CLAUDE=real`"):
        demo.require_consent(up, Choice(None, "real"), {"JADA_TYPED": "sudo make demo CLAUDE=real"}, None)


def test_a_demo_that_was_cut_short_is_none(up):
    (up.state / "demo.json").write_text(json.dumps({"odd": 1}))
    demo.require_consent(up, SEASON, {}, never)


def test_the_very_first_run_has_nothing_to_remove(site):
    first = Site("jada", 77, site.state / "not there")
    assert not demo.must_go(first, SEASON)
    assert not main._steps().logs.is_relative_to(Site().state)


def test_what_an_interrupted_demo_or_another_choice_left_is_removed(site):
    assert demo.must_go(site, SEASON)
    demo._remember(site, OTHER)
    assert demo.must_go(site, SEASON)
    assert not demo.must_go(site, OTHER)


def test_what_the_users_programs_import_is_compiled_once_and_what_roots_import_never(site, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    by_sudo = demo._shell(site, Account("anna", 1000, 1000, "/home/anna"))
    assert "PYTHONDONTWRITEBYTECODE" not in by_sudo
    assert demo._shell(site, None)["PYTHONDONTWRITEBYTECODE"] == "1"


def test_a_failure_ends_with_how_to_remove_what_is_up(site, tmp_path, monkeypatch):
    monkeypatch.setenv("JADA_TYPED", "sudo make demo")
    assert main._remains(site) == "`sudo make down` removes what is up\n"
    assert main._remains(Site("jada", 77, tmp_path / "nothing")) == ""


@pytest.mark.parametrize("reported", [0, 1])
def test_a_sync_that_reports_nothing_is_not_proven_by_the_run_before(site, reported):
    outcomes, runs = iter([SyncOutcome.UNCHANGED] * reported), []

    def start(*_command, **_how):
        if outcome := next(outcomes, None):
            runs.insert(0, SyncRun(started_at="", finished_at="", outcome=outcome))

    steps = SimpleNamespace(run=start, tell=lambda _text: None)
    with pytest.raises(StepFailed, match="the sync reported no run: see `fab logs --unit port-sheet-sync`"):
        demo._sync(site, SimpleNamespace(sync_runs=lambda: tuple(runs)), {}, steps)


@pytest.mark.parametrize(
    ("claude", "released"), [("double", [("DELETE", "/_local/faults")]), ("real", [])], ids=["double", "real"]
)
def test_a_host_is_cut_off_and_only_the_script_told_to_answer_again(claude, released):
    asked = []

    def note(request):
        asked.append((request.method, request.url.path))
        return JSONResponse({})

    doubles = Starlette(routes=[Route("/{path:path}", note, methods=["GET", "POST", "DELETE"])])
    with serve.running(doubles) as url:
        demo._cut_off(SimpleNamespace(url=lambda _port: url), Choice(None, claude, hosts=2), "jada-2")
    assert asked == [("POST", "/_local/cut/jada-2"), *released]
