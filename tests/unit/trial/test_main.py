"""What is refused before anything is made, and what is removed whatever happens."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local import serve
from provision.errors import CommandError
from trial import __main__ as program
from trial.offer import TrialRefused

ROOT = Path(__file__).parents[3]
NAMES = ("anthropic_api_key", "bookings_token", "port_sheet_token.json", "port_sheet_client.json")


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Settings without examples in them, a folder of secrets, and keys of an account."""
    text = (ROOT / "jada.prod.toml").read_text().replace("bookings.example.com", "bookings.example.org")
    text = text.replace("1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg", "mine")
    (tmp_path / "off.toml").write_text(text)
    (tmp_path / "mine.toml").write_text(text.replace("enabled = false", "enabled = true"))
    (tmp_path / "secrets").mkdir()
    for name in NAMES:
        (tmp_path / "secrets" / name).write_text("{}")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE1234")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made up")
    return tmp_path


def options(given, **other):
    chosen = {"settings": given / "mine.toml", "secrets": given / "secrets", "cidr": "203.0.113.7/32", **other}
    return [str(word) for name, value in chosen.items() if value for word in (f"--{name}", value)]


def offer(given, **other):
    return program._offer(program._arguments(options(given, **other)), "trial-1")


@pytest.mark.process
@pytest.mark.parametrize("more", [[], ["--yes", "sure"]])
def test_without_a_yes_the_costs_are_named_and_nothing_is_made(given, more):
    done = subprocess.run(
        [sys.executable, "-m", "trial", *options(given), *more],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "access key …1234" in done.stdout
    assert "in all at most $0.51" in done.stdout
    assert "nothing was made" in done.stderr
    assert list(ROOT.glob("*trial-*")) == []


@pytest.mark.process
def test_an_end_of_input_at_the_question_is_a_no(given):
    ours, terminal = pty.openpty()
    os.write(ours, b"\x04")  # Ctrl-D
    command = [sys.executable, "-m", "trial", *options(given)]
    done = subprocess.run(command, cwd=ROOT, stdin=terminal, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(terminal)
    assert done.returncode == 2
    assert done.stderr.startswith("jada: nothing was made: ")


@pytest.mark.parametrize("usd", ["nan", "inf", "-1", "0", "0.001", "1001"])
def test_what_is_no_budget_of_a_task_is_refused_before_anything_is_made(given, usd):
    args = program._arguments([*options(given), f"--usd={usd}"])
    with pytest.raises(TrialRefused, match=f"USD: a task may cost from 0.01 to 1000 dollars, not {usd}$"):
        program._offer(args, "trial-1")


def test_an_offer_says_what_the_settings_say(given):
    made = offer(given)
    assert (made.model, made.spreadsheet, made.worksheet) == ("claude-sonnet-5-5", "mine", "Bookings")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"settings": ROOT / "jada.prod.toml"}, "jada.prod.toml still has the example bookings.example.com"),
        ({"secrets": ROOT}, "secrets are missing: anthropic_api_key, bookings_token"),
        ({"secrets": None}, "secrets are missing: anthropic_api_key, bookings_token"),
        ({"cidr": None}, "from which address will you reach the box?"),
    ],
)
def test_what_is_not_ready_is_refused_with_what_to_do(given, other, why):
    with pytest.raises(TrialRefused, match=why):
        offer(given, **other)


def test_a_sync_that_is_off_is_refused(given):
    with pytest.raises(TrialRefused, match=r"the sync is off in off\.toml"):
        offer(given, settings=given / "off.toml")


def test_a_secret_may_come_by_the_environment(given, monkeypatch):
    (given / "secrets" / "bookings_token").unlink()
    monkeypatch.setenv("JADA_SECRET_BOOKINGS_TOKEN", "t")
    assert offer(given)


def test_a_wrong_setting_is_named(given):
    with (given / "mine.toml").open("a") as file:
        file.write("wrong_key = 1\n")
    with pytest.raises(CommandError, match="wrong_key"):
        offer(given)


def test_an_account_without_keys_is_refused(given, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(TrialRefused, match="there are no AWS credentials"):
        offer(given)


PULUMI = """#!/bin/sh
echo "$1" >>ran
state=${PULUMI_BACKEND_URL#file://}/.pulumi/stacks/jada
case $1 in
stack) mkdir -p "$state" && touch "$state/local.json" ;;
up) read -r _ <go; echo "one more line"; exit 1 ;;
esac
"""


@pytest.fixture
def account(given, monkeypatch):
    """A folder to run a trial in, by a Pulumi that is none, on an account that has nothing."""
    empty = Route("/", lambda _: JSONResponse({"__type": "NotFoundException"}, 400), methods=["POST"])
    for name in ("jada.local.toml", "Pulumi.local.yaml"):
        (given / name).symlink_to(ROOT / name)
    (given / "pulumi").write_text(PULUMI)
    (given / "pulumi").chmod(0o755)
    os.mkfifo(given / "go")
    with serve.running(Starlette(routes=[empty])) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LIGHTSAIL", url)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PATH", os.pathsep.join([str(given), os.environ["PATH"]]))
        yield given


@pytest.mark.process
def test_the_box_is_removed_also_where_nobody_can_be_told_any_more(account):
    command = [sys.executable, "-m", "trial", "--rehearse", "--yes", "yes", "--secrets", "secrets"]
    with subprocess.Popen(command, cwd=account, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as trial:
        assert any("$ pulumi up" in line for line in trial.stdout), trial.stderr.read()
        trial.stdout.close()
        # To read as well: opened so, it waits for no reader, whatever became of the trial.
        with (account / "go").open("r+b", buffering=0) as go:
            go.write(b"on\n")
            said = trial.stderr.read()
    assert (account / "ran").read_text().split() == ["stack", "up", "cancel", "state", "destroy"]
    assert (trial.returncode, said) == (1, "")
    (folder,) = (account / "report" / "real-check").iterdir()
    (transcript,) = folder.iterdir()
    assert "removed: Lightsail knows neither the box nor its address any more" in transcript.read_text()
