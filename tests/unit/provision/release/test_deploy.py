import io

import pytest
from rich.console import Console

from provision.progress import Progress
from provision.release.deploy import follow


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def progress(out):
    return Progress(Console(file=out, width=200))


def _news(*words):
    return iter(words)


def test_the_hosts_steps_are_shown_as_ours(progress, out):
    news = _news({"begin": "unpack"}, {"done": "unpack"}, {"note": "remove r1"}, {"finished": True})
    assert follow(news, progress) is None
    assert out.getvalue() == "  ✓ unpack\n  ✓ remove r1\n"


def test_a_broken_step_is_marked_and_what_followed_is_shown(progress, out):
    news = _news(
        {"begin": "switch"}, {"broken": "switch"}, {"begin": "go back"}, {"done": "go back"}, {"failed": "not healthy"}
    )
    assert follow(news, progress) == "not healthy"
    assert "✗ switch" in out.getvalue()
    assert "✓ go back" in out.getvalue()


def test_an_installer_that_says_nothing_has_failed(progress):
    assert follow(_news({"begin": "x"}, {"done": "x"}), progress) == "the installer ended without a word"
