import json
from functools import partial
from pathlib import Path

import pytest

from agent.settings import Settings, read
from wire import settings_file
from wire.values import Invalid

load = partial(settings_file.load, name="agent", read=read)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "jada.toml"
        path.write_text(text)
        return path

    return write


def test_an_empty_section_means_the_defaults(file):
    assert load(file("")) == load(file("[agent]\n")) == Settings()


@pytest.mark.parametrize(("stack", "sessions", "poll"), [("local", 50, 2), ("prod", 5, 60)])
def test_the_shipped_files_are_read(stack, sessions, poll):
    settings = load(ROOT / f"jada.{stack}.toml")
    assert (settings.turns, settings.sessions_per_day, settings.poll_seconds) == (30, sessions, poll)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("turn = 30", "agent.turn: unknown"),
        ("turns = 1", "agent.turns: must be at least 2"),
        ('turns = "30"', "agent.turns: must be a whole number"),
        ("sessions_per_day = 0", "agent.sessions_per_day: must be at least 1"),
        ("usd_per_day = 0", "agent.usd_per_day: must be at least 0.01"),
        ('claude_url = "api.anthropic.com"', "agent.claude_url: must be an address"),
        ('model = ""', "agent.model: must be a model's name"),
        ('prices = "prices.toml"', "agent.prices: must be an absolute path"),
        ("[agent.tools]\nseconds = 0", "agent.tools.seconds: must be at least 1"),
        ("[agent.tools]\nmemory = 3", "agent.tools.memory: unknown"),
    ],
)
def test_a_wrong_key_type_or_range_is_refused_by_name(file, line, told):
    with pytest.raises(Invalid) as caught:
        load(file(f"[agent]\n{line}\n"))
    assert str(caught.value).startswith(told)


def test_a_file_that_is_absent_or_no_toml_is_refused_by_name(file, tmp_path):
    with pytest.raises(Invalid, match=r"absent\.toml: can't be read"):
        load(tmp_path / "absent.toml")
    with pytest.raises(Invalid, match=r"jada\.toml: is not valid TOML"):
        load(file("[agent"))


EGRESS = """
[agent.egress]
allow = ["beds.org", "git.example.com:8443/team/"]
private = ["10.20.0.0/16"]
[agent.egress.credentials.packages]
at = "packages.example.com/simple"
secret = "packages"
"""


def test_there_is_no_way_out_unless_it_is_set(file):
    assert load(file("[agent]")).egress is None
    egress = load(file(EGRESS)).egress
    assert egress.allow == ("beds.org", "git.example.com:8443/team/")
    assert egress.credentials["packages"].methods == ("GET", "HEAD")


@pytest.mark.parametrize(
    "place",
    ["https://beds.org", "beds", "BEDS.org", "10.0.0.1", "127.1", "[::1]", "*.beds.org", "beds.org:0",
     "beds.org:65536", "beds.org/a/../b", "beds.org/..", "beds.org/.", "beds.org/a?b", "beds.org/a b",
     "beds.org//a", "beds.org\n",
     "a..org", "-a.org", "user@beds.org", "beds.org.", "1.2.3.4/x", "x.1", "beds.org/%2e%2e"],
)  # fmt: skip
def test_a_place_that_could_be_read_in_two_ways_is_refused(file, place):
    with pytest.raises(Invalid, match=r"agent\.egress\.allow.*must be a host"):
        load(file(f"[agent.egress]\nallow = [{json.dumps(place)}]"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('private = ["10.20.0.0"]\nallowed = []', "agent.egress.allowed: unknown"),
        ('private = ["10.20.0.1/16"]', "agent.egress.private: is no list of networks"),
        ('private = ["169.254.0.0/16"]', "agent.egress.private: 169.254.0.0/16 holds link-local addresses"),
        ('private = ["0.0.0.0/0"]', "agent.egress.private: 0.0.0.0/0 holds link-local addresses"),
        ("megabytes = 0", "agent.egress.megabytes: must be at least 1"),
        ('trust = "ca.pem"', "agent.egress.trust: must be an absolute path"),
        ('[agent.egress.credentials.x]\nat = "x.org"', "agent.egress.credentials.secret: missing"),
        (
            '[agent.egress.credentials.x]\nat = "x.org"\nsecret = "x"\nvalue = "Bearer"',
            "agent.egress.credentials.value: must be printable text with {} in it",
        ),
        (
            '[agent.egress.credentials.x]\nat = "x.org"\nsecret = "x"\nheader = "A: b"',
            "agent.egress.credentials.header: must be letters",
        ),
        (
            '[agent.egress.credentials.x]\nat = "x.org"\nsecret = "x"\nmethods = ["TRACE"]',
            "agent.egress.credentials.methods[0]: must be one of",
        ),
    ],
)
def test_a_wrong_way_out_is_refused_by_name(file, lines, told):
    with pytest.raises(Invalid) as caught:
        load(file(f"[agent.egress]\n{lines}\n"))
    assert str(caught.value).startswith(told)


REPOSITORY = """
[agent.repositories.site]
address = "https://git.example.com:8443/team/site.git"
secret = "git"
checks = ["make test"]
packages = ["make", "git"]
"""


def test_a_repository_brings_its_packages_and_its_way_out(file):
    settings = load(file(REPOSITORY))
    assert settings.repositories["site"].place == "git.example.com:8443/team/site.git"
    assert settings.packages == ("curl", "git", "make")
    assert load(file("[agent.egress]")).packages == ("curl",)
    assert load(file('[agent]\ntool_packages = ["qpdf"]\n[agent.egress]')).packages == ("qpdf", "curl")
    assert load(file("")).packages == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('address = "http://git.example.com/x"', "address: must be an address like https://"),
        ('address = "git@git.example.com:x"', "address: must be an address like https://"),
        ('address = "https://me:pw@git.example.com/x"', "address: must be an address like https://"),
        ('address = "https://git.example.com"', "address: must be an address like https://"),
        ('branch = "a..b"', "branch: must be a branch's name"),
        ('branch = "-x"', "branch: must be a branch's name"),
        ('branch = "x.lock"', "branch: must be a branch's name"),
        ("depth = -1", "depth: must be at least 0"),
        ('checks = ["a\\nb"]', "checks[0]: must be one line"),
        ('packages = ["a; b"]', "packages[0]: must be a Debian package's name"),
    ],
)
def test_a_wrong_repository_is_refused_by_name(file, line, told):
    given = {"address": 'address = "https://git.example.com/x.git"', line.partition(" ")[0]: line}
    with pytest.raises(Invalid) as caught:
        load(file("[agent.repositories.x]\n" + "\n".join(given.values())))
    assert str(caught.value).startswith(f"agent.repositories.{told}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('effort = "some"', "agent.effort: must be one of"),
        ("thinking = 8192", "agent.thinking: must be less than max_tokens (8192)"),
        ("thinking = 1023", "agent.thinking: must be at least 1024"),
        (f'instructions = "{"x" * 2001}"', "agent.instructions: must be at most 2000 characters"),
    ],
)
def test_words_and_thinking_have_their_bounds(file, line, told):
    with pytest.raises(Invalid) as caught:
        load(file(f"[agent]\n{line}\n"))
    assert str(caught.value).startswith(told)


def test_thinking_is_a_word_or_a_number(file):
    assert load(file('[agent]\nthinking = "adaptive"')).thinking == "adaptive"
    assert load(file("[agent]\nthinking = 1024")).thinking == 1024
