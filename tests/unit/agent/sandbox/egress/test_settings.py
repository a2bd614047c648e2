"""From settings to what a proxy is told."""

import json
from base64 import b64encode

import pytest

from agent.sandbox.egress.__main__ import Unusable, outside
from agent.sandbox.egress.proxy import rules
from agent.settings import Credential, Egress, Repository, Settings


def told(settings):
    return json.loads(json.dumps(rules(settings)))


def test_where_nothing_is_listed_there_is_no_proxy():
    assert rules(Settings()) is None
    assert rules(Settings(egress=Egress(private=("10.0.0.0/8",)))) is None


def test_a_repository_alone_has_a_way_out_of_its_own():
    site = Repository(address="https://git.example.com/site.git", secret="git")
    asked = told(Settings(repositories={"site": site}))
    assert (asked["allow"], asked["credentials"]) == ([], [])
    assert [(each["at"], each["secret"], each["user"]) for each in asked["repositories"]] == [
        ("git.example.com/site.git", "git", "x-access-token")
    ]


def test_what_a_proxy_is_told_names_secrets_and_holds_none():
    egress = Egress(allow=("beds.org",), credentials={"x": Credential(at="api.example.com", secret="team")})
    asked = told(Settings(egress=egress))
    assert asked["credentials"] == [
        {"at": "api.example.com", "secret": "team", "header": "Authorization", "value": "Bearer {}",
         "methods": ["GET", "HEAD"]}
    ]  # fmt: skip


@pytest.mark.process
def test_each_writing_of_a_token_that_goes_out_is_looked_for_in_what_comes_back(tmp_path):
    (tmp_path / "egress_secrets").write_text("git = canary/token+1\nteam=other-canary-2\n")
    site = Repository(address="https://git.example.com/site.git", secret="git", user="oauth2")
    egress = Egress(credentials={"x": Credential(at="api.example.com", secret="team", value="token {}")})
    made = outside(told(Settings(egress=egress, repositories={"site": site})), tmp_path)
    basic = b64encode(b"oauth2:canary/token+1")
    assert set(made.secrets) == {b"canary/token+1", b"canary%2Ftoken%2B1", basic, b"other-canary-2"}
    headers = {str(rule.place): rule.header for rule in made.rules.rules}
    assert headers["git.example.com/site.git"] == (b"authorization", b"Basic " + basic)
    assert headers["api.example.com"] == (b"authorization", b"token other-canary-2")


@pytest.mark.parametrize(
    "line", ["git = short", "git = with blanks in it", "git =", "other = canary-token-1", "git = ä" * 9]
)
def test_what_is_no_token_is_refused_by_name(tmp_path, line):
    (tmp_path / "egress_secrets").write_text(line)
    site = Repository(address="https://git.example.com/site.git", secret="git")
    with pytest.raises(Unusable, match="git"):
        outside(told(Settings(repositories={"site": site})), tmp_path)
