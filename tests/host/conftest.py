"""What `fab verify` runs: read-only checks of a deployed host. Without --hosts there is none: not collected.

By hand, in a shell where `fab` works: `pytest tests/host --hosts=ssh://NAME`; access is asked for as `fab` does.
"""

import contextlib
import json
import subprocess
import tomllib

import pytest

from provision import desired
from provision.errors import CommandError
from provision.progress import Progress
from provision.reach import programs
from provision.reach.keyfiles import materialised
from provision.release import plan
from provision.target import load_target


def pytest_addoption(parser):
    parser.addoption("--package", action="append", default=[], help="a package that the stack's settings ask for")


def pytest_generate_tests(metafunc):
    if "row" in metafunc.fixturenames:
        rows = desired.of_any_blueprint(_packages(metafunc.config))
        metafunc.parametrize("row", rows, ids=[row.id for row in rows])


def _packages(config):
    return config.getoption("package", None) or []


def pytest_configure(config):
    if not config.getoption("hosts", None) or config.getoption("ssh_config"):
        return
    name = config.getoption("hosts").removeprefix("ssh://")
    if not config.getoption("hosts").startswith("ssh://") or "," in name:
        raise pytest.UsageError("give --hosts=ssh://NAME, one host: testinfra's own SSH takes any host key")
    try:
        access = load_target(None).access(name, Progress(aside=True))
    except CommandError as refusal:
        raise pytest.UsageError(str(refusal)) from None
    keep = contextlib.ExitStack()
    config.add_cleanup(keep.close)
    keys = keep.enter_context(materialised(access))
    keep.callback(subprocess.run, keys.ssh("-O", "exit", "{host}"), capture_output=True, check=False)
    config.option.ssh_config = str(keys.config)
    config.option.sudo = True


def pytest_ignore_collect(config):
    return None if config.getoption("hosts") else True


@pytest.fixture(scope="session")
def probed(request):
    """What a plan would see of the host; over the connection that testinfra's commands share."""
    name = request.config.getoption("hosts").removeprefix("ssh://")
    ssh = ["ssh", "-F", str(request.config.getoption("ssh_config")), "-o", "ControlMaster=auto"]
    command = [*ssh, "-o", "ControlPersist=60s", name, "sudo", "-n", "python3", "-I", "-"]
    asked = programs.call("probe", plan.probe_request(_packages(request.config), deep=True))
    done = subprocess.run(command, input=asked, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return plan.read_probe(json.loads(done.stdout))


@pytest.fixture(scope="session")
def rows(request, probed):
    """The rows of the host's system."""
    return desired.table(probed.os, _packages(request.config))


@pytest.fixture(scope="session")
def differing(rows, probed):
    """The rows of the table that are not as they should be: id → what was seen."""
    return {each.row.id: each for each in desired.differences(rows, probed.found)}


@pytest.fixture(scope="module")
def out(host):
    """Run a command on the host and return what it prints; a failure shows the command's own words."""

    def run(*words):
        return host.check_output(" ".join(["%s"] * len(words)), *words)

    return run


@pytest.fixture(scope="module")
def find(host):
    """What `find` names below a folder; what goes while it looks is no error: a deploy that was proven tidies up."""

    def found(folder, *expression):
        words = [f"{folder}/", *expression]
        done = host.run(f"LC_ALL=C find {' '.join(['%s'] * len(words))}; test -d %s", *words, folder)
        assert done.rc == 0, f"{folder} is not there"
        assert [line for line in done.stderr.splitlines() if "No such file or directory" not in line] == []
        return done.stdout

    return found


@pytest.fixture(scope="module")
def manifest(out):
    """The manifest of the current release, by the host's own copy of it."""
    return json.loads(out("cat", "/opt/jada-agent/current/manifest.json"))


@pytest.fixture(scope="module")
def settings(out):
    """The settings of the current release."""
    return tomllib.loads(out("cat", "/etc/jada/jada.toml"))
