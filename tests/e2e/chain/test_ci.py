"""The workflow for a user's CI, step by step on the local cloud, from a runner that is no operator."""

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.root, pytest.mark.chain]
ROOT = Path(__file__).parents[3]
STEPS = yaml.safe_load((ROOT / "docs/ci/jada.yml").read_text())["jobs"]["host"]["steps"]
NOT_HERE = {
    "sign in to AWS": "the local cloud asks for no identity, and there is no GitHub to give a token",
    "fetch the tools": "they are here, as locked",
}
"""Steps that only a runner of GitHub can do, and why."""
KEY = "/home/jada/secrets/anthropic_api_key"


@pytest.fixture(scope="module")
def runner(chain, tmp_path_factory):
    """The stack lets in another address than this machine's, as it does at a runner."""
    settings = yaml.safe_load((chain.folder / "Pulumi.local.yaml").read_text())
    settings["config"]["jada:operator-cidrs"] = ["192.0.2.0/24"]
    edited = tmp_path_factory.mktemp("pulumi") / "Pulumi.local.yaml"
    edited.write_text(yaml.safe_dump(settings))
    up = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
    chain.log_out()
    chain.pulumi(*up, "--config-file", str(edited))
    yield chain
    chain.pulumi(*up)


def run(chain, step):
    """Run a step as GitHub does: by bash, which ends at the first command that fails."""
    words = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(words, cwd=chain.folder, env=chain.env, capture_output=True, text=True, check=False)


def suite(chain):
    return ET.parse(chain.folder / "report" / "verify.xml").getroot().find("testsuite")


def test_what_is_not_run_here_is_in_the_workflow():
    assert NOT_HERE.keys() <= {step.get("name") for step in STEPS}


def test_its_steps_run_to_their_end_and_leave_a_report_and_no_door(runner):
    assert runner.fab("status", check=False).returncode == 1
    for step in STEPS:
        if "run" in step and step["name"] not in NOT_HERE:
            done = run(runner, step)
            # A machine that runs many hosts at once may be judged bad, and then the step must say so.
            bad = step["name"] == "audit" and any(line.startswith("bad ") for line in done.stdout.splitlines())
            assert done.returncode == (4 if bad else 0), (step["name"], done.stdout + done.stderr)
    assert int(suite(runner).get("tests")) > 40
    assert (suite(runner).get("failures"), suite(runner).get("errors")) == ("0", "0")
    assert "<html" in (runner.folder / "report" / "audit.html").read_text()


def test_a_host_that_is_not_as_deployed_fails_the_step_that_verifies(runner):
    (verify,) = (step for step in STEPS if step.get("name") == "verify")
    runner.fab("ssh", "--command", f"sudo chmod 644 {KEY}", "--door")
    try:
        assert run(runner, verify).returncode == 1
    finally:
        runner.fab("ssh", "--command", f"sudo chmod 600 {KEY}", "--door")
    assert suite(runner).get("failures") != "0"


def test_a_door_that_was_left_open_fails_the_steps_that_look_for_it(runner):
    words = ["fab", "door", "--address", "198.51.100.66"]
    with subprocess.Popen(words, env=runner.env, cwd=runner.folder, stdout=subprocess.PIPE, text=True) as door:
        assert any("Ctrl-C" in line for line in door.stdout)
        door.kill()
    (look,) = (step for step in STEPS if step.get("name") == "doors")
    shown = run(runner, look)
    assert (shown.returncode, "198.51.100.66/32" in shown.stdout) == (1, True)
    runner.fab("door", "--out")
    assert run(runner, look).returncode == 0
