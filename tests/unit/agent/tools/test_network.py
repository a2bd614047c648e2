"""What the model reads of its call's connections."""

from agent.tools.network import notice


def gone(host):
    return {"to": f"{host}:443", "refused": [{"what": f"{host}:443", "why": "is not listed", "allow": host}]}


def test_a_call_whose_connections_went_well_says_nothing():
    assert notice([]) == notice([{"to": "beds.org:443", "refused": [], "failed": ""}]) == ""


def test_what_was_refused_is_told_once_with_the_entry_that_would_allow_it():
    said = notice([gone("beds.org")] * 9)
    assert said.count("beds.org:443 is not listed") == 1
    assert 'the entry of `allow` in [agent.egress] would be "beds.org"' in said
    assert "ask_person" in said


def test_many_refusals_are_told_in_a_few_lines():
    assert "- and 95 more" in notice([gone(f"h{n}.org") for n in range(100)])


def test_a_proxy_that_died_is_told():
    assert notice([{"failed": "the proxy died"}]) == "[the network failed: the proxy died]"


def test_nobody_is_asked_for_what_no_entry_would_allow():
    push = {"what": "POST git.example.com/x.git/git-receive-pack", "why": "would change refs/heads/main", "allow": None}
    said = notice([{"to": "git.example.com:443", "refused": [push]}])
    assert "would change refs/heads/main" in said
    assert "ask_person" not in said
    assert "entry" not in said
