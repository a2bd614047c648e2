"""From settings to what a proxy is told."""

import json

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
