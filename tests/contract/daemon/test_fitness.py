"""What a look at the host finds, as a process, against Claude's double over HTTP."""

import os
import subprocess
import sys

import pytest

from doubles.claude.messages import create
from local.serve import running


@pytest.fixture
def look(tmp_path):
    """Look at a host whose settings, key and PATH a test has changed; return exit code and words."""
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    for folder in (credentials, state):
        folder.mkdir()
    key = credentials / "anthropic_api_key"
    key.write_text("sk-test\n")

    def look(url, more="", **settings):
        lines = [f'{name} = "{value}"' for name, value in {"claude_url": url, **settings}.items()]
        path = tmp_path / "etc" / "jada.toml"  # as in a release
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["[agent]", *lines, more]))
        command = [*look.before, sys.executable, "-m", "agent.fitness", str(path), str(state)]
        env = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(credentials)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.returncode, done.stdout

    look.key, look.before = key, []
    return look


@pytest.fixture
def claude(tmp_path):
    with running(create(tmp_path)) as url:
        yield url


def test_a_host_that_can_work_is_fit(look, claude):
    assert look(claude) == (0, "")


def test_a_model_without_a_price_and_one_that_the_api_does_not_know_are_told_apart(look, claude, tmp_path):
    code, words = look(claude, model="claude-nobody")
    assert (code, "has no price" in words) == (1, True)
    prices = tmp_path / "prices.toml"
    prices.write_text(
        "cache_read = 0.1\ncache_write_5m = 1.25\ncache_write_1h = 2\n"
        '[[models]]\nname = "claude-nobody"\ntiers = [{ input = 1, output = 2 }]\n'
    )
    code, words = look(claude, model="claude-nobody", prices=prices)
    assert (code, "correct `model`" in words) == (1, True)


def test_a_key_that_is_missing_is_reported_with_its_cure(look, claude):
    look.key.unlink()
    code, words = look(claude)
    assert (code, "fab secrets" in words) == (1, True)


@pytest.mark.root
def test_a_host_without_a_sandbox_is_unfit(look, claude):
    """In a mount namespace of its own, where bwrap is no program."""
    look.before = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"', "sh"]
    code, words = look(claude)
    assert (code, "bubblewrap" in words) == (1, True)


def test_an_api_that_is_away_says_nothing_about_the_host(look):
    assert look("http://127.0.0.1:9") == (0, "")


def test_a_way_out_that_lacks_its_secret_is_reported_before_a_task_needs_it(look, claude):
    more = '[agent.egress.credentials.x]\nat = "example.com"\nsecret = "team"'
    code, words = look(claude, more)
    assert (code, "no line `team = …`" in words, "fab secrets" in words) == (1, True, True)
    (look.key.parent / "egress_secrets").write_text("team = canary-0123456789\n")
    assert look(claude, more) == (0, "")


def test_a_reference_folder_that_is_not_there_is_reported(look, claude, tmp_path):
    code, words = look(claude, reference=str(tmp_path / "reference"))
    assert (code, "agent.reference" in words) == (1, True)
    (tmp_path / "reference").mkdir()
    assert look(claude, reference=str(tmp_path / "reference")) == (0, "")


def test_a_reference_folder_that_a_deploy_took_along_is_looked_for_in_the_release(look, claude, tmp_path):
    code, words = look(claude, reference="handbook")
    assert (code, f"{tmp_path}/reference/handbook is no folder on this host" in words) == (1, True)
    (tmp_path / "reference" / "handbook").mkdir(parents=True)
    assert look(claude, reference="handbook") == (0, "")
