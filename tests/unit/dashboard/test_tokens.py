"""Tokens for programs on other hosts: one scope each, shown once, kept as a hash, revoked at once."""

import pytest

from dashboard.application import create
from dashboard.settings import Settings
from dashboard.tokens import RIGHTS, Tokens, rights
from local.serve import running
from tests.tokens import accepting
from wire.client import Client, RequestRefused
from wire.routes import ROUTES, Right
from wire.secret import Secret
from wire.types import AskedToken, ClaimRequest, NewTask, Scope, SyncOutcome, SyncRun, Token
from wire.values import Invalid, decode

AT = "2026-05-13T12:00:00Z"


@pytest.fixture
def made(client, url):
    """A client with a new token of a scope."""

    def make(scope):
        return Client(url, Secret(client.make_token(AskedToken(name="other host", scope=scope)).text), retries=0)

    return make


def refusal(call):
    with pytest.raises(RequestRefused) as refused:
        call()
    return refused.value.problem.status


def test_an_agents_token_works_sessions_and_adds_subtasks_only(made, client):
    agent, parent = made(Scope.AGENT), client.add_task(NewTask(title="t"))
    assert agent.claim(ClaimRequest(host="h")).task.id == parent.id
    assert agent.add_task(NewTask(title="child", parent=parent.id)).parent == parent.id
    calls = (
        lambda: agent.add_task(NewTask(title="t")),
        lambda: list(agent.tasks()),
        lambda: agent.invite("eve"),
        lambda: agent.make_token(AskedToken(name="more", scope=Scope.OPERATOR)),
        lambda: agent.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED)),
    )
    assert [refusal(call) for call in calls] == [403] * len(calls)


def test_a_syncs_token_reports_runs_and_nothing_else(made):
    sync = made(Scope.SYNC)
    sync.report(SyncRun(started_at=AT, finished_at=AT, outcome=SyncOutcome.CHANGED))
    for call in (sync.sync_runs, sync.due_messages, lambda: sync.claim(ClaimRequest(host="h"))):
        assert refusal(call) == 403


def test_a_senders_token_takes_messages(made):
    assert made(Scope.TELL).due_messages() == ()


def test_a_prometheus_token_reads_figures_and_nothing_else(made):
    scraper = made(Scope.METRICS)
    assert "jada_" in scraper.metrics()
    assert [refusal(call) for call in (scraper.tokens, scraper.due_messages, scraper.sync_runs)] == [403] * 3


def test_an_operators_token_may_all(made):
    assert made(Scope.OPERATOR).tokens()
    assert RIGHTS[Scope.OPERATOR] == {route.right for route in ROUTES}


def test_a_revoked_token_is_refused_at_once_and_the_others_are_not(made, client):
    agent, other = made(Scope.AGENT), made(Scope.AGENT)
    token = client.tokens()[1]
    assert client.revoke_token(token.id).revoked
    assert refusal(lambda: agent.claim(ClaimRequest(host="h"))) == 401
    assert other.claim(ClaimRequest(host="h")) is None
    assert token.id not in [left.id for left in client.tokens()]
    assert refusal(lambda: client.revoke_token(token.id)) == 404


def test_the_text_is_shown_once_and_kept_as_a_hash(token, clock, store, tmp_path):
    tokens = accepting(token, file=tmp_path / "tokens.json")
    with running(create(store, tokens, Settings(), clock)) as url:
        client = Client(url, token, retries=0)
        text = client.make_token(AskedToken(name="other host", scope=Scope.AGENT)).text
        assert text not in repr(client.tokens())
    kept = tmp_path / "tokens.json"
    assert text not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    again = Tokens(kept, clock)
    assert again.holder(text).name == "other host"
    assert again.holder(text[:-1]) is None


def test_a_damaged_file_lets_no_one_in(token, clock, tmp_path):
    accepting(token, file=tmp_path / "tokens.json")
    (tmp_path / "tokens.json").write_text("{")
    assert Tokens(tmp_path / "tokens.json", clock).holder(token.reveal()) is None


def test_a_scope_of_another_release_gives_nothing():
    assert rights(Token(id="x", name="n", scope=Scope("auditor"), made_at=AT)) == {Right.PUBLIC}
    with pytest.raises(Invalid, match="must be one of agent, sync, tell, metrics, operator"):
        decode(AskedToken, {"name": "n", "scope": "auditor"})
