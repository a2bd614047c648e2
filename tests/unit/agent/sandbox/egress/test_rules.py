"""What may leave a sandbox, as rules: nothing is sent here."""

import ipaddress

import pytest

from agent.sandbox.egress.rules import EgressRefused, Place, Rule, Rules, is_public, is_push, plain_path

RULES = Rules(
    (
        Rule(Place.read("beds.org/simple/")),
        Rule(Place.read("api.example.com:8443")),
        Rule(Place.read("git.example.com")),
        Rule(Place.read("git.example.com/team"), frozenset({"GET"}), (b"authorization", b"Bearer canary-canary")),
        Rule(Place.read("git.example.com/team/site.git"), header=(b"authorization", b"Basic canary"), git=True),
    ),
    (ipaddress.ip_network("10.20.0.0/16"),),
)


def refused(ask):
    with pytest.raises(EgressRefused) as error:
        ask()
    return error.value


@pytest.mark.parametrize("authority", ["beds.org:443", "Beds.org:443", "api.example.com:8443", "git.example.com:443"])
def test_a_listed_host_is_let_through_with_its_port(authority):
    assert RULES.host(authority)[0] == authority.partition(":")[0].lower()


@pytest.mark.parametrize(
    "authority",
    ["evil.example:443", "beds.org:80", "api.example.com:443", "beds.org.:443", "x.beds.org:443", "beds.org:",
     "beds.org:+443", "beds.org", "notbeds.org:443"],
)  # fmt: skip
def test_another_host_or_port_is_refused(authority):
    assert "listed" in refused(lambda: RULES.host(authority)).why


@pytest.mark.parametrize(
    "authority",
    ["127.0.0.1:443", "[::1]:443", "8.8.8.8:443", "127.1:443", "2130706433:443", "0x7f000001:443", "0x7f.1:443",
     "[::ffff:10.0.0.1]:443", "1.2.3.4.:443"],
)  # fmt: skip
def test_an_address_is_refused_however_it_is_written(authority):
    listed = Rules((*RULES.rules, Rule(Place("127.0.0.1", 443)), Rule(Place("8.8.8.8", 443))))
    assert "address" in refused(lambda: listed.host(authority)).why


def test_what_is_refused_names_the_entry_that_would_allow_it():
    assert refused(lambda: RULES.host("npm.example:443")).allow == "npm.example"
    assert refused(lambda: RULES.host("npm.example:8080")).allow == "npm.example:8080"
    assert refused(lambda: RULES.request("beds.org", 443, "GET", "/beds/x?y")).allow == "beds.org/beds/x"


def test_a_prefix_counts_in_whole_segments():
    assert RULES.request("beds.org", 443, "GET", "/simple")
    assert RULES.request("beds.org", 443, "GET", "/simple/requests/?q=/../x")
    assert "below no listed path" in refused(lambda: RULES.request("beds.org", 443, "GET", "/simpler")).why


@pytest.mark.parametrize(
    "target",
    ["/simple/../admin", "/simple/./x", "/simple/%2e%2e/admin", "/simple/%2E%2E/admin", "/simple/.%2e/admin",
     "/simple/%252e%252e/admin", "/simple/..%2fadmin", "/simple/%2f..%2fadmin", "/simple/..%5cadmin", "/simple\\..\\x",
     "/simple/x%00", "/simple/x%0d%0ay", "/simple/..;/admin", "/simple/%2fx", "/simple/x%23"],
)  # fmt: skip
def test_a_path_that_two_servers_read_in_two_ways_is_refused(target):
    assert "two ways" in refused(lambda: RULES.request("beds.org", 443, "GET", target)).why


@pytest.mark.parametrize("target", ["https://other.example/x", "*", "beds.org:443", ""])
def test_a_request_is_for_a_path_of_its_own_connection(target):
    assert "no path" in refused(lambda: plain_path(target)).why


def test_a_credential_goes_only_below_its_own_prefix():
    assert RULES.request("git.example.com", 443, "GET", "/team/x").header == (b"authorization", b"Bearer canary-canary")
    assert RULES.request("git.example.com", 443, "GET", "/teams/x").header is None
    assert RULES.request("git.example.com", 443, "GET", "/%74eam/x").header


def test_a_credential_is_not_shown_by_accident():
    assert "canary" not in repr(RULES)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", "FOO"])
def test_methods_that_are_not_known_are_refused(method):
    assert "only" in refused(lambda: RULES.request("beds.org", 443, method, "/simple")).why


def test_a_credential_reads_only_unless_it_is_given_more():
    assert "only GET" in refused(lambda: RULES.request("git.example.com", 443, "POST", "/team/x")).why


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", "/info/refs?service=git-upload-pack"), ("GET", "/info/refs?service=git-receive-pack"),
     ("POST", "/git-upload-pack"), ("POST", "/git-receive-pack")],
)  # fmt: skip
def test_a_repository_is_fetched_and_pushed(method, rest):
    assert RULES.request("git.example.com", 443, method, f"/team/site.git{rest}").git


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("GET", "/"), ("GET", "/info/refs"), ("GET", "/info/refs?service=git-upload-archive"),
     ("GET", "/info/refs?service=git-upload-pack&x=1"), ("GET", "/HEAD"), ("GET", "/objects/info/packs"),
     ("POST", "/info/lfs/objects/batch"), ("PUT", "/git-receive-pack"), ("GET", "/git-upload-pack"),
     ("POST", "/git-receive-pack/"), ("POST", "/git-receive-pack?x"), ("POST", "/settings"), ("DELETE", "")],
)  # fmt: skip
def test_nothing_else_is_asked_with_a_repositorys_credential(method, rest):
    assert (
        "only git's own" in refused(lambda: RULES.request("git.example.com", 443, method, f"/team/site.git{rest}")).why
    )


@pytest.mark.parametrize("path", ["/a.git/git-receive-pack", "/a/GIT-RECEIVE-PACK", "/git-receive-pack/x"])
def test_a_push_is_known_wherever_it_goes(path):
    assert is_push(path)
    assert not is_push("/a.git/git-receive-packs")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "239.1.1.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1",
     "ff02::1", "ff0e::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1",
     "2002:a00:1::1", "2002:808:808::1", "2001:0:4136:e378::1", "2001:db8::1", "::8.8.8.8", "5f00::1"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_not_dialled(address):
    assert not is_public(address)
    assert RULES.dialable([address]) == []


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.0.223", "2a04:4e42::223", "2600:9000::1"])
def test_a_public_address_is_dialled(address):
    assert RULES.dialable(["10.0.0.1", address]) == [address]


def test_a_network_is_dialled_that_is_listed_on_purpose():
    assert RULES.dialable(["10.20.1.1", "10.21.1.1", "::ffff:10.20.1.1"]) == ["10.20.1.1"]
