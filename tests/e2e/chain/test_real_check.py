"""`make real-check` on the doubles: the same program, on a box of its own beside the demo's."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.process import wait_until
from local.site import LIGHTSAIL
from provision.reach import access
from provision.reach.inventory import Inventory

pytestmark = [pytest.mark.root, pytest.mark.chain]


def command(chain, *more):
    words = ["--rehearse", "--secrets", str(chain.site.state / "secrets"), "--usd", "1", *more]
    return [sys.executable, "-m", "trial", *words]


def instances(chain):
    """The names of all that Lightsail has; asked without its command line, which takes a second to start."""
    lightsail = access.client(Inventory(region="us-east-1", endpoint=chain.site.url(LIGHTSAIL)))
    return [each["name"] for each in lightsail.get_instances()["instances"]]


@pytest.fixture
def transcripts(chain):
    """What the trials of a test wrote, apart from what is there."""
    folder = chain.folder / "report" / "real-check"
    before = set(folder.glob("trial-*"))
    yield lambda: [path for each in set(folder.glob("trial-*")) - before for path in each.glob("*.txt")]
    for each in set(folder.glob("trial-*")) - before:
        shutil.rmtree(each)


@pytest.mark.timeout(600)  # a whole demo's steps, and where this test runs by itself the demo before it
def test_a_box_is_made_proven_given_work_and_destroyed_with_its_bill(chain, transcripts):
    done = chain.run(*command(chain, "--yes", "yes"), limit_s=580)
    (file,) = transcripts()
    text = file.read_text()
    assert f"jada: the transcript is {file}" in done.stdout
    for step in ("pulumi up", "fab secrets", "fab deploy", "fab verify", "pulumi destroy"):
        assert re.search(rf"\$ {step} ", text), step
    assert re.search(r"done for \$0\.\d{4}: No script is written", text)
    assert len(re.findall(r"  (?:un)?changed: \d+ bookings read", text)) == 2
    assert re.search(r"box: \d+\.\d minutes, 1 begun × \$0\.0094", text)
    assert text.splitlines()[-1].endswith("PROVEN: made, deployed, verified, worked a task, synced a sheet, destroyed")
    assert instances(chain) == ["jada-orchestrator"]
    assert [path.name for path in file.parent.iterdir() if path.suffix != ".txt"] == ["tunnel.log"]


def test_an_interrupt_while_the_box_is_made_leaves_none(chain, transcripts):
    with subprocess.Popen(
        command(chain, "--yes", "yes"), env=chain.env, cwd=chain.folder, stdout=subprocess.PIPE, text=True
    ) as trial:
        assert any("creating (" in line or "$ pulumi up" in line for line in trial.stdout)
        trial.send_signal(signal.SIGINT)
        trial.communicate(timeout=120)
    assert trial.returncode == 1
    (file,) = transcripts()
    text = file.read_text()
    assert "NOT PROVEN: interrupted" in text
    assert "removed: Lightsail knows neither the box nor its address any more" in text
    assert "\n" + "PROVEN" not in text
    assert instances(chain) == ["jada-orchestrator"]


def engine_runs(name):
    """Whether Pulumi still acts on the box of this name; it is in the path of its configuration."""
    commands = [contents(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return any(command.startswith(b"pulumi\0") and name.encode() in command for command in commands)


def contents(path):
    try:
        return path.read_bytes()
    except OSError:  # it ended while we looked
        return b""


def test_what_a_killed_trial_left_is_removed_by_its_name(chain, transcripts):
    with subprocess.Popen(
        command(chain, "--yes", "yes"), env=chain.env, cwd=chain.folder, stdout=subprocess.DEVNULL
    ) as trial:
        assert wait_until(lambda: len(instances(chain)) == 2, 60)
        trial.kill()
    (file,) = transcripts()
    name = file.parent.name
    # The engine went on by itself: its lock is given up when it has ended.
    assert wait_until(lambda: not engine_runs(name), 60)
    chain.run(*command(chain, "--remove", name))
    assert instances(chain) == ["jada-orchestrator"]
