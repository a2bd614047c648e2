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
