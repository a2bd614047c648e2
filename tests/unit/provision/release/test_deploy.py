import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from provision.errors import CommandError
from provision.progress import Progress
from provision.release.deploy import Source, install, require_notifications, show_steps
from provision.settings import Settings


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
    assert show_steps(news, progress) is None
    assert out.getvalue() == "  ✓ unpack\n  ✓ remove r1\n"


def test_a_broken_step_is_marked_and_what_followed_is_shown(progress, out):
    news = _news(
        {"begin": "switch"}, {"broken": "switch"}, {"begin": "go back"}, {"done": "go back"}, {"failed": "not healthy"}
    )
    assert show_steps(news, progress) == "not healthy"
    assert "✗ switch" in out.getvalue()
    assert "✓ go back" in out.getvalue()


def test_an_installer_that_says_nothing_has_failed(progress):
    assert show_steps(_news({"begin": "x"}, {"done": "x"}), progress) == "the installer ended without a result"


class Scripted:
    """A host whose installer says what it is given."""

    name = "box"

    def __init__(self, *news):
        self.news = news

    def upload(self, path, content):
        pass

    def lines(self, command, stdin):
        yield from (json.dumps(word).encode() for word in self.news)


def test_what_an_installer_failed_with_is_a_block_that_can_not_act_on_the_terminal(progress):
    host = Scripted({"failed": "not healthy; its journal ends:\n    \x1b[2Jpanic"})
    with pytest.raises(CommandError) as caught:
        install(host, {}, progress)
    assert caught.value.message.splitlines()[:2] == ["box: not healthy; its journal ends:", r"    \x1b[2Jpanic"]


@pytest.mark.parametrize(
    ("targets", "secrets", "said"),
    [((), ("notify_targets",), "dashboard.notify.targets"), (("mail",), (), "fab secrets"), ((), (), "targets")],
)
def test_a_stack_whose_users_would_hear_of_nothing_is_refused_with_the_two_ways_out(fresh, targets, secrets, said):
    source = Source(Path("/x"), Path("/x/jada.prod.toml"), Settings(), "/run/q.sock", targets, tested=True)
    with pytest.raises(CommandError) as refused:
        require_notifications(source, replace(fresh, secrets=secrets))
    assert said in refused.value.cure
    assert 'deploy.notify = "none"' in refused.value.cure


def test_a_stack_with_a_target_and_its_secret_is_not_refused(fresh):
    source = Source(Path("/x"), Path("/x/jada.prod.toml"), Settings(), "/run/q.sock", ("mail",), tested=True)
    require_notifications(source, replace(fresh, secrets=("notify_targets",)))
